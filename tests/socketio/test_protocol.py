"""The Socket.IO v5 protocol, frame by frame, over a WebSocket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from realtime.socketio.attachments import HalfPackets
from realtime.socketio.deferred_ack import DeferredAck
from realtime.socketio.server import RESERVED_EVENTS, ChatroomServer
from tests.kit.raw_socket import BINARY, RawSocket, client_frame, raw_socket
from tests.kit.serving import serve_socketio
from tests.kit.waiting import DEADLINE_SECONDS, MS, wait_until

PATH = "/socket.io/?EIO=4&transport=websocket"
# Short, and longer than the machine takes for what is due before it.
CONNECT_SECONDS = 500 * MS


class Chat:
    """A Socket.IO server with a few handlers, and a raw connection to it."""

    def __init__(self, server: ChatroomServer, port: int) -> None:
        self.server = server
        self.port = port
        self.ended: list[tuple[str, str]] = []
        self.seen: list[Any] = []

    @asynccontextmanager
    async def open(self, connect: str | None = "40") -> AsyncIterator[RawSocket]:
        """Open a connection, and connect it to the main namespace."""
        async with raw_socket(self.port, PATH) as socket:
            assert (await socket.text())[0] == "0"
            if connect is not None:
                socket.send(connect)
                assert (await socket.text()).startswith(connect[:2])
            yield socket


@asynccontextmanager
async def chat(**settings: Any) -> AsyncIterator[Chat]:
    """Run a server with an echo on two namespaces."""
    server = ChatroomServer(async_mode="aiohttp", close_timeout=1_000 * MS, **settings)
    async with serve_socketio(server) as port:
        running = Chat(server, port)

        def disconnect(sid: str, reason: str) -> None:
            running.ended.append((sid, reason))

        server.on("disconnect", disconnect)

        for namespace in ("/", "/custom"):

            async def echo(sid: str, *values: Any) -> Any:
                running.seen.append(values)
                return values

            server.on("echo", echo, namespace=namespace)

        async def nothing(sid: str) -> None:
            running.seen.append("nothing")

        server.on("nothing", nothing)

        yield running


def half_packets(running: Chat) -> int:
    """Return how many packets wait for attachments."""
    return running.server.held()["socketio_half_packets"]


async def test_connecting_gives_a_sid() -> None:
    """The answer to CONNECT carries the Socket.IO session's id."""
    async with chat() as running, running.open(None) as socket:
        socket.send('40{"token":"1"}')
        answer = await socket.text()
        assert set(json.loads(answer[2:])) == {"sid"}
        socket.send("40/custom,")
        assert (await socket.text()).startswith('40/custom,{"sid":')


async def test_unknown_namespace() -> None:
    """It is refused with the protocol's words, and the connection lives on."""
    async with chat() as running, running.open() as socket:
        socket.send("40/random")
        assert await socket.text() == '44/random,{"message":"Invalid namespace"}'
        socket.send('421["echo"]')
        assert await socket.text() == "431[]"


async def test_connect_timeout() -> None:
    """Who connects to no namespace is sent away."""
    async with chat(connect_timeout=CONNECT_SECONDS) as running:
        async with running.open(None) as socket:
            socket.send("40/random")
            assert (await socket.text()).startswith("44")
            assert await socket.close_code() == 1000
        async with running.open() as socket:
            await wait_until(
                lambda: not running.server.held()["strangers"], "nobody is awaited"
            )
            socket.send('421["echo"]')
            assert await socket.text() == "431[]"


async def test_who_leaves_the_last_namespace_is_a_stranger_again() -> None:
    """A connection that was let in once is not kept for ever without a session."""
    async with (
        chat(connect_timeout=CONNECT_SECONDS) as running,
        running.open() as socket,
    ):
        addresses = running.server.eio.engine.admission.addresses
        socket.send("40/custom,")
        assert (await socket.text()).startswith("40/custom,")
        assert addresses.unauthenticated == 0
        socket.send("41")
        socket.send('42/custom,1["echo"]')
        assert await socket.text() == "43/custom,1[]"
        assert addresses.unauthenticated == 0
        socket.send("41/custom,")
        socket.send('42/custom,["echo"]')
        assert await socket.close_code() == 1000
        assert running.server.eio.engine.limited["connect_seconds"] == 1
        assert addresses.unauthenticated == 0


async def test_who_comes_back_to_a_namespace_stays() -> None:
    """Leaving and entering on one connection is part of the protocol."""
    async with (
        chat(connect_timeout=CONNECT_SECONDS) as running,
        running.open() as socket,
    ):
        socket.send("41")
        socket.send("40")
        assert (await socket.text()).startswith("40{")
        server = running.server
        # The heartbeat's.
        assert server.held()["engine_deadlines"] == 1
        assert server.eio.engine.admission.addresses.unauthenticated == 0


async def test_acks_with_text_and_binary() -> None:
    """Values come back as they were sent, attachments in order."""
    async with chat() as running, running.open() as socket:
        socket.send('42456["echo",1,"2",{"3":[false]}]')
        assert await socket.text() == '43456[1,"2",{"3":[false]}]'
        holders = ['{"_placeholder":true,"num":0}', '{"_placeholder":true,"num":1}']
        both = ",".join(holders)
        socket.send(f'452-789["echo",{both}]')
        socket.send(b"\x01", BINARY)
        socket.send(b"\x02", BINARY)
        assert await socket.text() == f"462-789[{both}]"
        assert (await socket.frame()).payload == b"\x01"
        assert (await socket.frame()).payload == b"\x02"


async def test_acks_of_handlers_that_return_nothing() -> None:
    """Nothing returned is an ack without values; an unknown event gets none."""
    async with chat() as running, running.open() as socket:
        socket.send('421["unknown"]')
        socket.send('422["nothing"]')
        assert await socket.text() == "432[]"


async def test_disconnecting_from_one_namespace() -> None:
    """The others stay connected."""
    async with chat() as running, running.open() as socket:
        socket.send("40/custom")
        await socket.text()
        socket.send("41/custom,")
        socket.send('42/custom,1["echo"]')
        socket.send('422["echo"]')
        assert await socket.text() == "432[]"


INVALID = {
    "unknown type": "4abc",
    "payload is no list": "42{}",
    "ack id is no number": '42abc["echo"]',
    "not JSON": '42["echo"',
    "name is a list": '42[["echo"]]',
    "name is a number": "42[1]",
    "no name": "42[]",
    "CONNECT_ERROR": '44{"message":"x"}',
    "connect twice": "40",
    "too many attachments": '45101-["echo"]',
    "nested too deeply": '42["echo",' + "[" * 100_000 + "]" * 100_000 + "]",
    "open brackets": '42["echo",' + "[" * 100_000,
}


@pytest.mark.parametrize("what", INVALID)
async def test_invalid_packets_close_the_connection(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The client is sent away with 1002, its handler told; nothing else happens."""
    async with chat() as running:
        async with running.open() as socket:
            socket.send(INVALID[what])
            assert await socket.close_code() == 1002
        await wait_until(lambda: running.ended, "the end is told")
        assert [reason for _sid, reason in running.ended] == ["parse error"]
        assert not running.seen
    assert not caplog.records


@pytest.mark.parametrize(
    "first", ['42["echo"]', "43[1]", "41", "4abc", '451-["echo"]', "461-1[1]"]
)
async def test_packets_before_connecting(first: str) -> None:
    """Only CONNECT may come first."""
    async with chat() as running, running.open(None) as socket:
        socket.send(first)
        assert await socket.close_code() == 1002


async def test_who_is_sent_away_is_told_why() -> None:
    """Whoever writes a client reads it where the connection ends."""
    async with chat() as running, running.open() as socket:
        socket.send("2[")
        assert await socket.close_reason()


@pytest.mark.parametrize("then", ['42["echo"]', "2", b"\x01\x02", None])
async def test_attachments_that_do_not_come_right(then: str | bytes | None) -> None:
    """Text where an attachment is due, or one that nobody announced."""
    async with chat() as running, running.open() as socket:
        if then is None:
            socket.send(b"unannounced", BINARY)
        else:
            holder = '{"_placeholder":true,"num":5}'
            socket.send(f'451-["echo",{holder}]')
            socket.send(then, 1 if isinstance(then, str) else BINARY)
        assert await socket.close_code() == 1002
        assert not half_packets(running)


async def test_a_short_bound_on_json_holds() -> None:
    """A longer event is answered unread, however short; the next one is served."""
    async with chat(max_json_characters=100) as running, running.open() as socket:
        socket.send('421["echo","' + "x" * 100 + '"]')
        answer = await socket.text()
        assert answer.startswith('431[{"ok":false'), answer
        assert "too_large" in answer
        socket.send('422["echo"]')
        assert await socket.text() == "432[]"
        assert running.seen == [()]


async def test_attachments_are_bounded_together() -> None:
    """They are one packet; nobody leaves many times its size at the server."""
    async with chat(max_http_buffer_size=1_000) as running, running.open() as socket:
        socket.send('452-1["echo"]')
        socket.send(bytes(500), BINARY)
        socket.send(bytes(500), BINARY)
        assert await socket.text() == "431[]"
        socket.send('453-2["echo"]')
        socket.send(bytes(500), BINARY)
        socket.send(bytes(501), BINARY)
        assert await socket.close_code() == 1009
        assert running.server.eio.engine.limited["payload_limit_bytes"] == 1
        await wait_until(lambda: not half_packets(running), "it is let go")


async def test_attachments_have_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a packet is not kept for ever, unless the other half is on its way."""
    put_off, given = HalfPackets.put_off, list[str]()

    def noted(packets: HalfPackets, eio_sid: str) -> None:
        given.append(eio_sid)
        put_off(packets, eio_sid)

    monkeypatch.setattr(HalfPackets, "put_off", noted)
    async with chat(attachment_timeout=200 * MS) as running, running.open() as socket:
        holder = '{"_placeholder":true,"num":0}'
        socket.send(f'451-1["echo",{holder}]')
        frame = client_frame(bytes(1_000), BINARY)
        socket.writer.write(frame[:500])
        (eio_sid,) = running.server.eio.sockets
        await wait_until(lambda: given.count(eio_sid) > 1, "a deadline was put off")
        socket.writer.write(frame[500:])
        assert (await socket.text()).startswith("461-1[")
        assert (await socket.frame()).payload == bytes(1_000)
        socket.send(f'451-2["echo",{holder}]')
        assert await socket.close_code() == 1002
        await wait_until(lambda: not half_packets(running), "it is let go")


@pytest.mark.parametrize("event", sorted(RESERVED_EVENTS))
async def test_reserved_names_do_not_reach_handlers(event: str) -> None:
    """The client learns that there is no such event, and stays connected."""
    async with chat() as running, running.open() as socket:
        socket.send(f'421["{event}","forged","arguments"]')
        answer = json.loads((await socket.text())[3:])
        assert answer[0]["error"]["code"] == "unknown_event"
        assert answer[0]["error"]["temporary"] is False
        socket.send('422["echo"]')
        assert await socket.text() == "432[]"
        assert not running.ended


@pytest.mark.parametrize("packet", ["430[]", "43[]", "437[]", "43999[1,2]"])
async def test_acks_that_nobody_awaits(
    packet: str, caplog: pytest.LogCaptureFixture
) -> None:
    """They are ignored, and later calls still work."""
    async with chat() as running, running.open() as socket:
        socket.send(packet)
        (sid,) = running.server.manager.rooms["/"][None]
        call = asyncio.create_task(
            running.server.call("ask", to=sid, timeout=DEADLINE_SECONDS)
        )
        question = await socket.text()
        assert question.endswith('["ask"]')
        socket.send("43" + question[2:].split("[")[0] + '["yes"]')
        assert await call == "yes"
    assert not [each for each in caplog.records if each.exc_info]


async def test_a_connect_handler_that_fails_refuses(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The client is told, nothing of it stays, and the log has it once."""
    async with chat() as running:

        async def connect(sid: str, environ: Any, auth: Any) -> None:
            raise RuntimeError("broken")

        running.server.on("connect", connect, namespace="/custom")

        async with running.open() as socket:
            socket.send("40/custom,")
            assert (await socket.text()).startswith("44/custom,")
            assert "/custom" not in running.server.manager.rooms
    assert len([each for each in caplog.records if each.exc_info]) == 1


async def test_leaving_during_connect_is_told_after_it() -> None:
    """A client that goes while its connect handler runs is connected, then gone."""
    order: list[str] = []
    release = asyncio.Event()
    async with chat() as running:

        async def connect(sid: str, environ: Any, auth: Any) -> None:
            order.append("connect")
            await release.wait()
            order.append("connected")

        running.server.on("connect", connect, namespace="/custom")

        async def disconnect(sid: str, reason: str) -> None:
            order.append("disconnect")

        running.server.on("disconnect", disconnect, namespace="/custom")

        async with running.open() as socket:
            socket.send("40/custom,")
            await wait_until(lambda: order, "the handler runs")
            (session,) = running.server.eio.sockets.values()
            running.server.eio.close(session.sid)
            # Time enough for the end to be told too early.
            for _ in range(10):
                await asyncio.sleep(0)
            assert order == ["connect"]
            release.set()
        await wait_until(lambda: len(order) == 3, "the end is told")
        assert order == ["connect", "connected", "disconnect"]
        assert not running.server.manager.rooms
        assert not running.server.environ


async def test_a_deferred_ack_and_its_step_are_one() -> None:
    """What resolve() lets loose comes after the ack, never before it."""
    async with chat() as running:
        server = running.server

        async def join(sid: str) -> DeferredAck:
            eio_sid = server.manager.eio_sid_from_sid(sid, "/")

            def resolve() -> object:
                asyncio.get_running_loop().call_soon(
                    server.eio.broadcast, [eio_sid], ['2["first"]']
                )
                return {"ok": True}

            return DeferredAck(resolve)

        server.on("join", join)

        async with running.open() as socket:
            socket.send('421["join"]')
            assert await socket.text() == '431[{"ok":true}]'
            assert await socket.text() == '42["first"]'


async def test_fan_out_skips_who_is_gone() -> None:
    """Packets go to the sessions there are, texts and attachments in order."""
    async with chat() as running, running.open() as socket:
        (eio_sid,) = running.server.eio.sockets
        running.server.eio.broadcast(
            ["gone", eio_sid],
            ['2["a"]', '51-["b",{"_placeholder":true,"num":0}]', b"\x07"],
        )
        assert await socket.text() == '42["a"]'
        assert (await socket.text()).startswith("451-")
        assert (await socket.frame()).payload == b"\x07"


async def test_closing_the_transport_lets_clients_come_back() -> None:
    """No DISCONNECT packet is sent, and the handler is told the reason."""
    async with chat() as running, running.open() as socket:
        (sid,) = running.server.manager.rooms["/"][None]
        running.server.close_transport(sid, reason="drain")
        assert await socket.close_code() == 1000
        await wait_until(lambda: running.ended, "the end is told")
        assert running.ended == [(sid, "drain")]
