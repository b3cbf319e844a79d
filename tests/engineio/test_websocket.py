"""The WebSocket transport: messages, control frames, ends, and broken clients."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from socket import SO_LINGER, SOL_SOCKET

import pytest

from realtime.engineio.protocol import Reason
from realtime.engineio.websocket_writer import NO_SOCKET
from tests.kit.raw_socket import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    RawSocket,
    client_frame,
    raw_socket,
)
from tests.kit.serving import UPGRADE, Served, serve
from tests.kit.waiting import MS, wait_until


def only_sid(served: Served) -> str:
    """Return the id of the one session."""
    (sid,) = served.eio.sockets
    return sid


async def test_messages_of_both_kinds() -> None:
    """Texts have a packet type, binary frames are messages as they are."""
    async with (
        serve() as served,
        raw_socket(served.port, served.path("websocket")) as socket,
    ):
        await socket.text()
        socket.send("4hällo")
        assert await socket.text() == "4hällo"
        socket.send(b"\x00\xff", BINARY)
        assert await socket.frame() == (BINARY, b"\x00\xff")


@asynccontextmanager
async def in_one_segment(served: Served, frames: bytes) -> AsyncIterator[RawSocket]:
    """Open a WebSocket with the frames right behind the HTTP request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    lines = [f"GET {served.path('websocket')} HTTP/1.1", "Host: a"]
    lines += [f"{name}: {value}" for name, value in UPGRADE.items()]
    writer.write("\r\n".join([*lines, "\r\n"]).encode() + frames)
    try:
        await reader.readuntil(b"\r\n\r\n")
        yield RawSocket(reader, writer)
    finally:
        writer.close()


async def test_frames_behind_the_handshake_are_not_lost() -> None:
    """What comes in one segment with the HTTP request is read as frames."""
    both = client_frame("4a") + client_frame("4b")
    async with serve() as served, in_one_segment(served, both) as socket:
        assert (await socket.text())[0] == "0"
        assert [await socket.text() for _ in range(2)] == ["4a", "4b"]
        assert served.messages == ["a", "b"]


@pytest.mark.parametrize(
    ("frame", "code", "reason"),
    [
        (client_frame("1"), 1000, Reason.CLIENT_DISCONNECT),
        (client_frame("broken"), 1002, Reason.PARSE_ERROR),
        (client_frame(b"\x03\xe8", CLOSE), 1000, Reason.TRANSPORT_CLOSE),
    ],
    ids=["close packet", "no packet", "close frame"],
)
async def test_an_end_behind_the_handshake(
    frame: bytes, code: int, reason: str
) -> None:
    """A session that ends with its first frame leaves no open connection behind."""
    async with (
        serve(close_timeout=100 * MS) as served,
        in_one_segment(served, frame) as socket,
    ):
        assert (await socket.text())[0] == "0"
        assert await socket.close_code() == code
        assert await socket.ended()
        await wait_until(lambda: served.ended, "the end is told")
        assert [told for _sid, told in served.ended] == [reason]
        await wait_until(
            lambda: not served.eio.engine.context.closing, "nobody is waited for"
        )


async def test_pings_and_pongs() -> None:
    """A ping frame is answered with its payload, a stray pong ignored."""
    async with (
        serve() as served,
        raw_socket(served.port, served.path("websocket")) as socket,
    ):
        await socket.text()
        socket.send(b"nobody asked", PONG)
        socket.send(b"are you there", PING)
        assert await socket.frame() == (PONG, b"are you there")


async def test_client_closes() -> None:
    """The close frame is answered with its code, and the server hangs up."""
    async with serve() as served:
        async with raw_socket(served.port, served.path("websocket")) as socket:
            await socket.text()
            sid = only_sid(served)
            socket.send(struct.pack(">H", 3001) + b"bye", CLOSE)
            assert await socket.close_code() == 3001
            assert await socket.ended()
        assert served.reasons(sid) == [Reason.TRANSPORT_CLOSE]


async def test_close_packet() -> None:
    """Engine.IO's close packet is answered by closing the WebSocket."""
    async with serve() as served:
        async with raw_socket(served.port, served.path("websocket")) as socket:
            await socket.text()
            sid = only_sid(served)
            socket.send("1")
            assert await socket.close_code() == 1000
            assert len(served.eio.engine.context.closing) == 1, (
                "the client's answer is awaited"
            )
            socket.send(struct.pack(">H", 1000), CLOSE)
            assert await socket.ended()
        assert served.reasons(sid) == [Reason.CLIENT_DISCONNECT]


async def test_server_closes_a_client_that_does_not_answer() -> None:
    """The connection is cut after close_timeout, and the end is told at once."""
    async with serve(close_timeout=50 * MS) as served:
        async with raw_socket(served.port, served.path("websocket")) as socket:
            await socket.text()
            sid = only_sid(served)
            served.eio.close(sid, "because")
            assert await socket.close_code() == 1000
            await wait_until(lambda: served.ended, "the end is told")
            assert await socket.ended()
        assert served.reasons(sid) == ["because"]


async def test_connection_lost() -> None:
    """A client that just goes is noticed."""
    async with serve() as served:
        async with raw_socket(served.port, served.path("websocket")) as socket:
            await socket.text()
            sid = only_sid(served)
        await wait_until(lambda: served.ended, "the end is told")
        assert served.reasons(sid) == [Reason.TRANSPORT_CLOSE]


def nested(depth: int) -> bytes:
    return client_frame("4" + "[" * depth)


BROKEN = {
    "unmasked": (client_frame("4x", mask=False), 1002),
    "reserved bits": (b"\xf1\x82\0\0\0\x004x", 1002),
    "unknown opcode": (client_frame("4x", 3), 1002),
    "continues nothing": (client_frame("x", 0), 1002),
    "fragmented ping": (client_frame("x", PING, fin=False), 1002),
    "long ping": (client_frame("x" * 200, PING), 1002),
    "bad UTF-8": (client_frame(b"4\xff"), 1007),
    "bad close code": (client_frame(struct.pack(">H", 1006), CLOSE), 1002),
    "one byte of a close code": (client_frame(b"x", CLOSE), 1002),
    "too big": (client_frame("4" + "x" * 1_000_000), 1009),
    "too big by fragments": (
        client_frame("4" + "x" * 600_000, fin=False) + client_frame("x" * 600_000, 0),
        1009,
    ),
    "announced too big": (struct.pack(">BBQ", 0x81, 0xFF, 2**62), 1009),
    "empty packet": (client_frame(""), 1002),
    "unknown packet": (client_frame("abc"), 1002),
    "ping from a client": (client_frame("2"), 1002),
    "open from a client": (client_frame("0{}"), 1002),
    "base64": (client_frame("bAQID"), 1002),
}


@pytest.mark.parametrize("what", BROKEN)
async def test_broken_clients_get_the_right_close(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each breach ends the connection with its code, and nothing is logged."""
    stream, code = BROKEN[what]
    async with serve() as served:
        async with raw_socket(served.port, served.path("websocket")) as socket:
            await socket.text()
            sid = only_sid(served)
            socket.writer.write(stream)
            assert await socket.close_code() == code
            assert await socket.ended()
        await wait_until(lambda: served.ended, "the end is told")
        assert served.reasons(sid) == [Reason.PARSE_ERROR]
        assert not served.messages
    assert not caplog.records


async def test_deep_nesting_is_just_a_text() -> None:
    """A hundred thousand brackets are a message, and no trouble."""
    async with (
        serve(echo=False) as served,
        raw_socket(served.port, served.path("websocket")) as socket,
    ):
        await socket.text()
        socket.writer.write(nested(100_000))
        await wait_until(lambda: served.messages, "it is handled")


async def test_a_reader_that_stops_is_cut_off() -> None:
    """Over its bound of unsent bytes a session ends as a slow consumer."""
    async with (
        serve(write_buffer_bytes=100_000) as served,
        raw_socket(served.port, served.path("websocket")) as socket,
    ):
        await socket.text()
        sid = only_sid(served)
        socket.writer.transport.pause_reading()  # type: ignore[attr-defined]

        def flooded() -> bool:
            served.eio.write(sid, "x" * 60_000)
            return bool(served.ended)

        await wait_until(flooded, "the session ends")
        assert served.reasons(sid) == [Reason.SLOW_CONSUMER]
        assert served.limits_met == {"write_buffer_bytes": 1}
        served.eio.write(sid, "into the void")


async def test_broadcasts_come_in_order_and_whole() -> None:
    """Several messages to many sessions, over both transports."""
    async with serve() as served:
        polling = await served.open_polling()
        async with raw_socket(served.port, served.path("websocket")) as socket:
            await socket.text()
            sids = list(served.eio.sockets)
            served.eio.broadcast([*sids, "nobody"], ["one", b"\x01\x02", "zwei"])
            assert await socket.frame() == (TEXT, b"4one")
            assert await socket.frame() == (BINARY, b"\x01\x02")
            assert await socket.frame() == (TEXT, b"4zwei")
        assert await served.poll(polling) == (200, "4one\x1ebAQI=\x1e4zwei")


async def test_a_broadcast_waits_behind_what_the_socket_did_not_take() -> None:
    """Broadcasts and messages keep their order when a client reads late."""
    async with (
        serve(write_buffer_bytes=64_000_000) as served,
        raw_socket(served.port, served.path("websocket")) as socket,
    ):
        await socket.text()
        sid = only_sid(served)
        sent: list[str] = []
        while served.eio.sockets[sid].socket_number != NO_SOCKET or len(sent) < 20:
            sent.append(f"{len(sent)}:" + "x" * 60_000)
            served.eio.broadcast([sid], [sent[-1]])
        for number in range(3):
            sent += [f"broadcast {number}", f"message {number}"]
            served.eio.broadcast([sid], [sent[-2]])
            served.eio.write(sid, sent[-1])
        for text in sent:
            assert await socket.text() == f"4{text}"
        await wait_until(
            lambda: served.eio.sockets[sid].socket_number != NO_SOCKET,
            "broadcasts go straight to the socket again",
        )
        served.eio.broadcast([sid], ["last"])
        assert await socket.text() == "4last"


async def test_no_broadcast_to_a_descriptor_that_was_closed() -> None:
    """Once a session has ended nothing is written to its old descriptor."""
    async with serve() as served:
        async with raw_socket(served.port, served.path("websocket")) as socket:
            await socket.text()
            (session,) = served.eio.sockets.values()
            assert session.socket_number != NO_SOCKET
        await wait_until(lambda: bool(served.ended), "the session ends")
        assert session.socket_number == NO_SOCKET


async def test_a_broadcast_to_a_broken_connection_ends_its_session() -> None:
    """A client that reset the connection costs the others nothing."""
    async with serve() as served:
        async with raw_socket(served.port, served.path("websocket")) as broken:
            await broken.text()
            sid = only_sid(served)
            connection = broken.writer.get_extra_info("socket")
            linger = struct.pack("ii", 1, 0)  # on, without waiting: a reset
            connection.setsockopt(SOL_SOCKET, SO_LINGER, linger)
            broken.writer.transport.abort()
            # The loop closes the client's socket, and does not look at the server's.
            await asyncio.sleep(0)
            served.eio.broadcast([sid], ["into the void"])
            await wait_until(lambda: bool(served.ended), "the session ends")
        assert served.reasons(sid)


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_one_message_may_be_longer_than_the_bound(transport: str) -> None:
    """A long answer is no sign of a slow reader."""
    async with serve(write_buffer_bytes=1_000) as served:
        text = "x" * 20_000_000
        if transport == "polling":
            sid = await served.open_polling()
            served.eio.write(sid, text)
            assert await served.poll(sid) == (200, "4" + text)
            return
        async with raw_socket(served.port, served.path("websocket")) as socket:
            await socket.text()
            served.eio.write(only_sid(served), text)
            assert len(await socket.text()) == len(text) + 1
            assert not served.ended


@pytest.mark.parametrize("waits", [False, True], ids=["nothing waits", "some waits"])
async def test_what_surrounds_a_long_answer_cuts_nobody_off(waits: bool) -> None:
    """Who missed much gets it, however busy the room is meanwhile."""
    async with (
        serve(write_buffer_bytes=100_000) as served,
        raw_socket(served.port, served.path("websocket")) as socket,
    ):
        await socket.text()
        sid = only_sid(served)
        session = served.eio.sockets[sid]
        sent: list[str] = []
        while waits and session.socket_number != NO_SOCKET:
            sent.append("x" * 60_000)
            served.eio.write(sid, sent[-1])
        sent.append("x" * 20_000_000)
        served.eio.write(sid, sent[-1])
        for number in range(30):
            sent.append(f"{number}:" + "x" * 1_000)
            served.eio.broadcast([sid], [sent[-1]])
        session.ping()
        for text in sent:
            assert await socket.text() == f"4{text}"
        assert await socket.text() == "2"
        assert not served.ended


@pytest.mark.parametrize("size", [60_000, 20_000_000])
async def test_the_bound_holds_behind_a_long_answer(size: int) -> None:
    """One long message is let through; behind it as much may wait as ever."""
    async with (
        serve(write_buffer_bytes=100_000) as served,
        raw_socket(served.port, served.path("websocket")) as socket,
    ):
        await socket.text()
        sid = only_sid(served)
        served.eio.write(sid, "x" * 20_000_000)
        session = served.eio.sockets[sid]
        assert not session.closed
        # Some of the answer is in the kernel's buffers: so much less is waiting.
        for _ in range(20_000_000 // size):
            served.eio.write(sid, "x" * size)
        assert session.closed
        await wait_until(lambda: served.ended, "the session ends")
        assert served.reasons(sid) == [Reason.SLOW_CONSUMER]
