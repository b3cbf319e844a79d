"""The port of a worker: a socket of its own that has the same port as the others'."""

import asyncio
import logging
import socket
import time
from contextlib import AsyncExitStack
from typing import Final

from aiohttp import web

from realtime.node.app import NODE
from realtime.node.arrivals import keep_silent_ones_out
from realtime.node.listening import LISTEN_BACKLOG, OwnPort
from realtime.node.settings import Settings
from realtime.tasks import TaskStack
from realtime.workers.balance import Balance
from realtime.workers.channel import Channel
from realtime.workers.company import NUMBERS, Company
from realtime.workers.moving import CONNECTION, Mover
from realtime.workers.seat import Seat
from realtime.workers.table import State, Table

# How often a worker says how it is, and looks at how the others are: 0.1 to 0.3 ms.
LOOK_SECONDS: Final = 0.2
# How often requests under way are counted; only while it goes.
LAST_LOOK_SECONDS: Final = 0.02

# For the answers that are under way when all clients were sent away: they tell, and
# their connections go to another worker.
LAST_SECONDS: Final = 2.0

_logger = logging.getLogger(__name__)


class WorkerPort(OwnPort):
    """One of the workers, as far as connections are concerned.

    Args:
        seat: Which one.
        settings: Its settings.
    """

    def __init__(self, seat: Seat, settings: Settings) -> None:
        super().__init__(settings, lambda _address: None)
        self._seat = seat
        self._table = Table(seat.table)
        self._row = self._table.rows[seat.row]
        self._company = Company(seat, self._table)
        self.neighbours = self._company
        self.name = f"worker {seat.slot}"
        self.tells_warnings = seat.slot == 0
        self._tasks = TaskStack()
        # By slot, the own one and those whose workers are missing.
        self._listening: dict[int, list[socket.socket]] = {}

    async def take(self, stack: AsyncExitStack) -> None:
        """Have the sockets, which were inherited."""
        self._by_slot = [
            [socket.socket(fileno=each) for each in slot] for slot in self._seat.sockets
        ]
        for each in (one for slot in self._by_slot for one in slot):
            # As what is duplicated from it; another worker may be faster to accept.
            each.setblocking(False)
            stack.callback(each.close)

    async def open(self, runner: web.AppRunner) -> None:
        """Listen to the others and to clients."""
        node, server = runner.app[NODE], runner.server
        if server is None:
            raise RuntimeError("the runner is not set up")
        engine = node.parts.server.eio.engine
        self._node = node
        self._channel = Channel(
            self._seat.path,
            self._seat.number,
            took=self._took,
            lost=lambda: self._mover.moved.update(("lost",)),
        )
        self._balance = Balance(self._table, self._row, lambda: len(engine.sessions))
        self._mover = Mover(
            server,
            number=self._seat.number,
            channel=self._channel,
            balance=self._balance,
            is_silent=self._table.is_silent,
            held=engine.held_bytes,
            arrivals=engine.admission.arrivals,
            prove=node.doors.prove,
        )
        self._company.meet(self._channel, self._mover.moved)
        self._channel.open()
        self._listen(self._seat.slot)
        self._say_how_it_is()
        self._tasks.start(self._look_on(), "worker")

    async def leave(self) -> None:
        """Take no more connections, and give the others those that are idle."""
        self._row.state = State.LEAVING
        for slot in list(self._listening):
            self._let_go(slot)
        # What was accepted in this turn of the loop begins in the next one.
        await asyncio.sleep(0)
        self._mover.leave()

    async def close(self) -> None:
        """Take nothing from the others any more, and give them the last connections."""
        self._channel.shut()
        self._mover.leave()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LAST_SECONDS
        # Looked at, as in a drain: counting costs the requests nothing this way.
        while self._mover.under_way and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(LAST_LOOK_SECONDS)
        self._channel.close()
        await self._tasks.aclose()

    def _took(self, kind: bytes, data: bytes, descriptor: int) -> None:
        if kind == CONNECTION:
            self._mover.take(data, descriptor)
        elif kind == NUMBERS:
            self._company.answer(self._node.metrics_text(), descriptor)
        else:
            raise ValueError(f"another worker sent {kind!r}")

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self._say_how_it_is()
            if self._row.state == State.LEAVING:
                # Heard of until the end: its sessions are still handed to it.
                continue
            self._stand_in()
            await self._bury()
            numbers = {row.number for row in self._table.rows if row.number}
            self._channel.forget_all_but(numbers)
            self._balance.forget_all_but(numbers)

    def _say_how_it_is(self) -> None:
        row = self._row
        row.heartbeat = time.monotonic()
        row.life = self._node.parts.lease.life.encode()
        self._balance.publish()
        if row.state != State.LEAVING:
            row.state = State.SERVING if self._node.not_ready() else State.READY

    def _listen(self, slot: int) -> None:
        """Take connections of a slot's sockets."""
        listeners = self._listening.setdefault(slot, [])
        for each in self._by_slot[slot]:
            keep_silent_ones_out(each)
            each.listen(LISTEN_BACKLOG)
            # A duplicate, which is closed when they are let go.
            listeners.append(each.dup())
            listeners[-1].setblocking(False)
            self._node.arrivals.listen(listeners[-1], self._mover.handler)

    def _let_go(self, slot: int) -> None:
        """Take no more connections of a slot; those that wait there stay."""
        for each in self._listening.pop(slot):
            self._node.arrivals.stop(each)

    def _stand_in(self) -> None:
        """Take the connections of slots whose worker is missing, in its place."""
        own, workers = self._seat.slot, len(self._by_slot)
        serving = {own, *(row.slot for row in self._table.serving())}
        # A slot is the next one's that serves: its own worker's, if that does.
        wanted = {
            slot
            for slot in range(workers)
            if own == min(serving, key=lambda each: (each - slot) % workers)
        }
        for slot in wanted - self._listening.keys():
            self._listen(slot)
        for slot in self._listening.keys() - wanted:
            self._let_go(slot)

    async def _bury(self) -> None:
        """End the sessions of workers that died, at once: the supervisor saw it."""
        first = next(iter(self._table.serving()), None)
        if first is None or first.number != self._row.number:
            return
        for index, row in enumerate(self._table.rows):
            if row.state == State.DEAD:
                number, life = row.number, row.life.decode()
                if life and not await self._node.parts.lease.bury(life):
                    return
                # The supervisor may have given it to another one meanwhile.
                if row.state == State.DEAD and row.number == number:
                    self._table.clear(index)
