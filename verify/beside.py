"""How late acks are while one shard is struck: in its rooms, and in those beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from verify.client.python_client import CUT_OFF
from verify.faults.kinds import Ended
from verify.history import Answered, History, Outcome, Sent

# Time after a fault in which nothing counts as calm: clients and nodes still recover.
AFTER_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Beside:
    """Acks of messages into rooms that a kind of fault did not concern.

    Attributes:
        kind: Of the fault.
        count: How many acks of its time; none that another fault may have delayed.
        p99_ms: Of these, from the first attempt on.
        calm_p99_ms: The same of all rooms while nothing was at fault.
        struck_ms: The latest ack of the struck shard's own rooms.
    """

    kind: str
    count: int
    p99_ms: float
    calm_p99_ms: float
    struck_ms: float

    @property
    def ratio(self) -> float:
        """How many times as late as in calm."""
        return self.p99_ms / self.calm_p99_ms

    def to_text(self) -> str:
        """Return a line of the report."""
        return (
            f"rooms of other shards in a {self.kind}: ack p99 {self.p99_ms:.0f} ms"
            f" ({self.count} messages), {self.ratio:.2f} x calm"
            f" ({self.calm_p99_ms:.0f} ms); of the struck one: at most"
            f" {self.struck_ms:.0f} ms"
        )


def beside(histories: Sequence[History], faults: Sequence[Ended]) -> list[Beside]:
    """Return how the rooms fared that faults of a shard did not concern."""
    acks = [ack for history in histories for ack in _acks(history)]
    calm = [late for at, _, late in acks if not _at_work(faults, at)]
    found: list[Beside] = []
    for kind in sorted({each.kind for each in faults if each.rooms}):
        struck, others = [0.0], list[float]()
        for fault in faults:
            if fault.kind != kind:
                continue
            for at, room, late in acks:
                if fault.struck_at <= at < fault.ended_at and _at_work(faults, at) == 1:
                    (struck if room in fault.rooms else others).append(late)
        if others and calm:
            figures = (_p99_ms(others), _p99_ms(calm), max(struck) * 1000)
            found.append(Beside(kind, len(others), *figures))
    return found


def _at_work(faults: Sequence[Ended], at: float) -> int:
    """Return how many faults, or what they left, may delay what begins at a time."""
    return sum(e.struck_at <= at < e.ended_at + AFTER_SECONDS for e in faults)


def _acks(history: History) -> Iterator[tuple[float, str, float]]:
    """Yield of each message when it was tried, its room, and how late its ack was."""
    tried: dict[tuple[str, str], float | None] = {}
    for record in history.records:
        if isinstance(record, Sent) and record.name == "send":
            tried.setdefault((record.room, record.client_id), record.at)
        elif isinstance(record, Answered):
            at = tried.get((record.room, record.client_id))
            if record.code == CUT_OFF:
                # How long its client was away is no matter of the shards.
                tried[record.room, record.client_id] = None
            elif record.outcome is Outcome.ACKED and at is not None:
                yield at, record.room, record.at - at


def _p99_ms(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) * 99 // 100] * 1000
