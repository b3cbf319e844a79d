"""One run: clients chat, faults strike, all settle, the checker has the last word."""

import asyncio
import secrets
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from realtime.start_error import StartError
from realtime.verify.check_presence import presence_error
from realtime.verify.checker import by_gravity, check
from realtime.verify.crowd import SEND_SECONDS, Crowd, MakeAuth
from realtime.verify.deployment import NODE_COMMAND, Deployment
from realtime.verify.faults import CLIENT_KINDS, KINDS, TAIL_LOST, Fault, last
from realtime.verify.figures import Ended, figures
from realtime.verify.final_log import FinalLog, Violation
from realtime.verify.keeping import keep
from realtime.verify.read_logs import read_history, read_log
from realtime.verify.report import Report
from realtime.verify.schedule import Planned
from realtime.verify.schedule import plan as draw_schedule
from realtime.verify.site import RemoteSite, Site, switchboard

READY_SECONDS = 20.0
"""Deadline of the first connects, before anything is at fault."""

SETTLE_SECONDS = 30.0
"""Deadline after the last fault until everybody has everything. Far above what is
promised, so that what is missing then is missing for good."""

PRESENCE_SECONDS = 15.0
"""Deadline until a killed node's sessions are off all lists, as it is promised."""

RELEASED_SECONDS = 10.0
"""Deadline until nodes have let go of connections: over two heartbeats of theirs."""

SPARE_DESCRIPTORS = 3
"""What a node may open later than its start: a connection to Redis that was away."""

LOOK_SECONDS = 0.1
"""Between two looks whether all have settled."""

TELL_SECONDS = 5.0
"""Between two words of progress."""

ROOMS = 3
"""Rooms of a run: enough that nodes are without sessions in some of them."""

Tell = Callable[[str], None]


def dev_auth(user: str) -> dict[str, object]:
    """Return what development mode takes."""
    return {"user": user}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run consists of.

    Attributes:
        seed: Decides what clients do and when which fault strikes.
        seconds: How long faults strike; starting and settling come on top.
        clients: How many Python clients, at least two.
        web_clients: How many web clients; they need a checkout and Node.
        nodes: How many are started; of no matter with ``urls``.
        urls: The user's own nodes; none: the run starts its own.
        kinds: Faults that may strike.
        schedule: The faults, if they are not to be drawn from the seed.
        send_seconds: Mean time between two messages of one client.
        command: What runs the ``chatroom`` command of the nodes.
        make_auth: Returns a user's credentials.
        settle_seconds: Time after the last fault until everybody has everything.
        histories: Folder for the histories and the logs, to look into afterwards.
    """

    seed: int
    seconds: float
    clients: int = 8
    web_clients: int = 0
    nodes: int = 3
    urls: Sequence[str] = ()
    kinds: Sequence[str] = KINDS
    schedule: Sequence[Planned] | None = None
    send_seconds: float = SEND_SECONDS
    command: Sequence[str] = NODE_COMMAND
    make_auth: MakeAuth = field(default=dev_auth)
    settle_seconds: float = SETTLE_SECONDS
    histories: Path | None = None


async def run_trial(plan: Plan, tell: Tell) -> Report:
    """Carry a plan out and return what came of it.

    Args:
        plan: What to do.
        tell: Takes a line of progress now and then.

    Raises:
        StartError: It could not begin: a node does not start or cannot be reached.
    """
    async with AsyncExitStack() as stack:
        if plan.urls:
            remote = await stack.enter_async_context(RemoteSite(plan.urls))
            return await Trial(plan, remote, tell, web_url=plan.urls[0]).run()
        prefix = "chatroom-verify-"
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix))
        own = Deployment(Path(folder), nodes=plan.nodes, command=plan.command)
        await stack.enter_async_context(own)
        line = switchboard(own, plan.seed)
        web_url = f"http://127.0.0.1:{await line.listen_tcp()}"
        stack.push_async_callback(line.aclose)
        return await Trial(plan, own, tell, web_url=web_url).run()


class Trial:
    """A run on a site that is up.

    Args:
        plan: What to do.
        site: Where.
        tell: Takes a line of progress now and then.
        web_url: Where web clients connect.
    """

    def __init__(self, plan: Plan, site: Site, tell: Tell, *, web_url: str) -> None:
        self._plan = plan
        self._site = site
        self._tell = tell
        name = f"verify-{secrets.token_hex(4)}"
        self.rooms = [f"{name}-{number}" for number in range(1, ROOMS + 1)]
        self.crowd = Crowd(
            plan.seed,
            clients=plan.clients,
            web_clients=plan.web_clients,
            web_url=web_url,
            rooms=self.rooms,
            nodes=[place.url for place in site.places],
            make_auth=plan.make_auth,
            send_seconds=plan.send_seconds,
            resolver=site.resolver if isinstance(site, RemoteSite) else None,
        )
        self._schedule = plan.schedule
        if self._schedule is None:
            own = isinstance(site, Deployment)
            self._schedule = draw_schedule(
                plan.seed,
                seconds=plan.seconds,
                nodes=len(site.places),
                kinds=[kind for kind in plan.kinds if own or kind in CLIENT_KINDS],
            )
        self._ended: list[Ended] = []
        self._striking: list[str] = []
        self._violations: list[Violation] = []

    async def run(self) -> Report:
        """Run to the end and check.

        Raises:
            StartError: Not all clients get connected, before any fault.
        """
        async with asyncio.TaskGroup() as tasks:
            chatting = tasks.create_task(self.crowd.run(), name="crowd")
            telling = tasks.create_task(self._tell_progress(), name="progress")
            absent = await self._settled(READY_SECONDS)
            unsettled = [] if absent else await self._course()
            chatting.cancel()
            telling.cancel()
        if absent:
            raise StartError("Not all clients get connected:\n" + "\n".join(absent))
        await self._check_released()
        histories = [recorder.history for recorder in self.crowd.recorders]
        logs = await self._read_logs()
        if self._plan.histories is not None:
            keep(self._plan.histories, histories, logs)
        self._tell("Comparing the histories with the log ...")
        lost = [
            (fault.struck_at, fault.ended_at)
            for fault in self._ended
            if fault.kind == TAIL_LOST
        ]
        self._violations += check(histories, logs, lost=lost, complete=not unsettled)
        self._violations += [Violation("settled", "-", text) for text in unsettled]
        return Report(
            seed=self._plan.seed,
            seconds=self._plan.seconds,
            clients=len(histories),
            nodes=len(self._site.places),
            figures=figures(histories, self._ended),
            faults=self._ended,
            violations=by_gravity(self._violations),
        )

    async def _course(self) -> list[str]:
        """From the first message until all have settled; returns what has not."""
        began = time.monotonic()
        self.crowd.start_chatting()
        self._tell(f"{len(self.crowd.recorders)} clients chat; faults strike.")
        async with asyncio.TaskGroup() as faults:
            for planned in self._schedule or ():
                await asyncio.sleep(began + planned.at - time.monotonic())
                faults.create_task(self._strike(planned.fault), name=planned.fault.kind)
            await asyncio.sleep(began + self._plan.seconds - time.monotonic())
        self._tell("No more faults; waiting until everybody has everything ...")
        self.crowd.stop_chatting()
        unsettled = await self._settled(self._plan.settle_seconds)
        if not unsettled:
            await self._check_presence()
        return unsettled

    async def _strike(self, fault: Fault) -> None:
        struck_at = time.monotonic()
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

    async def _check_presence(self) -> None:
        """Give killed nodes' sessions the time to be swept, then look who is here."""
        if not isinstance(self._site, Deployment):
            return
        redis = self._site.valkey.admin
        deadline = time.monotonic() + PRESENCE_SECONDS
        for room in self.rooms:
            here = self.crowd.attending(room)
            while error := await presence_error(redis, room, here):
                if time.monotonic() > deadline:
                    self._violations.append(Violation("presence", room, error))
                    break
                await asyncio.sleep(LOOK_SECONDS)

    async def _check_released(self) -> None:
        """When all clients are gone, look what the nodes still hold."""
        if not isinstance(self._site, Deployment):
            return
        deadline = time.monotonic() + RELEASED_SECONDS
        for slot in self._site.slots:
            while slot.process.descriptors_more() > SPARE_DESCRIPTORS:
                if time.monotonic() > deadline:
                    more = slot.process.descriptors_more()
                    text = f"{slot.name} has {more} more descriptors open than at first"
                    self._violations.append(Violation("released", "-", text))
                    break
                await asyncio.sleep(LOOK_SECONDS)

    async def _tell_progress(self) -> None:
        while True:
            await asyncio.sleep(TELL_SECONDS)
            shown = sum(len(each.history.records) for each in self.crowd.recorders)
            striking = ", ".join(self._striking) or "none now"
            self._tell(f"{shown} records; {len(self._ended)} faults over, {striking}")

    async def _read_logs(self) -> list[FinalLog]:
        """Return the truth about each room; note where the server disagrees with it."""
        resolver = self._site.resolver if isinstance(self._site, RemoteSite) else None
        member = self.crowd.recorders[0].history.user
        url = self._site.places[0].url
        auth = self._plan.make_auth(member)
        logs: list[FinalLog] = []
        for room in self.rooms:
            history = await read_history(url, auth, room, resolver=resolver)
            if not isinstance(self._site, Deployment):
                logs.append(history)
                continue
            log = await read_log(self._site.valkey.admin, room)
            logs.append(log)
            if history.messages != log.messages:
                text = "what `history` gives differs from the messages in the log"
                self._violations.append(Violation("history", room, text))
        if isinstance(self._site, Deployment):
            for node, text in self._site.tracebacks().items():
                self._violations.append(Violation("quiet", "-", f"{node}: {text}"))
        return logs
