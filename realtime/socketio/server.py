"""The Socket.IO server: python-socketio's, put right and with a fast way out.

``ChatroomServer`` takes the keywords of ``socketio.AsyncServer`` and can stand in its
place. Its engine is :class:`realtime.engineio.server.EngineServer`. It follows the
Socket.IO v5 protocol where the library does not, adds a synchronous fan-out of encoded
packets and acks that are decided in the step that writes them, and keeps clients from
calling the server's own handlers.
"""

from collections.abc import Coroutine
from typing import Any

from realtime.engineio.cork import Cork
from realtime.engineio.frames import CloseCode
from realtime.engineio.protocol import Reason
from realtime.engineio.session import Session
from realtime.errors import TooLargeError, UnknownEventError
from realtime.socketio import packets, serializers
from realtime.socketio.admin_ui import InstrumentedServer
from realtime.socketio.attachments import ATTACHMENT_SECONDS, HalfPackets
from realtime.socketio.deferred_ack import DeferredAck
from realtime.socketio.namespaces import CONNECT_TIMEOUT_SECONDS, NamespaceGate
from realtime.socketio.packets import (
    PacketTooLargeError,
    SocketPacket,
    SocketPacketError,
)
from realtime.socketio.serializers import ServerPacket

# Words that the protocol's libraries use for their own events. A client that emits
# one of them would otherwise run the server's handler of that name.
RESERVED_EVENTS = frozenset(
    {
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    }
)
# Of a packet before CONNECT was accepted: that one, and the engine's own.
UNAUTHENTICATED_PACKET_BYTES = 32_768
# Ten times what an event here may carry: who sends too many is answered, not cut off.
MAX_ATTACHMENTS = 100


class ChatroomServer(NamespaceGate):
    """A Socket.IO v5 server, attached to an aiohttp application.

    Takes the keywords of ``socketio.AsyncServer`` (``async_mode="aiohttp"``) and those
    of :class:`~realtime.engineio.options.Options`.

    Args:
        client_manager: As for ``socketio.AsyncServer``.
        json: A module with ``dumps`` and ``loads``; :mod:`realtime.json_codec` if None.
        connect_timeout: Seconds for a client to connect to its first namespace; also
            the longest that a ``connect`` handler may take.
        max_json_characters: Of a packet without its attachments, whose fields and
            entries are bounded then as well; None: as many as a message may have. A
            longer event is answered ``too_large`` unread.
        max_attachments: Binary attachments a packet; more close the connection. Their
            bytes together are bounded as one message is (``max_http_buffer_size``).
        attachment_timeout: Seconds for the next attachment of a packet to begin.
        keywords: All else.
    """

    def __init__(
        self,
        client_manager: Any = None,
        *,
        json: Any = None,
        connect_timeout: float = CONNECT_TIMEOUT_SECONDS,
        max_json_characters: int | None = None,
        max_attachments: int = MAX_ATTACHMENTS,
        attachment_timeout: float = ATTACHMENT_SECONDS,
        **keywords: Any,
    ) -> None:
        if keywords.get("serializer", "default") == "default":
            # A class of this server's own, since ``json`` is set on it.
            keywords["serializer"] = type("ServerPacket", (ServerPacket,), {})
        keywords.setdefault(
            "unauthenticated_packet_bytes", UNAUTHENTICATED_PACKET_BYTES
        )
        super().__init__(
            client_manager=client_manager,
            json=json,
            # Socket.IO's texts begin with a digit and are decoded here.
            decode_json=False,
            connect_timeout=connect_timeout,
            **keywords,
        )
        self._parses_text = issubclass(self.packet_class, ServerPacket)
        self._max_attachments = max_attachments
        self._bounds_json = max_json_characters is not None
        self._max_json_characters = (
            max_json_characters or self.eio.options.max_http_buffer_size
        )
        # No shorter packet is too long, or has too much in it.
        self._fits_characters = min(packets.JSON_SEPARATORS, self._max_json_characters)
        engine = self.eio.engine
        self._handler_tasks = engine.tasks
        # Keeps acks back while fan-out is about to come that they can join.
        self.cork: Cork = engine.cork
        self._half_packets = HalfPackets(
            engine.timers,
            seconds=attachment_timeout,
            max_bytes=self.eio.options.max_http_buffer_size,
            missed=self._miss_attachment,
        )

    def instrument(self, *args: Any, **keywords: Any) -> InstrumentedServer:
        """Report to the Socket.IO admin UI; arguments as ``socketio.AsyncServer``."""
        return InstrumentedServer(self, *args, **keywords)

    def held(self) -> dict[str, int]:
        """Return what is held for connections, counted by kind."""
        return {
            **self.eio.engine.held(),
            "socketio_environments": len(self.environ),
            "socketio_half_packets": len(self._half_packets),
        }

    # out

    def close_transport(
        self,
        sid: str,
        namespace: str | None = None,
        reason: str = Reason.SERVER_DISCONNECT,
    ) -> None:
        """Close a session's connection, not its namespace: the client comes back."""
        eio_sid = self.manager.eio_sid_from_sid(sid, namespace or "/")
        if eio_sid is not None:
            self.eio.close(eio_sid, reason)

    def slow_down(self, sid: str, namespace: str, seconds: float) -> None:
        """Read nothing from a session for a while, then one message at first."""
        eio_sid = self.manager.eio_sid_from_sid(sid, namespace)
        session = None if eio_sid is None else self.eio.sockets.get(eio_sid)
        if session is not None:
            session.slow_down(seconds)

    async def _send_eio_packet(self, eio_sid: str, eio_pkt: Any) -> None:
        await self.eio.send_packet(eio_sid, eio_pkt)

    def _write_ack(
        self,
        eio_sid: str,
        namespace: str,
        number: int,
        values: list[Any],
        *,
        now: bool,
    ) -> None:
        if self._parses_text:
            head = "3" if namespace == "/" else f"3{namespace},"
            try:
                text = f"{head}{number}{self.packet_class.json.dumps(values)}"
            except TypeError:
                pass  # Binary values: the library takes them out.
            else:
                write = self.eio.write if now else self.eio.write_corked
                write(eio_sid, text)
                return
        self._write_packet(
            eio_sid,
            self.packet_class(packets.ACK, namespace=namespace, id=number, data=values),
        )

    # in

    def _handle_eio_message(self, eio_sid: str, data: str | bytes) -> None:
        session = self.eio.sockets.get(eio_sid)
        if session is None:
            return
        try:
            if (
                len(data) > self._fits_characters
                and isinstance(data, str)
                and self._is_too_long(data)
            ):
                self._refuse_long(session, data)
                return
            packet = self._whole_packet(eio_sid, data)
            if packet is not None:
                self._act(session, packet)
        except SocketPacketError as error:
            self._send_away(session, error)

    def _send_away(self, session: Session, error: SocketPacketError) -> None:
        self.logger.info("%s sent an invalid packet: %s", session.sid, error)
        code = CloseCode.PROTOCOL_ERROR
        if isinstance(error, PacketTooLargeError):
            self._limited["payload_limit_bytes"] += 1
            code = CloseCode.TOO_BIG
        session.close(Reason.PARSE_ERROR, code, str(error))

    def _is_too_long(self, text: str) -> bool:
        if len(text) > self._max_json_characters:
            return True
        return self._bounds_json and packets.has_too_much(text)

    def _refuse_long(self, session: Session, text: str) -> None:
        """Answer an event that is too long; close on whatever else it is.

        Raises:
            PacketTooLargeError: for what has no answer.
        """
        head = packets.head_of_event(text)
        if head is None or session.sid in self._half_packets.packets:
            raise PacketTooLargeError("more JSON than a packet may have")
        namespace, number = head
        sid = self.manager.sid_from_eio_sid(session.sid, namespace)
        if sid is None or not self.manager.is_connected(sid, namespace):
            self._check_has_connected(session.sid)
            return
        self._limited["json_characters"] += 1
        self._count_refusal(sid, namespace)
        if number is not None:
            error = TooLargeError(
                f"A packet may have {self._max_json_characters} characters of JSON, and"
                f" some {packets.JSON_SEPARATORS // 2} fields and entries in it."
            )
            answer = {"ok": False, "error": error.to_wire()}
            self._write_ack(session.sid, namespace, number, [answer], now=True)

    def _count_refusal(self, sid: str, namespace: str) -> None:
        """Let the namespace slow down a client that gets many answers of one kind."""
        handler = self.namespace_handlers.get(namespace)
        count = getattr(handler, "count_refusal", None)
        if count is not None:
            count(sid)

    def _whole_packet(self, eio_sid: str, data: str | bytes) -> SocketPacket | None:
        """Return a packet, or None while attachments are to come."""
        if eio_sid in self._half_packets.packets:
            return self._half_packets.add(eio_sid, data)
        if not self._parses_text:
            packet = serializers.parse(
                self.packet_class, data, max_attachments=self._max_attachments
            )
        elif isinstance(data, str):
            packet = packets.parse(
                data,
                self.packet_class.json.loads,
                max_attachments=self._max_attachments,
            )
        else:
            raise SocketPacketError("an attachment of nothing")
        if packet.attachments:
            # Nothing of this size is kept for who is not authenticated.
            self._check_has_connected(eio_sid)
            self._half_packets.begin(eio_sid, packet)
            return None
        return packet

    def _check_has_connected(self, eio_sid: str) -> None:
        if self._without_namespace.due(eio_sid) is not None:
            raise SocketPacketError("not connected to any namespace")

    def _miss_attachment(self, eio_sid: str) -> None:
        session = self.eio.sockets.get(eio_sid)
        if session is None:
            return
        if session.is_pong_delayed:
            # It is arriving, or waits for us to read it.
            self._half_packets.put_off(eio_sid)
        else:
            self._send_away(session, SocketPacketError("attachments that do not come"))

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        self._half_packets.drop(eio_sid)
        await super()._handle_eio_disconnect(eio_sid, reason)

    def _act(self, session: Session, packet: SocketPacket) -> None:
        eio_sid, namespace = session.sid, packet.namespace
        if packet.kind == packets.CONNECT:
            self._in_order(
                session, self._handle_connect(eio_sid, namespace, packet.data)
            )
            return
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        if sid is None or not self.manager.is_connected(sid, namespace):
            self._check_has_connected(eio_sid)
            # The server may just have ended it: what is on its way is no fault.
            return
        if packet.kind == packets.DISCONNECT:
            reason = Reason.CLIENT_DISCONNECT
            self._in_order(session, self._handle_disconnect(eio_sid, namespace, reason))
        elif packet.kind == packets.EVENT:
            work = self._handle_event_internal(
                self, sid, eio_sid, packet.data, namespace, packet.id
            )
            if self.async_handlers:
                session.handler_started()
                self._own(self._event_task(session, packet.data[0], work))
            else:
                self._in_order(session, work)
        elif packet.id:
            # Ids count from 1; under 0 the library keeps its counter.
            self._in_order(
                session, self.manager.trigger_callback(sid, packet.id, packet.data)
            )

    def _own(self, work: Any) -> None:
        """Run one of the two tasks below."""
        _task = self._handler_tasks.spawn_self_discarding(work)

    def _in_order(self, session: Session, work: Any) -> None:
        """Run a coroutine before anything else of this session is read."""
        session.hold()
        self._own(self._held_task(session, work))

    async def _held_task(self, session: Session, work: Any) -> None:
        try:
            await work
        except SocketPacketError as error:
            self._send_away(session, error)
        except Exception:
            self.logger.exception("A packet of %s could not be handled", session.sid)
        finally:
            self._handler_tasks.discard_current()
            session.unhold()

    async def _event_task(self, session: Session, event: str, work: Any) -> None:
        try:
            await work
        except Exception:
            self.logger.exception("Handler of %r failed for %s", event, session.sid)
        finally:
            self._handler_tasks.discard_current()
            session.handler_finished()

    # events

    def reserved_event_answer(self, event: str) -> object:
        """Return the ack's value for a client's event whose name is reserved."""
        error = UnknownEventError(f"{event} is a reserved event name.")
        return {"ok": False, "error": error.to_wire()}

    def _trigger_event(
        self, event: str, namespace: str, *args: Any
    ) -> Coroutine[Any, Any, Any]:
        """Call the handler of an event; the usual one is found without a search."""
        if namespace not in self.handlers and "*" not in self.handlers:
            handler = self.namespace_handlers.get(namespace)
            if handler is not None:
                found: Coroutine[Any, Any, Any] = handler.trigger_event(event, *args)
                return found
        searched: Coroutine[Any, Any, Any] = super()._trigger_event(
            event, namespace, *args
        )
        return searched

    async def _handle_event_internal(
        self,
        server: Any,
        sid: str,
        eio_sid: str,
        data: list[Any],
        namespace: str,
        id: int | None,  # noqa: A002 - the library's name
    ) -> None:
        if data[0] in RESERVED_EVENTS:
            self._count_refusal(sid, namespace)
            answer = self.reserved_event_answer(data[0])
        else:
            answer = await self._trigger_event(data[0], namespace, sid, *data[1:])
        # Nothing may suspend from here to the write, nor a broadcast go ahead of an
        # answer that was decided here.
        decided_now = False
        if isinstance(answer, DeferredAck):
            answer, decided_now = answer.resolve(), True
        if id is None or answer is self.not_handled:
            return
        if answer is None:
            values = []
        else:
            values = list(answer) if isinstance(answer, tuple) else [answer]
        self._write_ack(eio_sid, namespace, id, values, now=decided_now)
