"""Sessions' ways into namespaces and out of them.

Where python-socketio departs from the Socket.IO v5 protocol, or loses track of a
session whose handler fails, this base of the server puts it right.
"""

import asyncio
from typing import Any

import socketio
from socketio.exceptions import ConnectionRefusedError as RefusedError

from realtime.engineio.environ import Environ
from realtime.engineio.protocol import Reason
from realtime.engineio.server import EngineServer
from realtime.engineio.timers import TimeoutQueue
from realtime.socketio import packets
from realtime.socketio.packets import SocketPacketError

# As Node's server: the time for a client to connect to its first namespace.
CONNECT_TIMEOUT_SECONDS = 45.0


class NamespaceGate(socketio.AsyncServer):
    """``socketio.AsyncServer`` on our engine, with its namespaces in order.

    Args:
        client_manager: As for ``socketio.AsyncServer``.
        connect_timeout: Seconds for a client to connect to its first namespace; also
            the longest that a ``connect`` handler may take.
        keywords: All else.
    """

    reason = Reason

    def __init__(
        self,
        client_manager: Any = None,
        *,
        connect_timeout: float = CONNECT_TIMEOUT_SECONDS,
        **keywords: Any,
    ) -> None:
        super().__init__(client_manager=client_manager, **keywords)
        self._connect_timeout = connect_timeout
        engine = self.eio.engine
        self._admission = engine.admission
        self._limited = engine.limited
        self._without_namespace: TimeoutQueue[str] = TimeoutQueue(
            engine.timers, connect_timeout, self._close_unjoined
        )
        # Connections that were in a namespace and have left the last one.
        self._out_of_namespaces: TimeoutQueue[str] = TimeoutQueue(
            engine.timers, connect_timeout, self._close_unjoined
        )

    def _engineio_server_class(self) -> type[EngineServer]:
        return EngineServer

    async def _send_packet(self, eio_sid: str, pkt: Any) -> None:
        self._write_packet(eio_sid, pkt)

    def _write_packet(self, eio_sid: str, packet: Any) -> None:
        encoded = packet.encode()
        for part in encoded if isinstance(encoded, list) else [encoded]:
            self.eio.write(eio_sid, part if isinstance(part, str) else bytes(part))

    async def _handle_eio_connect(self, eio_sid: str, environ: Any) -> None:
        await super()._handle_eio_connect(eio_sid, environ)
        self._without_namespace.add(eio_sid)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        self._without_namespace.discard(eio_sid)
        self._out_of_namespaces.discard(eio_sid)
        await super()._handle_eio_disconnect(eio_sid, reason)

    def _close_unjoined(self, eio_sid: str, _due: float) -> None:
        self._limited["connect_seconds"] += 1
        self.eio.close(eio_sid)

    # in

    async def _handle_connect(
        self, eio_sid: str, namespace: str | None, data: Any
    ) -> None:
        namespace = namespace or "/"
        session = self.eio.sockets.get(eio_sid)
        if session is not None and not await self._admission.attempt(session):
            raise SocketPacketError("too many attempts are made")
        if not self._serves(namespace):
            self._refuse(eio_sid, namespace, {"message": "Invalid namespace"})
            return
        await self._admission.connects.enter()
        sid = await self.manager.pre_connect(eio_sid, namespace)
        if sid is None:
            raise SocketPacketError("connected to the namespace already")
        if self.always_connect:
            await self._admit(eio_sid, sid, namespace)
        refusal = await self._ask_connect_handler(eio_sid, sid, namespace, data)
        if refusal is None:
            if not self.always_connect:
                await self._admit(eio_sid, sid, namespace)
            return
        if self.always_connect:
            self.manager.pre_disconnect(sid, namespace)
            self._write_packet(
                eio_sid,
                self.packet_class(
                    packets.DISCONNECT, data=refusal, namespace=namespace
                ),
            )
        else:
            self._refuse(eio_sid, namespace, refusal)
        await self.manager.disconnect(sid, namespace, ignore_queue=True)

    def _serves(self, namespace: str) -> bool:
        return (
            namespace in self.handlers
            or namespace in self.namespace_handlers
            or self.namespaces == "*"
            or namespace in self.namespaces
        )

    def _refuse(self, eio_sid: str, namespace: str, said: Any) -> None:
        packet = self.packet_class(
            packets.CONNECT_ERROR, data=said, namespace=namespace
        )
        self._write_packet(eio_sid, packet)
        session = self.eio.sockets.get(eio_sid)
        if session is not None:
            # It was one that came to nothing.
            session.spent = 0.0

    async def _admit(self, eio_sid: str, sid: str, namespace: str) -> None:
        packet = self.packet_class(packets.CONNECT, {"sid": sid}, namespace=namespace)
        handler = self.namespace_handlers.get(namespace)
        greet = getattr(handler, "greeting", None)
        if greet is None:
            self._write_packet(eio_sid, packet)
        else:
            # In one write, for thousands may come at once.
            self.eio.broadcast([eio_sid], [packet.encode(), *greet(sid)])
        session = self.eio.sockets.get(eio_sid)
        if session is not None:
            self._admission.mark_authenticated(session)
        await self.manager.connect(sid, namespace)
        self._without_namespace.discard(eio_sid)
        self._out_of_namespaces.discard(eio_sid)
        environ = self.environ.get(eio_sid)
        if isinstance(environ, Environ):
            environ.pack()

    async def _ask_connect_handler(
        self, eio_sid: str, sid: str, namespace: str, data: Any
    ) -> Any:
        """Return None if the handler admits the client, else what it is told."""
        refusal = RefusedError().error_args
        try:
            async with asyncio.timeout(self._connect_timeout):
                success = await self._call_connect(eio_sid, sid, namespace, data)
        except RefusedError as error:
            return error.error_args
        except ConnectionRefusedError:
            return {"message": "Connection refused by server"}
        except Exception:
            self.logger.exception("connect handler of %s failed", namespace)
            return refusal
        return refusal if success is False else None

    async def _call_connect(
        self, eio_sid: str, sid: str, namespace: str, data: Any
    ) -> Any:
        environ = self.environ[eio_sid]
        if data:
            return await self._trigger_event("connect", namespace, sid, environ, data)
        try:
            return await self._trigger_event("connect", namespace, sid, environ, None)
        except TypeError as error:
            # Older applications' handlers take no authentication.
            try:
                return await self._trigger_event("connect", namespace, sid, environ)
            except TypeError:
                raise error from None

    # out

    async def _handle_disconnect(
        self, eio_sid: str, namespace: str | None, reason: str | None = None
    ) -> None:
        namespace = namespace or "/"
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        if sid is None or not self.manager.is_connected(sid, namespace):
            return
        self.manager.pre_disconnect(sid, namespace=namespace)
        await self._end(sid, namespace, reason or Reason.CLIENT_DISCONNECT)

    async def disconnect(
        self, sid: str, namespace: str | None = None, ignore_queue: bool = False
    ) -> None:
        """Disconnect a session from a namespace; its client does not come back.

        Args:
            sid: The session.
            namespace: ``/`` if None.
            ignore_queue: Only if the session is connected to this node.
        """
        namespace = namespace or "/"
        if ignore_queue:
            is_here = self.manager.is_connected(sid, namespace)
        else:
            is_here = await self.manager.can_disconnect(sid, namespace)
        if not is_here:
            return
        eio_sid = self.manager.pre_disconnect(sid, namespace=namespace)
        packet = self.packet_class(packets.DISCONNECT, namespace=namespace)
        self._write_packet(eio_sid, packet)
        await self._end(sid, namespace, Reason.SERVER_DISCONNECT)

    async def _end(self, sid: str, namespace: str, reason: str) -> None:
        """Tell the application, and forget the session whatever it answers."""
        try:
            await self._trigger_event("disconnect", namespace, sid, reason)
        except Exception:
            self.logger.exception("disconnect handler of %s failed", namespace)
        finally:
            eio_sid = self.manager.eio_sid_from_sid(sid, namespace)
            await self.manager.disconnect(sid, namespace=namespace, ignore_queue=True)
            self._look_after(eio_sid)

    def _look_after(self, eio_sid: str | None) -> None:
        """Give a connection that is in no namespace any more the time to enter one."""
        session = self.eio.sockets.get(eio_sid)
        if session is None:
            return
        namespaces = list(self.manager.get_namespaces())
        if not any(self.manager.sid_from_eio_sid(eio_sid, each) for each in namespaces):
            self._admission.mark_unauthenticated(session)
            self._out_of_namespaces.add(session.sid)
