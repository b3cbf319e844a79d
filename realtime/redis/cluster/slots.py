"""The order of calls in a cluster: a slot is paused, no call is retried by itself.

Whatever a shard refuses because a slot moves must not come behind what was called after
it. So the slot's later calls wait until all of it that is under way is answered; then
the refused ones go first, in their order. No I/O here: the client asks what to send.
"""

from binascii import crc_hqx
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import count
from typing import Generic, NamedTuple, TypeVar

# Hash slots of a cluster.
SLOTS = 16_384

_Call = TypeVar("_Call")
_Shard = TypeVar("_Shard")


def slot_of(key: bytes) -> int:
    """Return the slot of a key or a sharded channel: ``CLUSTER KEYSLOT``.

    What stands between the first ``{`` and the next ``}`` counts alone, if there is
    something.
    """
    begin = key.find(b"{") + 1
    if begin:
        end = key.find(b"}", begin)
        if end > begin:
            key = key[begin:end]
    return crc_hqx(key, 0) & (SLOTS - 1)


@lru_cache(maxsize=SLOTS)
def tag_of(slot: int) -> str:
    """Return a number that hashes to a slot, for keys that are to be there."""
    return next(str(each) for each in count() if slot_of(b"%d" % each) == slot)


class Sent(NamedTuple, Generic[_Call, _Shard]):
    """A call that is to be sent now; with ``asking`` behind an ``ASKING``."""

    call: _Call
    shard: _Shard
    asking: bool = False


class _Pause(Generic[_Call, _Shard]):
    """A slot whose calls wait.

    Attributes:
        refused: What a shard refused, in its order: older than what waits.
        waiting: What was called since.
        alone: Whether one call is sent at a time, because parts of the slot are
            elsewhere and each call may be refused for itself.
        asked: Where the first of the refused ones is to be asked for, once.
        strict: Whether what is overtaken is not to be carried out any more.
    """

    __slots__ = ("alone", "asked", "refused", "strict", "waiting")

    def __init__(self) -> None:
        self.refused: list[_Call] = []
        self.waiting: deque[_Call] = deque()
        self.alone = False
        self.asked: _Shard | None = None
        self.strict = False


class SlotOrder(Generic[_Call, _Shard]):
    """Which calls are under way, by slot, and which wait for them.

    Calls of one slot are under way at one shard at a time, which answers in order.

    Attributes:
        waiting: How many calls wait, over all slots.
    """

    def __init__(self) -> None:
        self._under_way: dict[int, int] = {}
        self._at: dict[int, _Shard] = {}
        self._paused: dict[int, _Pause[_Call, _Shard]] = {}
        self.waiting = 0

    @property
    def paused(self) -> Iterable[int]:
        """The slots whose calls wait."""
        return self._paused.keys()

    def begin(self, slot: int, call: _Call, shard: _Shard) -> bool:
        """Take a call; true: it is sent to this shard, which has the slot, now."""
        pause = self._paused.get(slot) if self._paused else None
        under_way = self._under_way.get(slot, 0)
        if pause is None:
            if not under_way or self._at[slot] is shard:
                self._at[slot] = shard
                self._under_way[slot] = under_way + 1
                return True
            # The slot has moved, and what it was asked before is not answered yet.
            pause = self._paused[slot] = _Pause()
        pause.waiting.append(call)
        self.waiting += 1
        return False

    def answered(self, slot: int) -> bool:
        """Take note that a call's answer came; true: see what :meth:`resume` sends."""
        left = self._under_way[slot] = self._under_way[slot] - 1
        return not left and slot in self._paused

    def overtaken(self, slot: int) -> list[_Call]:
        """Return what must not be carried out any more: a later call was, or may be.

        To be asked before :meth:`answered`, for each call that was carried out, and
        before what a cut left without an answer is taken back.
        """
        pause = self._paused.get(slot)
        if pause is None or not pause.strict:
            return []
        late, pause.refused = pause.refused, []
        self.waiting -= len(late)
        pause.asked = None
        return late

    def refused(
        self,
        slot: int,
        call: _Call,
        *,
        alone: bool = False,
        asked: _Shard | None = None,
        strict: bool = True,
    ) -> bool:
        """Take back a call that was not carried out; true: see :meth:`resume`.

        Args:
            slot: The call's.
            call: Under way until now.
            alone: The slot's calls may be refused one by one from here on.
            asked: Another shard that is to be asked for it.
            strict: It is not to be carried out behind later calls.
        """
        pause = self._paused.get(slot)
        if pause is None:
            pause = self._paused[slot] = _Pause()
        if not pause.refused:
            pause.asked, pause.alone = asked, alone
        pause.alone = pause.alone or alone
        pause.strict = strict
        pause.refused.append(call)
        self.waiting += 1
        left = self._under_way[slot] = self._under_way[slot] - 1
        return not left

    def resume(self, slot: int, shard: _Shard) -> list[Sent[_Call, _Shard]]:
        """Return what is to be sent now, in this order; the rest still waits.

        Args:
            slot: Whose calls; nothing of it is under way.
            shard: The one that has the slot now.
        """
        pause = self._paused.get(slot)
        if pause is None or self._under_way.get(slot):
            return []
        if pause.refused:
            pause.waiting.extendleft(reversed(pause.refused))
            pause.refused.clear()
        if not pause.waiting:
            del self._paused[slot]
            return []
        if not pause.alone:
            del self._paused[slot]
            return self._sent(slot, [*pause.waiting], shard)
        asked, pause.asked = pause.asked, None
        first = pause.waiting.popleft()
        at = shard if asked is None else asked
        return self._sent(slot, [first], at, asking=asked is not None)

    def _sent(
        self, slot: int, calls: list[_Call], shard: _Shard, *, asking: bool = False
    ) -> list[Sent[_Call, _Shard]]:
        self.waiting -= len(calls)
        self._at[slot] = shard
        self._under_way[slot] = len(calls)
        return [Sent(call, shard, asking) for call in calls]

    def drop(self, slot: int, is_over: Callable[[_Call], bool]) -> Iterator[_Call]:
        """Forget those calls of a paused slot for which it is too late, and yield them.

        The pause ends with :meth:`resume`.
        """
        pause = self._paused.get(slot)
        if pause is None:
            return
        late = [call for call in (*pause.refused, *pause.waiting) if is_over(call)]
        if not late:
            return
        pause.refused = [call for call in pause.refused if not is_over(call)]
        pause.waiting = deque(call for call in pause.waiting if not is_over(call))
        self.waiting -= len(late)
        yield from late
