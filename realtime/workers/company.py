"""A worker among the others: what is asked of one of them and concerns all."""

import asyncio
import socket
from collections.abc import Mapping, Sequence
from typing import Final

from realtime.engineio.event_loop import adopt
from realtime.node.neighbours import Neighbours
from realtime.workers.channel import Busy, Channel
from realtime.workers.counts import SharedCounts
from realtime.workers.scrape import family, join
from realtime.workers.seat import Seat
from realtime.workers.table import TROUBLES, Row, Table
from realtime.workers.tokens import SharedPlaces

# The kind of a message that asks for numbers; the descriptor is where to write them.
NUMBERS: Final = b"n"

# Time for the numbers of another worker: one that hangs must not hold up the others'.
NUMBERS_SECONDS: Final = 0.5
# Most of them: a text has some 50 KB.
NUMBERS_BYTES: Final = 4 * 1024 * 1024


class Company(Neighbours):
    """The other workers, as a node sees them.

    Args:
        seat: Which worker this is.
        table: What all of them say.
    """

    def __init__(self, seat: Seat, table: Table) -> None:
        self._seat = seat
        self._table = table
        self._own = table.rows[seat.row]
        self._channel: Channel | None = None
        self._moved: Mapping[str, int] = {}
        self.sid_mark = seat.number
        self.elsewhere = SharedCounts(table, seat.row)
        self.decoders = SharedPlaces(seat.places, self._own)

    def meet(self, channel: Channel, moved: Mapping[str, int]) -> None:
        """Take note of the way to the others, and of what was handed over."""
        self._channel = channel
        self._moved = moved

    def trouble(self) -> str | None:
        """Return why the embedded Valkey stores nothing; the supervisor knows."""
        return TROUBLES[self._table.head.trouble]

    def not_ready(self, own: Sequence[str]) -> Sequence[str]:
        """Return why nobody should come: none of the workers could serve them.

        One that could not hands new clients to those that can.
        """
        if self._table.head.stopping:
            return own or ["The node is going down."]
        return [] if any(self._table.ready()) else own

    def warnings(self, own: Sequence[str]) -> Sequence[str]:
        """Return what does not work, and which workers do not."""
        found = {row.slot for row in self._table.ready()}
        missing = sorted(set(range(self._table.head.workers)) - found)
        return [*own, *(f"Worker {slot} is not ready." for slot in missing)]

    async def metrics(self, own: bytes) -> bytes:
        """Return the numbers of all workers, with the label ``worker``."""
        own += self._moves()
        rows = {row.slot: row for row in self._table.serving()}
        texts = await asyncio.gather(*(self._ask(row, own) for row in rows.values()))
        found = {
            slot: text
            for slot, text in zip(rows, texts, strict=True)
            if text is not None
        }
        return join(found) + self._state(found)

    def answer(self, own: bytes, descriptor: int) -> None:
        """Write this worker's numbers to whoever asks for them."""
        adopt(socket.socket(fileno=descriptor), _Written(own + self._moves()))

    async def _ask(self, row: Row, own: bytes) -> bytes | None:
        if row.number == self._seat.number:
            return own
        if self._channel is None:
            return None
        here, there = socket.socketpair()
        with there:
            try:
                if not self._channel.send(row.number, NUMBERS, b"", there.fileno()):
                    here.close()
                    return None
            except Busy:
                here.close()
                return None
        reader, writer = await asyncio.open_connection(sock=here, limit=NUMBERS_BYTES)
        try:
            async with asyncio.timeout(NUMBERS_SECONDS):
                return await reader.read()
        except (OSError, TimeoutError):
            return None
        finally:
            writer.transport.abort()

    def _moves(self) -> bytes:
        return family(
            "chatroom_moved_total",
            "counter",
            "HTTP connections handed from one worker to another, or not, by outcome.",
            (
                f'chatroom_moved_total{{outcome="{name}"}} {count}'
                for name, count in self._moved.items()
            ),
        ).encode()

    def _state(self, found: Mapping[int, bytes]) -> bytes:
        head = self._table.head
        slots = range(head.workers)
        up, starts = "chatroom_worker_up", "chatroom_worker_starts_total"
        reloads = "chatroom_worker_reloads_total"
        return "".join(
            (
                family(
                    up,
                    "gauge",
                    "1 while a worker answers.",
                    (f'{up}{{worker="{slot}"}} {int(slot in found)}' for slot in slots),
                ),
                family(
                    starts,
                    "counter",
                    "Times that a worker was started.",
                    (
                        f'{starts}{{worker="{slot}"}} {head.starts[slot]}'
                        for slot in slots
                    ),
                ),
                family(
                    reloads,
                    "counter",
                    "Times that all workers were to be replaced, by what came of it.",
                    (
                        f'{reloads}{{outcome="done"}} {head.reloads}',
                        f'{reloads}{{outcome="failed"}} {head.failed_reloads}',
                    ),
                ),
            )
        ).encode()


class _Written(asyncio.Protocol):
    """Writes a text and hangs up."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        to: asyncio.Transport = transport  # type: ignore[assignment] # always
        to.write(self._text)
        to.close()
