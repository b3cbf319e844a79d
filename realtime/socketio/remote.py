"""python-socketio's calls over nodes: what no chat message needs.

Emits with ``skip_sid``, a callback or binary parts, and ``enter_room``, ``leave_room``,
``close_room`` and ``disconnect`` of another node's session travel as control messages:
JSON objects with a ``method``, after python-socketio's ``PubSubManager``.
"""

import asyncio
import base64
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from socketio import packet as socket_packet

from realtime import json_codec
from realtime.errors import ChatError

_logger = logging.getLogger(__name__)

# Control messages that may wait for their turn. Each is one call of the stock API from
# another node; over the limit the newest is dropped and counted as an error.
WAITING_LIMIT = 10_000

# What carries out further methods, by name: what the chat adds to the stock API.
Handlers = Mapping[str, Callable[[dict[str, Any]], Awaitable[None]]]


def emission(
    packet_class: Any,
    event: str,
    arguments: list[Any],
    namespace: str,
    room: Any,
    skip_sid: Any,
    callback: tuple[str, str, int] | None,
) -> dict[str, Any]:
    """Return the control message of an emit; binary parts become base64."""
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


def emit_here(manager: Any, message: dict[str, Any]) -> None:
    """Write an emission to this node's sessions, now.

    Raises:
        ValueError, KeyError, TypeError, IndexError: The message is malformed.
    """
    arguments = message["data"]
    if "attachments" in message:
        attachments = [base64.b64decode(each) for each in message["attachments"]]
        arguments = socket_packet.Packet.reconstruct_binary(arguments, attachments)
    data = [message["event"], *arguments]
    namespace, room = message["namespace"], message.get("room")
    skip = message.get("skip_sid") or ()
    skip = (skip,) if isinstance(skip, str) else tuple(skip)
    packet_class = manager.server_packet_class
    callback = message.get("callback")
    if callback is None:
        packets = _encode(packet_class, namespace, data)
        manager.send(namespace, room, packets, skip)
        return
    back = partial(_answer, manager, message["host_id"], *callback)
    for sid in list(manager.recipients(namespace, room)):
        if sid not in skip:
            ack_id = manager.keep_callback(sid, back)
            packets = _encode(packet_class, namespace, data, ack_id)
            manager.send(namespace, sid, packets)


async def _answer(
    manager: Any,
    host_id: str,
    sid: str,
    namespace: str,
    number: int,
    *values: Any,
) -> None:
    """Give a client's ack to the callback of the node that asked for it."""
    if host_id == manager.host_id:
        await manager.trigger_callback(sid, number, values)
        return
    asked = {"host_id": host_id, "sid": sid, "namespace": namespace, "id": number}
    await manager.publish_control({"method": "callback", **asked, "args": values})


def _encode(
    packet_class: Any, namespace: str, data: list[Any], ack_id: int | None = None
) -> list[str | bytes]:
    encoded = packet_class(
        socket_packet.EVENT, namespace=namespace, data=data, id=ack_id
    ).encode()
    return encoded if isinstance(encoded, list) else [encoded]


class RemoteCalls:
    """Carries out the control messages that arrive.

    Emissions go out at once, in the order they arrive among the room's plain events.
    What may have to wait (disconnect, enter, leave, close, callbacks) is carried out
    by one task, in order.

    Args:
        manager: A part of python-socketio's ``AsyncPubSubManager``, untyped there.
        limited: Counts the messages that are dropped, as ``control_messages``.
    """

    def __init__(self, manager: Any, limited: Counter[str]) -> None:
        self._manager = manager
        self._limited = limited
        self._waiting: deque[dict[str, Any]] = deque()
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def receive(self, payload: bytes) -> None:
        """Take a control message that arrived on a channel."""
        try:
            message = json_codec.loads(payload)
            method = message["method"]
        except (ValueError, KeyError, TypeError):
            _logger.error("A message on a channel is no control message; ignored")
            return
        if method == "emit":
            try:
                emit_here(self._manager, message)
            except Exception as error:  # noqa: BLE001 - whoever publishes, all else goes on
                _logger.error("A control message cannot be emitted: %r", error)
        elif len(self._waiting) >= WAITING_LIMIT:
            self._limited["control_messages"] += 1
            _logger.error("Too many control messages wait; %s was dropped", method)
        else:
            self._waiting.append(message)
            self._wake.set()

    async def run(self, handlers: Handlers) -> None:
        """Carry out what waits; cancelled, drop it: its sessions are closing too."""
        while True:
            while self._waiting:
                message = self._waiting.popleft()
                try:
                    await self._carry_out(message, handlers)
                except ChatError as error:
                    _logger.error("%s failed: %s", message["method"], error.message)
                except Exception:
                    # Another node's malformed message must not end this task.
                    _logger.exception("Control message %s failed", message["method"])
            self._wake.clear()
            await self._wake.wait()

    async def _carry_out(self, message: dict[str, Any], handlers: Handlers) -> None:
        manager = self._manager
        match message["method"]:
            case "callback":
                if message["host_id"] == manager.host_id:
                    sid, number = message["sid"], message["id"]
                    await manager.trigger_callback(sid, number, message["args"])
            case "disconnect":
                sid, namespace = message["sid"], message["namespace"]
                await manager.server.disconnect(sid, namespace, ignore_queue=True)
            case "leave_room":
                sid, namespace = message["sid"], message["namespace"]
                manager.basic_leave_room(sid, namespace, message["room"])
            case "enter_room":
                await self._enter(message["sid"], message["namespace"], message["room"])
            case "close_room":
                manager.basic_close_room(message["room"], message["namespace"])
            case method if handler := handlers.get(method):
                await handler(message)
            case method:
                _logger.error("Control message of an unknown kind: %s", method)

    async def _enter(self, sid: str, namespace: str, room: str) -> None:
        manager = self._manager
        if manager.eio_sid_from_sid(sid, namespace) is None:
            return
        try:
            await manager.enter_room(sid, namespace, room)
        except ValueError:
            # Ended while the room's channel was being subscribed, or a wrong room.
            if manager.eio_sid_from_sid(sid, namespace) is not None:
                raise
