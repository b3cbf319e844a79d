"""The AsyncAPI 3 document of the Socket.IO namespace, made of the catalogue.

AsyncAPI has no binding for Socket.IO: an event is a message of the one channel, named
as the event is, whose payload is its one argument; an ack is the reply.
"""

from functools import cache
from typing import Final

import orjson

from schemas.acks import ErrorAck
from schemas.catalog import BROADCASTS, NAMESPACE, REQUESTS
from schemas.json_schema import Components, Json

_TITLE: Final = "Chatroom over Socket.IO"
_ABOUT: Final = (
    "Socket.IO v5 over Engine.IO v4, at the path `/socket.io`. Each event has one"
    " argument, an object. Each event from a client is answered by an ack."
)
_CHANNEL: Final = {"$ref": "#/channels/chat"}


@cache
def document() -> bytes:
    """Return the document, JSON."""
    components = Components(_TITLE)
    messages: dict[str, Json] = {}
    operations: dict[str, Json] = {}
    error = components.add("ErrorAck", ErrorAck())
    for name, request in REQUESTS.items():
        words = "".join(word.capitalize() for word in name.split("_"))
        payload = components.add(f"{words}Request", request.payload)
        ack = components.add(type(request.ack).__name__, request.ack)
        messages[name] = _message(name, payload)
        messages[f"ack_of_{name}"] = _message(name, {"oneOf": [ack, error]})
        operations[name] = {
            "action": "receive",
            "channel": _CHANNEL,
            "messages": [_message_of(name)],
            "reply": {"channel": _CHANNEL, "messages": [_message_of(f"ack_of_{name}")]},
        }
    for name, broadcast in BROADCASTS.items():
        own = f"on_{name}"
        payload = components.add(type(broadcast.payload).__name__, broadcast.payload)
        messages[own] = _message(name, payload)
        operations[own] = {
            "action": "send",
            "channel": _CHANNEL,
            "messages": [_message_of(own)],
        }
    return orjson.dumps(
        {
            "asyncapi": "3.0.0",
            "info": {"title": _TITLE, "version": "1", "description": _ABOUT},
            "defaultContentType": "application/json",
            "channels": {
                "chat": {
                    "address": NAMESPACE,
                    "title": "The Socket.IO namespace of all events",
                    "messages": {
                        name: {"$ref": f"#/components/messages/{name}"}
                        for name in messages
                    },
                }
            },
            "operations": operations,
            "components": {
                "messages": messages,
                "schemas": dict(components.schemas),
            },
        }
    )


def _message(name: str, payload: Json) -> Json:
    return {"name": name, "payload": payload}


def _message_of(name: str) -> Json:
    return {"$ref": f"#/channels/chat/messages/{name}"}
