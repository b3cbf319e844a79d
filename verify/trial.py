"""One round: clients chat, faults strike, all settle, the checker has the last word."""

import asyncio
import secrets
import time
from collections.abc import Sequence

from realtime.start_error import StartError
from verify.aftermath import (
    LOOK_SECONDS,
    check_presence,
    check_quiet,
    check_released,
    read_logs,
)
from verify.census import Census
from verify.checker import by_gravity, check
from verify.crowd import Crowd
from verify.failover_figures import failover_figures
from verify.failovers import Failover, lost_spans
from verify.faults import (
    REDIS_KILLED,
    TAIL_LOST,
    Fault,
    can_strike,
    last,
    turn,
)
from verify.figures import Ended, figures
from verify.final_log import Violation
from verify.history import Span
from verify.keeping import keep
from verify.node_watch import NodeWatch
from verify.plan import Plan, Tell
from verify.report import Report
from verify.schedule import plan as draw_schedule
from verify.site import Site

READY_SECONDS = 20.0
"""Deadline of the first connects, before anything is at fault."""

TELL_SECONDS = 5.0
"""Between two words of progress."""

ROOMS = 3
"""Rooms of a round: enough that nodes are without sessions in some of them."""


class Trial:
    """A round on a site that is up.

    Args:
        plan: What to do.
        site: Where.
        tell: Takes a line of progress now and then.
        web_url: Where web clients connect.
        watch: Reads the nodes' numbers.
        census: Knows what nodes may hold when all clients are gone.
    """

    def __init__(
        self,
        plan: Plan,
        site: Site,
        tell: Tell,
        *,
        web_url: str,
        watch: NodeWatch,
        census: Census,
    ) -> None:
        self._plan = plan
        self._site = site
        self._tell = tell
        self._watch = watch
        self._census = census
        name = f"verify-{secrets.token_hex(4)}"
        self.rooms = [f"{name}-{number}" for number in range(1, ROOMS + 1)]
        self.crowd = Crowd(
            plan.seed,
            clients=plan.clients,
            web_clients=plan.web_clients,
            web_url=web_url,
            ca=plan.ca,
            rooms=self.rooms,
            nodes=[place.url for place in site.places],
            make_auth=plan.make_auth,
            send_seconds=plan.send_seconds,
            connector=site.connector,
        )
        self._schedule = plan.schedule
        if self._schedule is None:
            self._schedule = draw_schedule(
                plan.seed,
                seconds=plan.seconds,
                nodes=len(site.places),
                kinds=[kind for kind in plan.kinds if can_strike(site, kind)],
                spared=plan.spared,
            )
        self._known_failovers = len(site.failovers)
        self._ended: list[Ended] = []
        self._striking: list[str] = []
        self._violations: list[Violation] = []

    async def run(self) -> Report:
        """Run to the end and check.

        Raises:
            StartError: Not all clients get connected, before any fault.
        """
        self._watch.begin()
        async with asyncio.TaskGroup() as tasks:
            chatting = tasks.create_task(self.crowd.run(), name="crowd")
            telling = tasks.create_task(self._tell_progress(), name="progress")
            absent = await self._settled(READY_SECONDS)
            unsettled = [] if absent else await self._course()
            chatting.cancel()
            telling.cancel()
        if absent:
            raise StartError("Not all clients get connected:\n" + "\n".join(absent))
        self._tell("All clients leave; looking what nodes still hold ...")
        calm, kept = await check_released(
            self._watch, self._census, seconds=self._plan.released_seconds
        )
        self._violations += kept
        await self._compare(unsettled)
        return Report(
            seed=self._plan.seed,
            seconds=self._plan.seconds,
            clients=len(self.crowd.recorders),
            nodes=len(self._site.places),
            figures=figures(self.crowd.histories, self._ended),
            faults=self._ended,
            violations=by_gravity(self._violations),
            failovers=failover_figures(
                self.crowd.histories, self._failovers, self._ended
            ),
            lag=self._watch.lag(),
            calm=calm,
        )

    @property
    def _failovers(self) -> Sequence[Failover]:
        """Those of this round."""
        return self._site.failovers[self._known_failovers :]

    async def _course(self) -> list[str]:
        """From the first message until all have settled; returns what has not."""
        began = time.monotonic()
        self.crowd.start_chatting()
        self._tell(f"{len(self.crowd.recorders)} clients chat; faults strike.")
        async with asyncio.TaskGroup() as faults:
            until = began + self._plan.seconds
            for planned in self._schedule or ():
                await asyncio.sleep(began + planned.at - time.monotonic())
                striking = self._strike(planned.fault, until)
                faults.create_task(striking, name=planned.fault.kind)
            await asyncio.sleep(until - time.monotonic())
        self._tell("No more faults; waiting until everybody has everything ...")
        self.crowd.stop_chatting()
        unsettled = await self._settled(self._plan.settle_seconds)
        if not unsettled:
            attending = {room: self.crowd.attending(room) for room in self.rooms}
            self._violations += await check_presence(self._site, attending)
        return unsettled

    async def _strike(self, fault: Fault, until: float) -> None:
        async with turn(self._site, fault):
            struck_at = time.monotonic()
            if struck_at > until:
                # What it strikes was not whole again in time.
                return
            self._striking.append(fault.kind)
            try:
                await last(self._site, fault)
            finally:
                self._striking.remove(fault.kind)
            self._ended.append(Ended(fault.kind, struck_at, time.monotonic()))

    async def _settled(self, seconds: float) -> list[str]:
        deadline = time.monotonic() + seconds
        # Looked at from outside: what settles is in eight clients and three nodes.
        while (waiting := self.crowd.unsettled()) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)
        return waiting

    async def _compare(self, unsettled: list[str]) -> None:
        """Hold what clients wrote down against what the server says at the end."""
        histories = self.crowd.histories
        auth = self._plan.make_auth(histories[0].user)
        logs, wrong = await read_logs(self._site, self.rooms, auth)
        self._violations += wrong + check_quiet(self._site)
        if self._plan.histories is not None:
            keep(self._plan.histories, histories, logs)
        self._tell("Comparing the histories with the log ...")
        durability = self._site.durability
        lost = [
            (fault.struck_at, fault.ended_at)
            for fault in self._ended
            if fault.kind == TAIL_LOST
        ]
        for each in self._failovers:
            lost += lost_spans(each, durability or "memory")
        self._violations += check(
            histories,
            logs,
            lost=lost,
            replaced=self._replaced(),
            durability=durability,
            complete=not unsettled,
        )
        self._violations += [Violation("settled", "-", text) for text in unsettled]

    def _replaced(self) -> list[Span]:
        """Return when Redis lost, or may have lost, what was not acknowledged yet."""
        spans = [(each.struck_at, each.whole_at) for each in self._failovers]
        if self._site.is_lazy:
            spans += [
                (fault.struck_at, fault.ended_at)
                for fault in self._ended
                if fault.kind == REDIS_KILLED
            ]
        return spans

    async def _tell_progress(self) -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            shown = sum(len(history.records) for history in self.crowd.histories)
            striking = ", ".join(self._striking) or "none now"
            self._tell(f"{shown} records; {len(self._ended)} faults over, {striking}")
