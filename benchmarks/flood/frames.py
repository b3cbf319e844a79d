"""What a flooder writes: frames, requests and chunks of them."""

import io
import json
import random
from collections.abc import Callable

from PIL import Image

# Written in one call: some 400 short messages.
CHUNK_BYTES = 64 * 1024

# Of noise, which no compression makes smaller: some 270 KB as PNG.
IMAGE_SIDE = 300

# Different ones, so that there are some 3,000 different ``clientId``.
CHUNKS = 8

UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def frame(text: str | bytes, opcode: int = 1) -> bytes:
    """Return a client's frame; its mask is zero, which is a mask like any other."""
    data = text if isinstance(text, bytes) else text.encode()
    size = len(data)
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 65536:
        head = bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0x80 | 127)) + size.to_bytes(8, "big")
    return head + bytes(4) + data


def event(name: str, payload: object) -> str:
    """Return an event that wants an ack."""
    return f"42/chat,7{json.dumps([name, payload], separators=(',', ':'))}"


def message(number: int, room: str, text: str) -> str:
    """Return a ``send``."""
    content = {"room": room, "clientId": f"flood-{number}", "type": "text"}
    return event("send", {**content, "text": text})


def sends(number: int, room: str) -> bytes:
    """Short messages to a room that others are in."""
    return frame(message(number, room, "x" * 100))


def typing(number: int, room: str) -> bytes:
    """On and off again, told to the whole room."""
    return frame(event("typing", {"room": room, "on": number % 2 == 0}))


def joins(number: int, room: str) -> bytes:
    """Joins and quits of the room that others are in, and of ever new ones."""
    name = room if number % 4 < 2 else f"{room}-{number // 4}"
    return frame(event("quit" if number % 2 else "join", {"room": name}))


def marks(number: int, room: str) -> bytes:
    """Read marks, one message on each."""
    return frame(event("mark_read", {"room": room, "message": number}))


def images(number: int, room: str) -> bytes:
    """Pictures, each another one, with their bytes as attachments."""
    noise = random.Random(number).randbytes(IMAGE_SIDE * IMAGE_SIDE * 3)
    file = io.BytesIO()
    Image.frombytes("RGB", (IMAGE_SIDE, IMAGE_SIDE), noise).save(file, "PNG")
    content = {"room": room, "clientId": f"flood-{number}", "type": "image"}
    picture = {"_placeholder": True, "num": 0}
    packet = json.dumps(["send", {**content, "image": picture}])
    return frame(f"451-/chat,7{packet}") + frame(file.getvalue(), 2)


def bombs(number: int, room: str) -> bytes:
    """The longest JSON there may be: many fields, and many brackets."""
    if number % 2:
        return frame(event("send", {"room": room, "text": [[]] * 80_000}))
    return frame(event("send", {str(each): each for each in range(16_000)}))


def unread(number: int, room: str) -> bytes:
    """What is answered at length."""
    return frame(event("history", {"room": room, "limit": 100}))


def requests(number: int, room: str) -> bytes:
    """Everything else that can be asked for, one after the other."""
    kinds: tuple[tuple[str, object], ...] = (
        ("typing", {"room": room, "on": True}),
        ("mark_read", {"room": room, "message": number}),
        ("history", {"room": room, "limit": 100}),
        ("join", {"room": room}),
        ("rooms", {}),
        ("sync", {"rooms": [{"room": f"{room}-{each}"} for each in range(20)]}),
        ("no_such_event", {}),
        ("send", {"room": 5}),
    )
    return frame(event(*kinds[number % len(kinds)]))


def large(number: int, room: str) -> bytes:
    """The longest texts, and payloads of 60 KB that are refused."""
    if number % 2:
        return frame(message(number, room, "y" * 4_000))
    return frame(event("send", {"room": room, "text": ["z" * 100] * 600}))


def frames(number: int, room: str) -> bytes:
    """What no rate of requests counts: packets that ask for nothing."""
    kinds = (
        frame("3"),
        frame("6"),
        frame("ping", 9),
        frame("42/other,1" + json.dumps(["send", {"room": room}])),
        frame("43/chat,99[1]"),
    )
    return kinds[number % len(kinds)]


KINDS: dict[str, Callable[[int, str], bytes]] = {
    "sends": sends,
    "typing": typing,
    "joins": joins,
    "marks": marks,
    "requests": requests,
    "large": large,
    "bombs": bombs,
    "images": images,
    "frames": frames,
    "unread": unread,
}


def chunks(build: Callable[[int, str], bytes], room: str) -> list[bytes]:
    """Return some chunks of whole frames."""
    found, number = [], 0
    for _ in range(CHUNKS):
        chunk = bytearray()
        while len(chunk) < CHUNK_BYTES:
            chunk += build(number, room)
            number += 1
        found.append(bytes(chunk))
    return found


def post(path: str, sid: str, body: str) -> bytes:
    """Return a POST of packets to a session."""
    data = body.encode()
    head = (
        f"POST {path}&sid={sid} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: text/plain\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data
