"""The bytes on a room's channel: what Lua writes is what Python reads, and knows."""

import json
import time
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from realtime.images.signed_urls import ImageLinks
from realtime.presence.presence import Presence
from realtime.presence.room_counts import RoomCounts
from realtime.redis.client import RedisClient
from realtime.store import events, keys
from realtime.store.events import offset_of_message, position_of, resign_images
from realtime.store.membership import Memberships
from realtime.store.message_log import MessageLog
from realtime.store.position import Position
from realtime.store.read_marks import ReadMarks
from realtime.store.scripts import Appended
from tests.kit.clock import Clock
from tests.kit.store_fixtures import make_log
from tests.kit.waiting import DEADLINE_SECONDS

NAME = "ab" * 32 + ".png"
VALID_SECONDS = 3600
ROOM = "42"
USER = 'a"n/n'
TEXT = '"},{"offset":9,"uid":"x"} é 가'


@pytest.fixture
def clock() -> Clock:
    """Time that a test moves."""
    return Clock()


@pytest.fixture
def links(clock: Clock) -> ImageLinks:
    """Addresses of images, by that time."""
    return ImageLinks(lambda: b"s" * 32, valid_seconds=VALID_SECONDS, clock=clock)


async def published(channel: PubSub) -> bytes:
    """Return the payload of the next publication."""
    message: Any = await channel.get_message(timeout=DEADLINE_SECONDS)
    text: str = message["data"]
    return text.encode()


async def send(log: MessageLog, client_id: str) -> Appended:
    """Append a message whose text looks like the next one's beginning."""
    content = {"type": "text", "text": TEXT, "mentions": ["bob"]}
    return await log.append(room=ROOM, user=USER, client_id=client_id, content=content)


async def test_the_script_writes_the_bytes_that_are_known_here(
    log: MessageLog, rooms: Memberships, channel: PubSub, redis_client: Redis
) -> None:
    """Clients, log and history get the same bytes, each member in its place."""
    await rooms.admit(ROOM, USER)
    await send(log, "c1")
    done = await send(log, "c2")
    assert (done.offset, done.message) == (2, 2)
    await published(channel)
    event = await published(channel)
    members = {
        "offset": 2,
        "uid": done.uid,
        "message": 2,
        "room": ROOM,
        "user": USER,
        "type": "text",
        "text": TEXT,
        "mentions": ["bob"],
        "clientId": "c2",
        "at": done.at,
    }
    message = orjson.dumps(members)
    assert event == events.message_event(message) == b'["message",' + message + b"]"
    logged: Any = await redis_client.xrange(keys.log(ROOM), "2-0", "2-0")
    assert logged[0][1]["event"].encode() == event
    kept: Any = await redis_client.hget(keys.messages(ROOM), "2")
    assert kept.encode() == message
    assert events.as_log_event(event) == (Position(2, done.uid), event)
    assert offset_of_message(message) == 2
    assert events.last_message([event]) == 2
    assert events.stored_at(event) == done.at
    assert [*events.decode([event])] == [("message", members)]
    assert not events.is_control(event)
    assert not events.is_room_notice(event)


@pytest.mark.parametrize("announce_members", [1, 0])
async def test_the_script_completes_a_read_mark(
    link: RedisClient, rooms: Memberships, channel: PubSub, announce_members: int
) -> None:
    """A notice for all in a small room; in a large one for the user's own sessions."""
    await rooms.admit(ROOM, USER)
    await make_log(link).append(room=ROOM, user=USER, client_id="c", content={})
    await published(channel)
    # An append moves its sender's mark: it goes back here.
    await link.call("ZADD", keys.last_read(ROOM), 0, USER)
    reads = ReadMarks(link, announce_members=announce_members)
    await reads.mark(room=ROOM, user=USER, message=1)
    payload = {"room": ROOM, "user": USER, "lastReadMessage": 1}
    told = await published(channel)
    if announce_members:
        assert told == orjson.dumps(["read", payload])
        assert events.is_room_notice(told)
        assert events.stored_at(told) is None
        assert events.is_event(told)
        assert position_of(told) is None
    else:
        emit = {"method": "emit", "event": "read", "namespace": "/chat"}
        own = {"room": keys.user_sessions_room(USER), "data": [payload]}
        assert told == orjson.dumps(emit | own)
        assert events.is_control(told)


async def test_the_scripts_complete_who_is_online(
    link: RedisClient, counts: RoomCounts, channel: PubSub
) -> None:
    """Who comes, who goes, and how many: notices with all in place."""
    presence = Presence(link, node="n1", announce_users=10, counts=counts)
    await presence.enter(room=ROOM, sid="s1", user=USER, device=None)
    counts.changed(ROOM)
    told = [await published(channel), await published(channel)]
    await presence.leave(room=ROOM, sid="s1")
    told.append(await published(channel))
    # Lua escapes slashes; any reader of JSON takes that.
    assert [each.replace(b"\\/", b"/") for each in told] == [
        orjson.dumps(["presence", {"room": ROOM, **payload}])
        for payload in (
            {"user": USER, "online": True},
            {"onlineCount": 1},
            {"user": USER, "online": False},
        )
    ]
    assert all(events.is_room_notice(each) for each in told)


async def test_the_script_tells_the_nodes_of_a_quit(
    rooms: Memberships, channel: PubSub
) -> None:
    """As a control message, which no client is sent."""
    await rooms.admit(ROOM, USER)
    await rooms.quit(ROOM, USER)
    told = await published(channel)
    assert told == events.quit_message(ROOM, USER)
    assert events.is_control(told)


def test_the_position_of_an_event_of_the_log() -> None:
    """Offset and uid lead the payload of each event of the log."""
    event = b'["message",{"offset":57,"uid":"k3-_Z","message":4,"room":"42"}]'
    assert position_of(event) == Position(57, "k3-_Z")


@pytest.mark.parametrize(
    "event",
    [
        b"",
        b"hello",
        b'["read",{"room":"42","user":"ann","lastReadMessage":3}]',
        b'["typing",{"offset":1,"room":"42"}]',
        b'["message",{"uid":"a","offset":1}]',
        b'["message",{"offset":0,"uid":"a"}]',
        b'["message",{"offset":-1,"uid":"a"}]',
        b'["message",{"offset":"1","uid":"a"}]',
        b' ["message",{"offset":1,"uid":"a"}]',
        b'{"method":"emit"}',
        b'["m\xc3\xa4rz",{"offset":1,"uid":"a"}]',
    ],
)
def test_what_is_not_of_the_log_has_no_position(event: bytes) -> None:
    """Only the exact form counts, so that nothing else moves a room's place."""
    assert position_of(event) is None


def test_the_offset_of_a_kept_message() -> None:
    """The history keeps the payload alone."""
    assert offset_of_message(b'{"offset":7,"uid":"x","message":7}') == 7
    with pytest.raises(ValueError, match="no message"):
        offset_of_message(b'{"message":7}')


@pytest.mark.parametrize(
    "payload", [b"", b"hello", b"[]", b"[1]", b'"a"', b"\xff", b"{}"]
)
def test_what_is_no_event_is_known(payload: bytes) -> None:
    """Anything may be published on a channel; only a named array is an event."""
    assert not events.is_event(payload)


def image_message(url: str, **members: object) -> dict[str, object]:
    """Return a message with an image at an address."""
    image = {"url": url, "mime": "image/png", "size": 1, "width": 1, "height": 1}
    return {"message": 1, "type": "image", "image": image, **members}


def test_old_messages_get_fresh_addresses(links: ImageLinks, clock: Clock) -> None:
    """A message of last year is read with an address that works today."""
    old = links.address(NAME)
    caption = 'caption "url":"/images/x"'
    event = ["message", image_message(old, text=caption)]
    clock.now += 365 * 24 * 3600
    for raw in (orjson.dumps(event), json.dumps(event, separators=(",", ":")).encode()):
        renewed = orjson.loads(resign_images(raw, links.address))
        assert renewed == ["message", image_message(links.address(NAME), text=caption)]


def test_all_images_of_a_message_are_addressed_anew(
    links: ImageLinks, clock: Clock
) -> None:
    """Whatever an application attached to it, which comes after them."""
    stale = [{"url": links.address(name)} for name in (NAME, "cd" * 32 + ".webp")]
    message = {"type": "image", "image": stale[0], "images": stale, "data": stale[0]}
    clock.now += VALID_SECONDS
    renewed = orjson.loads(resign_images(orjson.dumps(message), links.address))
    fresh = [{"url": links.address(name)} for name in (NAME, "cd" * 32 + ".webp")]
    assert renewed == {**message, "image": fresh[0], "images": fresh}


def test_slashes_may_be_escaped(links: ImageLinks, clock: Clock) -> None:
    r"""Lua's JSON writes ``\/``; the address is found all the same."""
    raw = orjson.dumps(image_message(links.address(NAME))).replace(b"/", b"\\/")
    clock.now += VALID_SECONDS
    renewed = orjson.loads(resign_images(raw, links.address))
    assert renewed["image"]["url"] == links.address(NAME)


@given(text=st.text(max_size=50))
def test_no_text_passes_for_an_address(text: str) -> None:
    """Whatever people write is left alone: quotation marks in JSON are escaped."""
    links = ImageLinks(lambda: b"s" * 32, valid_seconds=VALID_SECONDS)
    genuine = links.address(NAME).replace("expires=1", "expires=2")
    said = f'"type":"image" "url":"{genuine}" {text}'
    raw = orjson.dumps({"type": "text", "text": said})
    assert resign_images(raw, links.address) == raw
    raw = orjson.dumps(image_message("/elsewhere.png", text=said))
    assert resign_images(raw, links.address) == raw


def test_data_of_an_application_gets_no_addresses(links: ImageLinks) -> None:
    """Else whoever knows an image's name could have it signed for ever."""
    own = {"type": "image", "url": links.address(NAME), "image": links.address(NAME)}
    stale = orjson.dumps(own).replace(b"expires=", b"expires=1")
    raw = b'{"message":1,"type":"text","text":"hi","data":%b,"at":1}' % stale
    assert resign_images(raw, links.address) == raw


def test_what_is_no_image_costs_next_to_nothing(links: ImageLinks) -> None:
    """A page of texts passes in microseconds, not in parses."""
    raw = orjson.dumps({"type": "text", "text": "x" * 4000})

    def seconds() -> float:
        began = time.perf_counter()
        for _ in range(1000):
            assert resign_images(raw, links.address) is raw
        return time.perf_counter() - began

    # The machine may have been busy with something else, but not each time.
    assert min(seconds() for _ in range(10)) < 0.1
