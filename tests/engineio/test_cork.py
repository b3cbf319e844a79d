"""Messages that wait for what follows them: one write, and the order stays."""

import asyncio

from realtime.engineio.protocol import Reason
from tests.kit.raw_socket import RawSocket, raw_socket
from tests.kit.serving import serve
from tests.kit.waiting import DEADLINE_SECONDS, wait_until

PATH = "/engine.io/?EIO=4&transport=websocket"


async def test_a_broadcast_takes_along_what_is_kept() -> None:
    """A message and the ack of its sender: one packet on the network."""
    async with serve() as served, raw_socket(served.port, PATH) as socket:
        sid = await opened(socket)
        served.eio.engine.cork.is_corked = True
        served.eio.write_corked(sid, "ack 1")
        served.eio.write_corked(sid, "ack 2")
        served.eio.broadcast([sid], ["broadcast"])
        received = await asyncio.wait_for(socket.reader.read(65_536), DEADLINE_SECONDS)
        assert [text(received, at) for at in range(3)] == [
            "4broadcast",
            "4ack 1",
            "4ack 2",
        ]
        assert not served.eio.engine.cork.frames


async def test_all_other_ways_to_write_keep_the_order() -> None:
    """Whatever else is written next to a session goes behind what is kept of it."""
    async with serve() as served, raw_socket(served.port, PATH) as socket:
        sid = await opened(socket)
        session = served.eio.sockets[sid]
        cork = served.eio.engine.cork
        for number, write in enumerate(
            (
                lambda: served.eio.write(sid, "later"),
                lambda: session.send_packet("4later"),
                lambda: session.send_encoded(b"\x81\x064later", ["4later"]),
                cork.uncork,
            )
        ):
            cork.is_corked = True
            served.eio.write_corked(sid, f"kept {number}")
            write()
            assert await socket.text() == f"4kept {number}"
            if write != cork.uncork:
                assert await socket.text() == "4later"


async def test_nothing_is_kept_once_the_cork_is_pulled() -> None:
    """Most messages have nothing to wait for."""
    async with serve() as served, raw_socket(served.port, PATH) as socket:
        sid = await opened(socket)
        served.eio.engine.cork.is_corked = True
        served.eio.engine.cork.uncork()
        served.eio.write_corked(sid, "now")
        assert not served.eio.engine.cork.frames
        assert await socket.text() == "4now"


async def test_what_is_kept_is_written_before_the_end() -> None:
    """A session that is closed meanwhile still gets its ack, and is let go."""
    async with serve() as served, raw_socket(served.port, PATH) as socket:
        sid = await opened(socket)
        served.eio.engine.cork.is_corked = True
        served.eio.write_corked(sid, "ack")
        served.eio.close(sid, Reason.SERVER_DISCONNECT)
        assert not served.eio.engine.cork.frames
        assert await socket.text() == "4ack"
        assert await socket.close_code() == 1000


async def test_an_end_is_told_once_where_what_is_kept_does_not_fit() -> None:
    """A reader too slow for its own acks ends as a slow consumer, and only once."""
    async with (
        serve(write_buffer_bytes=100_000) as served,
        raw_socket(served.port, PATH) as socket,
    ):
        sid = await opened(socket)
        session = served.eio.sockets[sid]
        while session.unsent_bytes <= 100_000:
            served.eio.write(sid, "x" * 60_000)
        served.eio.engine.cork.is_corked = True
        served.eio.write_corked(sid, "x" * 60_000)
        session.close(Reason.CLIENT_DISCONNECT)
        await wait_until(lambda: served.ended, "the end is told")
        assert served.ended == [(sid, Reason.SLOW_CONSUMER)]
        sid = await served.open_polling()
        served.eio.close(sid)
        await wait_until(lambda: len(served.ended) > 1, "another one ends")
        assert served.ended[1][0] == sid


async def test_a_poll_gets_it_without_waiting() -> None:
    """Polls are answered once with all there is: nothing is gained by waiting."""
    async with serve() as served:
        sid = await served.open_polling()
        served.eio.engine.cork.is_corked = True
        served.eio.write_corked(sid, "ack")
        assert await served.poll(sid) == (200, "4ack")


async def opened(socket: RawSocket) -> str:
    """Read the handshake and return the session's id."""
    return (await socket.text()).split('"sid":"')[1].split('"')[0]


def text(frames: bytes, number: int) -> str:
    """Return the payload of one of several short frames."""
    at = 0
    for _ in range(number):
        at += 2 + frames[at + 1]
    return frames[at + 2 : at + 2 + frames[at + 1]].decode()
