"""Commands to a cluster: each goes to the shard of its slot, in the slot's order."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from itertools import count
from typing import Any, Final

from realtime.redis.client import (
    REFUSED,
    REFUSED_RETRY_MS,
    WATCH_SECONDS,
    RedisClient,
    Refusals,
    Server,
)
from realtime.redis.cluster.calls import SlotCall
from realtime.redis.cluster.link import ShardLink, slot_of_key
from realtime.redis.cluster.slots import SLOTS, SlotOrder
from realtime.redis.cluster.topology import Address, Topology
from realtime.redis.command import PendingCommand
from realtime.redis.connection import Argument, ReplyError, pack
from realtime.redis.script import Script

# Pause before a refused call is sent again: the first one, doubled up to the last.
RETRY_SECONDS: Final = 0.02
LONGEST_RETRY_SECONDS: Final = 0.2

# Redirects that a call follows at once; then it waits like others that are refused.
REDIRECTS: Final = 5

# Least time for the answer to a call that is sent again, and as part of its deadline.
ANSWER_SECONDS: Final = 0.25
ANSWER_SHARE: Final = 0.1

# Refusals that end by themselves: a slot moves, a replica is promoted.
LATER: Final = frozenset(
    {"TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY"}
)
_REDIRECT: Final = frozenset({"MOVED", "ASK"})
_ASKING: Final = pack("ASKING")


class ClusterClient(RedisClient):
    """What :class:`RedisClient` promises, of each slot, over a connection a shard.

    Calls of different slots have no order. A call that a shard refuses because of a
    failover or a slot that moves is sent again until its deadline.

    Args:
        topology: Which shard has which slots.
        timeout_seconds: Deadline of one call, waiting for its shard included.
        limit_calls: Most calls of one shard that may be under way.
        scripts: Loaded over each connection before anything else is sent.
        runs_topology: Whether :meth:`run` keeps the topology as well.
    """

    publish_command = "SPUBLISH"
    is_cluster = True

    def __init__(
        self,
        topology: Topology,
        *,
        timeout_seconds: float,
        limit_calls: int,
        scripts: Sequence[Script] = (),
        runs_topology: bool = True,
    ) -> None:
        # Past RedisClient's own constructor, which makes one connection.
        self.database = 0
        self.generation = 0
        self._topology = topology
        self._timeout_seconds = timeout_seconds
        self._answer_seconds = min(ANSWER_SECONDS, ANSWER_SHARE * timeout_seconds)
        self._limit_calls = limit_calls
        self._scripts = tuple(scripts)
        self._runs_topology = runs_topology
        self._links: dict[Address, ShardLink] = {}
        self._tasks: dict[Address, asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._route: list[ShardLink | None] = [None] * SLOTS
        self._order: SlotOrder[SlotCall, ShardLink | None] = SlotOrder()
        # Slots whose calls wait for their shard to be there, and those that wait for
        # a time.
        self._stalled: set[int] = set()
        self._timed: set[int] = set()
        # How often in a row the calls of a slot were refused for a time.
        self._tries: Counter[int] = Counter()
        self._numbers = count(1)
        self._running: asyncio.Task[None] | None = None
        self._closed = False
        self._refusals = Refusals()

    # How it is.

    @property
    def links(self) -> list[ShardLink]:
        """The connections to the primaries."""
        return [
            self._links[each]
            for each in self._topology.primaries
            if each in self._links
        ]

    @property
    def connected(self) -> bool:
        """Whether the shards of most slots are connected."""
        return self._covers(lambda link: link.is_up)

    @property
    def healthy(self) -> bool:
        """Whether the shards of most slots are connected and answer in time."""
        return self._covers(lambda link: link.healthy)

    def _covers(self, is_well: Any) -> bool:
        primaries = self._topology.primaries
        well = sum(primaries[each.address] for each in self.links if is_well(each))
        return 2 * well > SLOTS

    def shards(self) -> dict[str, bool]:
        """Return which shards serve, by their address."""
        links = self._links
        return {
            str(each): each in links and links[each].healthy
            for each in self._topology.primaries
        }

    @property
    def under_way(self) -> int:
        """Calls that wait for their answer."""
        return self._order.waiting + sum(
            each.under_way for each in self._links.values()
        )

    def generation_of(self, key: str) -> int:
        """Return the number of the connection to a key's shard; later ones are higher.

        0 while there is none.
        """
        link = self._route[slot_of_key(key)]
        return link.generation if link is not None and link.is_up else 0

    # Life.

    async def run(self) -> None:
        """Keep the connections until cancelled; calls then fail as after a cut."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._topology.tell(self._table_changed)
                if self._runs_topology:
                    group.create_task(self._topology.run(), name="redis-topology")
                group.create_task(self._watch(), name="redis-deadlines")
                self._table_changed(None)
        finally:
            self._group = None
            self._close()

    def _table_changed(self, slot: int | None) -> None:
        if self._group is None:
            return
        for address in self._topology.primaries:
            self._link(address)
        owners = self._topology.owners
        if slot is None:
            self._route = [self._owner(each) for each in owners]
            self._resume_stalled(*self._stalled)
        else:
            self._route[slot] = self._owner(owners[slot])
            self._resume_stalled(slot)

    def _owner(self, address: Address | None) -> ShardLink | None:
        return None if address is None else self._links.get(address)

    def _link(self, address: Address) -> ShardLink | None:
        link = self._links.get(address)
        if link is None and self._group is not None:
            link = self._links[address] = ShardLink(
                address,
                lambda: self._topology.connection(address),
                timeout_seconds=self._timeout_seconds,
                scripts=self._scripts,
                take=self._take,
                lost=self._lost_calls,
                up=self._up,
                number=self._next_number,
                slots_at=self._topology.slots_at,
            )
            self._tasks[address] = self._group.create_task(
                link.run(), name=f"redis-{address}"
            )
        return link

    def _next_number(self) -> int:
        self.generation = next(self._numbers)
        return self.generation

    def _up(self, _link: ShardLink) -> None:
        self._resume_stalled(*self._stalled)

    def _resume_stalled(self, *slots: int) -> None:
        for slot in slots:
            link = self._route[slot]
            if slot in self._stalled and link is not None and link.is_up:
                self._stalled.discard(slot)
                self._resume(slot)

    async def _watch(self) -> None:
        """Keep the deadlines, and let connections go that have no slots any more."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            now = asyncio.get_running_loop().time()
            self._give_up_before(now)
            primaries = self._topology.primaries
            for address, link in [*self._links.items()]:
                link.watch(now)
                if address in primaries and not link.is_up:
                    # Another one may have its slots by now.
                    self._topology.refresh_soon()
                if primaries and address not in primaries and not link.under_way:
                    del self._links[address]
                    self._tasks.pop(address).cancel()

    def _give_up_before(self, now: float) -> None:
        for slot in [*self._order.paused]:
            for call in self._order.drop(slot, lambda each: each.deadline < now):
                call.give_up()

    # Calls.

    def call(self, *command: Argument, resend: bool = True) -> asyncio.Future[Any]:
        """As :meth:`RedisClient.call`; the first argument is the key, if any."""
        slot = slot_of_key(command[1]) if len(command) > 1 else 0
        return self._begin(pack(*command), resend, slot).reply

    def run_script(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> asyncio.Future[Any]:
        """As :meth:`RedisClient.run_script`; the keys are of one slot."""
        return self._begin_script(script, keys, args).reply

    async def run_script_at(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> tuple[Any, ShardLink]:
        """Run a script; return its reply, and the connection that it was carried on."""
        call = self._begin_script(script, keys, args)
        return await call.reply, call.link

    def _begin_script(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> SlotCall:
        arguments = (len(keys), *keys, *args)
        packed = pack("EVALSHA", script.digest, *arguments)
        return self._begin(packed, True, slot_of_key(keys[0]), script, arguments)

    async def in_turn(self, *begin: Any) -> list[Any]:
        """As :meth:`RedisClient.in_turn`: one is answered before the next is sent."""
        return [await each() for each in begin]

    async def servers(self) -> AsyncIterator[tuple[str, Server]]:
        """As :meth:`RedisClient.servers`."""
        # The table is known then, and all that is in it is reached.
        await self.call("PING")
        for address in [*self._topology.primaries]:
            slot, *_ = self._topology.slots_at(address)
            await self._begin(pack("PING"), True, slot).reply
            yield str(address), self._links[address]

    def _begin(
        self,
        packed: bytes,
        resend: bool,
        slot: int,
        script: Script | None = None,
        arguments: tuple[Argument, ...] = (),
    ) -> SlotCall:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout_seconds
        reply = loop.create_future()
        call = SlotCall(packed, deadline, resend, reply, slot, script, arguments)
        link = self._route[slot]
        if self._closed:
            call.refuse("This node is shutting down.")
        elif self._order.waiting >= self._limit_calls or (
            link is not None and link.under_way >= self._limit_calls
        ):
            because = "This node has too many requests under way."
            call.refuse(because, limit="redis_calls")
        elif self._order.begin(slot, call, link):
            self._send(call, link)
        return call

    def _send(
        self, call: SlotCall, link: ShardLink | None, *, asking: bool = False
    ) -> None:
        if link is None or not link.is_up:
            # Nothing is sent to a shard that is not there.
            if self._order.refused(call.slot, call):
                self._stalled.add(call.slot)
            self._topology.refresh_soon()
            return
        call.link = link
        if asking:
            reply = asyncio.get_running_loop().create_future()
            link.send(PendingCommand(_ASKING, call.deadline, False, reply), call)
        else:
            link.send(call)

    def _resume(self, slot: int) -> None:
        """Send what a paused slot holds, if nothing of it is under way.

        What could not be answered in time is given up: an answer that is overdue would
        end the connection of all.
        """
        soon = asyncio.get_running_loop().time() + self._answer_seconds
        is_due = True
        while is_due:
            is_due = False
            for sent in self._order.resume(slot, self._route[slot]):
                if sent.call.deadline < soon:
                    sent.call.give_up()
                    is_due = self._order.answered(slot)
                else:
                    self._send(sent.call, sent.shard, asking=sent.asking)

    # Answers.

    def _take(self, link: ShardLink, call: SlotCall, reply: Any) -> None:
        if isinstance(reply, ReplyError) and self._is_sent_again(link, call, reply):
            return
        slot = call.slot
        if not isinstance(reply, ReplyError):
            self._refuse_overtaken(slot)
            self._tries.pop(slot, None)
            call.resolve(reply)
        elif reply.code in REFUSED:
            call.refuse(
                "Redis cannot take this at the moment.", retry_after_ms=REFUSED_RETRY_MS
            )
            self._refusals.note(reply)
        else:
            call.reject(reply)
        if self._order.answered(slot) and slot not in self._timed:
            self._resume(slot)

    def _refuse_overtaken(self, slot: int) -> None:
        for late in self._order.overtaken(slot):
            late.refuse("The room's data moved meanwhile.")

    def _is_sent_again(
        self, link: ShardLink, call: SlotCall, reply: ReplyError
    ) -> bool:
        code, slot = reply.code, call.slot
        asked: ShardLink | None = None
        is_late = code in LATER
        if code == "NOSCRIPT" and call.script is not None:
            call.use_source()
        elif code in _REDIRECT:
            asked = self._redirected(link, call, reply)
            is_late = asked is None
        elif not is_late:
            return False
        if is_late and code != "TRYAGAIN":
            self._topology.refresh_soon()
        call.written = False
        is_settled = self._order.refused(
            slot,
            call,
            alone=code not in ("MOVED", "NOSCRIPT"),
            asked=asked if code == "ASK" else None,
            strict=code != "NOSCRIPT",
        )
        if is_late:
            self._resume_later(slot)
        elif is_settled:
            self._resume(slot)
        return True

    def _redirected(
        self, link: ShardLink, call: SlotCall, reply: ReplyError
    ) -> ShardLink | None:
        """Return where a redirect leads; None if it is not followed now."""
        _, address = self._topology.parse_redirect(str(reply), link.address)
        if reply.code == "MOVED":
            self._topology.moved(call.slot, address)
        call.redirects += 1
        found = self._link(address)
        if call.redirects <= REDIRECTS and found is not None and found.is_up:
            return found
        call.redirects = 0
        return None

    def _resume_later(self, slot: int) -> None:
        if slot not in self._timed:
            self._timed.add(slot)
            pause = min(RETRY_SECONDS * 2 ** self._tries[slot], LONGEST_RETRY_SECONDS)
            self._tries[slot] = min(self._tries[slot] + 1, 8)
            asyncio.get_running_loop().call_later(pause, self._resume_timed, slot)

    def _resume_timed(self, slot: int) -> None:
        self._timed.discard(slot)
        self._resume(slot)

    def _lost_calls(self, link: ShardLink, calls: Any) -> None:
        """After a cut: what may be sent again waits for the shard, or its successor."""
        now = asyncio.get_running_loop().time()
        settled: set[int] = set()
        for slot in {call.slot for call in calls}:
            self._refuse_overtaken(slot)
        for call in calls:
            if call.resend and call.deadline > now and not self._closed:
                call.doubtful = True
                if self._order.refused(call.slot, call):
                    settled.add(call.slot)
            else:
                call.give_up()
                if self._order.answered(call.slot):
                    settled.add(call.slot)
        self._stalled |= settled
        self._topology.refresh_soon()
        self._resume_stalled(*settled)

    def _close(self) -> None:
        self._closed = True
        self._give_up_before(float("inf"))
        self._links.clear()
        self._tasks.clear()
        self._route = [None] * SLOTS
