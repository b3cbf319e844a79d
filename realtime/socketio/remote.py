"""Control messages: what the nodes tell each other besides plain events."""

import asyncio
import base64
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from socketio import packet as socket_packet

from realtime import json_codec
from realtime.errors import ChatError
from realtime.tasks import end_task

if TYPE_CHECKING:
    from realtime.socketio.manager import ChatroomManager

log = logging.getLogger(__name__)

WAITING_LIMIT = 10_000
"""Control messages that may wait for their turn. Each is one call of the stock API
from another node; over the limit the newest is dropped and counted as an error."""


class ControlMessages:
    """Encodes, decodes and carries out control messages.

    Emissions go out at once, in the order they arrive among the room's plain events.
    What may have to wait (disconnect, enter, leave, close, callbacks) is carried out
    by one task, in order.
    """

    def __init__(self, manager: "ChatroomManager") -> None:
        self._manager = manager
        self._waiting: deque[dict[str, Any]] = deque()
        self._wake = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self.more: dict[str, Callable[[dict[str, Any]], Awaitable[None]]] = {}
        """Handlers of further methods, by name: what the chat adds to the stock API."""

    def __len__(self) -> int:
        return len(self._waiting)

    def start(self) -> None:
        """Begin to carry out, in a task that :meth:`aclose` ends."""
        if self._running is None:
            self._running = asyncio.create_task(self._run(), name="control-messages")

    async def aclose(self) -> None:
        """Stop; what waits is dropped, its sessions are closing too."""
        await end_task(self._running)
        self._running = None

    def emission(
        self,
        event: str,
        arguments: list[Any],
        namespace: str,
        room: Any,
        skip_sid: Any,
        callback: tuple[str, str, int] | None,
    ) -> dict[str, Any]:
        """Return the control message of an emit; binary parts become base64."""
        packet_class = self._manager.server_packet_class
        message: dict[str, Any] = {
            "method": "emit",
            "event": event,
            "data": arguments,
            "namespace": namespace,
            "room": room,
        }
        if packet_class.data_is_binary(arguments):
            data, attachments = packet_class.deconstruct_binary(arguments)
            encoded = [base64.b64encode(each).decode() for each in attachments]
            message |= {"data": data, "attachments": encoded}
        if skip_sid:
            message["skip_sid"] = skip_sid
        if callback is not None:
            message["callback"] = callback
        return message

    def receive(self, payload: bytes) -> None:
        """Take a control message that arrived on a channel."""
        try:
            message = json_codec.loads(payload)
            method = message["method"]
        except (ValueError, KeyError, TypeError):
            log.error("A message on a channel is no control message; ignored")
            return
        if method == "emit":
            try:
                self.emit_here(message)
            except (ValueError, KeyError, TypeError, IndexError) as error:
                log.error("A control message cannot be emitted: %r", error)
        elif len(self._waiting) >= WAITING_LIMIT:
            self._manager.limited["control_messages"] += 1
            log.error("Too many control messages wait; %s was dropped", method)
        else:
            self._waiting.append(message)
            self._wake.set()

    def emit_here(self, message: dict[str, Any]) -> None:
        """Write an emission to this node's sessions, now.

        Raises:
            ValueError, KeyError, TypeError, IndexError: The message is malformed.
        """
        manager = self._manager
        arguments = message["data"]
        if "attachments" in message:
            attachments = [base64.b64decode(each) for each in message["attachments"]]
            arguments = socket_packet.Packet.reconstruct_binary(arguments, attachments)
        data = [message["event"], *arguments]
        namespace, room = message["namespace"], message.get("room")
        skip = message.get("skip_sid") or ()
        skip = (skip,) if isinstance(skip, str) else tuple(skip)
        callback = message.get("callback")
        if callback is None:
            manager.delivery.send(namespace, room, self._encode(namespace, data), skip)
            return
        back = partial(self._answer, message["host_id"], *callback)
        for sid in list(manager.recipients(namespace, room)):
            if sid not in skip:
                ack_id = manager.keep_callback(sid, back)
                packets = self._encode(namespace, data, ack_id)
                manager.delivery.send(namespace, sid, packets)

    async def _answer(
        self, host_id: str, sid: str, namespace: str, number: int, *values: Any
    ) -> None:
        """Give a client's ack to the callback of the node that asked for it."""
        manager = self._manager
        if host_id == manager.host_id:
            await manager.trigger_callback(sid, number, values)
            return
        asked = {"host_id": host_id, "sid": sid, "namespace": namespace, "id": number}
        await manager._publish({"method": "callback", **asked, "args": values})

    async def _take_answer(self, message: dict[str, Any]) -> None:
        if message["host_id"] == self._manager.host_id:
            sid, number = message["sid"], message["id"]
            await self._manager.trigger_callback(sid, number, message["args"])

    def _encode(
        self, namespace: str, data: list[Any], ack_id: int | None = None
    ) -> list[str | bytes]:
        packet_class = self._manager.server_packet_class
        encoded = packet_class(
            socket_packet.EVENT, namespace=namespace, data=data, id=ack_id
        ).encode()
        return encoded if isinstance(encoded, list) else [encoded]

    async def _run(self) -> None:
        while True:
            while self._waiting:
                message = self._waiting.popleft()
                try:
                    await self._carry_out(message)
                except ChatError as error:
                    log.error("%s failed: %s", message["method"], error.message)
                except Exception:
                    # Another node's malformed message must not end this task.
                    log.exception("Control message %s failed", message["method"])
            self._wake.clear()
            await self._wake.wait()

    async def _carry_out(self, message: dict[str, Any]) -> None:
        manager = self._manager
        match message["method"]:
            case "callback":
                await self._take_answer(message)
            case "disconnect":
                sid, namespace = message["sid"], message["namespace"]
                await manager.server.disconnect(sid, namespace, ignore_queue=True)
            case "enter_room":
                sid, namespace = message["sid"], message["namespace"]
                if manager.eio_sid_from_sid(sid, namespace) is not None:
                    await self._enter(sid, namespace, message["room"])
            case "leave_room":
                sid, namespace = message["sid"], message["namespace"]
                manager.basic_leave_room(sid, namespace, message["room"])
            case "close_room":
                manager.basic_close_room(message["room"], message["namespace"])
            case method if handler := self.more.get(method):
                await handler(message)
            case method:
                log.error("Control message of an unknown kind: %s", method)

    async def _enter(self, sid: str, namespace: str, room: str) -> None:
        manager = self._manager
        try:
            await manager.enter_room(sid, namespace, room)
        except ValueError:
            # Ended while the room's channel was being subscribed, or a wrong room.
            if manager.eio_sid_from_sid(sid, namespace) is not None:
                raise
