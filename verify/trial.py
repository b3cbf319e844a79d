"""One round: clients chat, faults strike, all settle, the checker has the last word."""

import asyncio
import secrets
import time
from dataclasses import asdict, dataclass, replace

from realtime.errors import StartError
from realtime.redis.cluster.slots import SLOTS
from verify.checker import by_gravity, check
from verify.checker.told import missing
from verify.client.crowd import Crowd
from verify.faults.failovers import lost_spans, with_unasked
from verify.faults.kinds import REDIS_KILLED, TAIL_LOST, Ended, strike
from verify.faults.schedule import draw_schedule
from verify.final_logs import presence_error, read_history, read_log
from verify.harness.cluster_view import slot_of_room
from verify.harness.process import until
from verify.harness.site import Site
from verify.history import FinalLog, History, Page, Span, Violation, keep, place_of
from verify.plan import Fault, Plan, Tell
from verify.released import Census
from verify.report import Report

# Deadline of the first connects, before anything is at fault.
READY_SECONDS = 20.0

# Deadline until a killed node's sessions are off all lists, as it is promised.
PRESENCE_SECONDS = 15.0

# Deadline until the application was told of everything: a node that died is noticed,
# what it had not passed on is, and what failed is tried again.
TOLD_SECONDS = 60.0

# Rooms of a round: enough that nodes are without sessions in some of them.
ROOMS = 3


@dataclass
class Trial:
    """A round on a site that is up.

    Attributes:
        plan: What to do.
        site: Where.
        tell: Takes a line of progress now and then.
        web_url: Where web clients connect.
        census: Knows what nodes may hold when all clients are gone.
    """

    plan: Plan
    site: Site
    tell: Tell
    web_url: str
    census: Census

    def __post_init__(self) -> None:
        self._rooms = _name_rooms()
        self._crowd = Crowd(self.plan, self.site, self._rooms, self.web_url)
        self._began = time.monotonic()
        self._ended: list[Ended] = []
        self._violations: list[Violation] = []
        # What the history says at the end, as a client that did nothing else.
        self._final = History("the last look", "")

    async def run(self) -> Report:
        """Run to the end and check.

        Raises:
            StartError: Not all clients get connected, or a room cannot be made, before
                any fault.
        """
        await self._crowd.make_rooms(self.site)
        async with asyncio.TaskGroup() as tasks:
            chatting = tasks.create_task(self._crowd.run(), name="crowd")
            absent = await self._unsettled(READY_SECONDS)
            unsettled = [] if absent else await self._course()
            chatting.cancel()
        if absent:
            raise StartError("Not all clients get connected:\n" + "\n".join(absent))
        self.tell("All clients leave; looking what nodes still hold ...")
        self._violations += await self.census.check(self.plan.released_seconds)
        group = self.site.group or self.site.cluster
        changes = [at for at in group.changes if at > self._began] if group else []
        struck = [each.failover for each in self._ended if each.failover is not None]
        report = Report(
            seed=self.plan.seed,
            seconds=self.plan.seconds,
            nodes=len(self.site.places),
            histories=self._crowd.histories,
            faults=self._ended,
            failovers=with_unasked(struck, changes),
            violations=self._violations,
        )
        await self._compare(report, complete=not unsettled)
        self._violations += [Violation("settled", "-", text) for text in unsettled]
        self._violations[:] = by_gravity(self._violations)
        return report

    async def _course(self) -> list[str]:
        """From the first message until all have settled; returns what has not."""
        plan, began = self.plan, time.monotonic()
        schedule = plan.schedule
        if schedule is None:
            schedule = draw_schedule(plan, len(self.site.places))
        self._crowd.chatting.set()
        self.tell(f"{len(self._crowd.clients)} clients chat; faults strike.")
        end = began + plan.seconds
        async with asyncio.TaskGroup() as faults:
            for planned in schedule:
                await asyncio.sleep(began + planned.at - time.monotonic())
                striking = self._strike(planned.fault, end)
                faults.create_task(striking, name=planned.fault.kind)
            await asyncio.sleep(end - time.monotonic())
        self.tell("No more faults; waiting until everybody has everything ...")
        self._crowd.chatting.clear()
        unsettled = await self._unsettled(plan.settle_seconds)
        await self._all_told()
        if not unsettled:
            for room in self._rooms:
                await self._check_presence(room)
        return unsettled

    async def _strike(self, fault: Fault, end: float) -> None:
        if ended := await strike(self.site, fault, end, self._rooms):
            self._ended.append(ended)
            self.tell(f"{len(self._ended)} faults over: {fault.kind}")

    async def _unsettled(self, seconds: float) -> list[str]:
        """Return what clients still miss at a deadline; nothing as soon as it is so."""

        async def settled() -> bool:
            return not self._crowd.unsettled()

        await until(settled, seconds)
        return self._crowd.unsettled()

    async def _all_told(self) -> None:
        """Give the nodes the time to tell the application all that there is."""
        redis, receiver = self.site.redis(), self.site.receiver
        if redis is None or receiver is None:
            return

        async def told() -> bool:
            logs = [await read_log(redis, room) for room in self._rooms]
            return not any(missing(receiver.told, log) for log in logs)

        await until(told, TOLD_SECONDS)
        self._violations += [Violation("signed", "-", each) for each in receiver.wrong]

    async def _check_presence(self, room: str) -> None:
        """Give killed nodes' sessions the time to be swept, then look who is here.

        Not at the user's own nodes: when they find a client gone is what they are told.
        """
        redis = self.site.redis()
        if redis is None or self.site.durability is None:
            return
        error = ""

        async def right() -> bool:
            nonlocal error
            error = await presence_error(redis, room, self._crowd.attending(room))
            return not error

        if not await until(right, PRESENCE_SECONDS):
            self._violations.append(Violation("presence", room, error))

    async def _compare(self, report: Report, *, complete: bool) -> None:
        """Hold what clients wrote down against what the server says at the end."""
        site = self.site
        logs = [await self._read(room) for room in self._rooms]
        for place in site.places:
            said = (
                place.process.log.read_text(errors="replace") if place.process else ""
            )
            _, mark, rest = said.partition("Traceback (most recent call last)")
            if mark:
                self._violations.append(Violation("quiet", place.name, rest[:3000]))
        if self.plan.histories is not None:
            keep(self.plan.histories, report.histories, logs)
        self.tell("Comparing the histories with the log ...")
        durability = site.durability
        lost = self._spans(TAIL_LOST)
        for each in report.failovers:
            lost += lost_spans(each, durability or "memory")
        replaced = [(each.struck_at, each.whole_at) for each in report.failovers]
        replaced += self._spans(REDIS_KILLED) if site.is_lazy else []
        self._violations += check(
            [*report.histories, self._final],
            logs,
            lost=lost,
            replaced=replaced,
            durability=durability,
            complete=complete,
            told=None if site.receiver is None else site.receiver.told,
        )

    async def _read(self, room: str) -> FinalLog:
        """Return the truth about a room, noting where the server disagrees with it."""
        site, asked_at = self.site, time.monotonic()
        auth = self.plan.make_auth(self._crowd.histories[0].user)
        url, connector = site.places[0].url, site.connector
        history = await read_history(url, auth, room, connector=connector)
        states = [asdict(each) for each in history.entries]
        self._final.records.append(Page(time.monotonic(), room, asked_at, states))
        if (redis := site.redis()) is None:
            return history
        log = await read_log(redis, room)
        if [*map(place_of, history.messages)] != [*map(place_of, log.messages)]:
            text = "what `history` gives differs from the messages in the log"
            self._violations.append(Violation("history", room, text))
        return replace(log, pins=history.pins, title=history.title)

    def _spans(self, kind: str) -> list[Span]:
        ended = [each for each in self._ended if each.kind == kind]
        return [(each.struck_at, each.ended_at) for each in ended]


def _name_rooms() -> list[str]:
    """Return names of rooms, each of another third of a cluster's slots."""
    while True:
        name = f"verify-{secrets.token_hex(4)}"
        rooms = [f"{name}-{number}" for number in range(1, ROOMS + 1)]
        slots = [slot_of_room(room) for room in rooms]
        if len({slot * ROOMS // SLOTS for slot in slots}) == ROOMS:
            return rooms
