"""Edits, deletions, reactions and pins in Redis: who may, and what comes of it."""

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import orjson
import pytest
from redis.asyncio import Redis

from realtime.errors import (
    ChatError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotMemberError,
    SlowModeError,
    TooLargeError,
)
from realtime.redis.client import RedisClient
from realtime.store import events, keys, scripts
from realtime.store.membership import Memberships
from realtime.store.message_changes import (
    EDITS,
    OWN_REACTION_KEYS,
    PINS,
    REACTION_KEYS,
    MessageChanges,
)
from realtime.store.message_log import MessageLog
from realtime.store.position import START, Position
from realtime.store.scripts import Refusal
from tests.kit.store_fixtures import Send, make_log, sender
from tests.store.changing import (
    ODD_USER,
    ROOM,
    delete,
    edit,
    let_in,
    make_changes,
    pin,
    react,
    state_of,
)

ODD_TEXT = '"at":5},"rev":9}","type":"deleted","deleted":{ \\ 가'


@pytest.fixture(autouse=True)
async def _members(rooms: Memberships, redis_client: Redis) -> None:
    await let_in(rooms, redis_client)


@pytest.fixture
def changes(link: RedisClient, log: MessageLog) -> MessageChanges:
    """Changes of messages, without limits that a test would meet."""
    return make_changes(link, log)


# Who may what with a message of Ann's: the table of docs/protocol.md, cell by cell.
WHO: dict[str, set[str]] = {
    "edit": {"ann"},
    "delete": {"ann", "muted ann", "mod", "own", "frozen ann"},
    "react": {"ann", "bob", "mod", "own"},
    "pin": {"mod", "own"},
}
ACTORS = ("ann", "bob", "mod", "own", "stranger", "muted ann", "frozen ann")
Act = Callable[[MessageChanges, str], Awaitable[Any]]
ACTS: dict[str, Act] = {
    "edit": lambda changes, user: edit(changes, user, "new"),
    "delete": delete,
    "react": lambda changes, user: react(changes, user, "x"),
    "pin": pin,
}


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("act", sorted(ACTS))
async def test_who_may_what(
    changes: MessageChanges, send: Send, redis_client: Redis, act: str, actor: str
) -> None:
    """A role that suffices succeeds; any other is refused, and nothing is written."""
    await send("hello")
    await redis_client.hset(keys.members(ROOM), "ann", '{"role":"member"}')
    mood, _, user = actor.rpartition(" ")
    if mood == "muted":
        record = f'{{"role":"member","mutedUntil":{2**52}}}'
        await redis_client.hset(keys.members(ROOM), user, record)
    elif mood == "frozen":
        await redis_client.hset(keys.meta(ROOM), "writers", "moderators")
    if actor in WHO[act]:
        await ACTS[act](changes, user)
        return
    with pytest.raises(ForbiddenError) as refused:
        await ACTS[act](changes, user)
    if user == "stranger":
        assert isinstance(refused.value, NotMemberError)
    top: Any = await redis_client.hget(keys.meta(ROOM), "offset")
    assert top == "1"


@pytest.mark.parametrize("act", sorted(ACTS))
async def test_what_is_not_there_cannot_be_changed(
    changes: MessageChanges,
    send: Send,
    log: MessageLog,
    redis_client: Redis,
    act: str,
) -> None:
    """No such number, one before the member's time, one that was deleted."""
    await redis_client.hset(keys.members(ROOM), "ann", '{"role":"owner"}')
    with pytest.raises(NotFoundError):
        await ACTS[act](changes, "ann")
    await send("hello")
    await redis_client.hset(keys.members(ROOM), "ann", '{"role":"owner","since":2}')
    with pytest.raises(NotFoundError):
        await ACTS[act](changes, "ann")
    assert (await log.history(room=ROOM, user="ann", limit=5)).messages == []
    await redis_client.hset(keys.members(ROOM), "ann", '{"role":"owner"}')
    await delete(changes, "ann")
    if act == "delete":
        assert (await delete(changes, "ann")).duplicate
    else:
        with pytest.raises(NotFoundError):
            await ACTS[act](changes, "ann")


async def test_an_edit_keeps_everything_but_the_words(
    changes: MessageChanges, log: MessageLog
) -> None:
    """Number, place, time and other members stay; mentions are a whole new list."""
    content = {"type": "text", "text": "old", "mentions": ["x"], "silent": True}
    sent = await log.append(room=ROOM, user=ODD_USER, client_id="c", content=content)
    first = await edit(changes, ODD_USER, ODD_TEXT, mentions=["bob"])
    second = await edit(changes, ODD_USER, "new")
    assert await state_of(log) == {
        "offset": sent.offset,
        "uid": sent.uid,
        "message": 1,
        "room": ROOM,
        "user": ODD_USER,
        "type": "text",
        "text": "new",
        "silent": True,
        "clientId": "c",
        "at": sent.at,
        "editedAt": second.at,
        "edits": 2,
        "rev": second.offset,
    }
    page = await log.read(ROOM, Position(1, sent.uid), limit=10)
    name, told = orjson.loads(page.events[0])
    assert (name, told["text"], told["mentions"]) == (
        "message_edited",
        ODD_TEXT,
        ["bob"],
    )
    assert told["offset"] == first.offset


async def test_an_edit_s_client_id_is_its_own(
    changes: MessageChanges, send: Send, redis_client: Redis
) -> None:
    """Repeated it gets its first result, after a kick as well; a send's is refused."""
    await send("hello", client_id="s")
    first = await edit(changes, "ann", "new", client_id="e")
    await redis_client.hdel(keys.members(ROOM), "ann")
    again = await edit(changes, "ann", "other", client_id="e")
    assert again == first._replace(duplicate=True)
    await redis_client.hset(keys.members(ROOM), "ann", '{"role":"member"}')
    with pytest.raises(InvalidError):
        await edit(changes, "ann", "other", client_id="s")
    with pytest.raises(InvalidError):
        await send("x", client_id="e")


async def test_the_same_words_are_no_edit(
    changes: MessageChanges, send: Send, log: MessageLog
) -> None:
    """Nothing is told; the answer is the message's own place, as a duplicate."""
    sent = await send("hello")
    done = await edit(changes, "ann", "hello")
    assert done == sent._replace(duplicate=True)
    assert (await log.top(ROOM)).offset == 1
    assert "edits" not in await state_of(log)


async def test_an_edit_of_a_state_that_has_changed_is_made_anew(
    link: RedisClient, changes: MessageChanges, send: Send
) -> None:
    """What was stored meanwhile is not written over."""
    await send("hello")
    await edit(changes, "ann", "second")
    refused = await scripts.message_edit(
        link,
        log=keys.log(ROOM),
        messages=keys.messages(ROOM),
        meta=keys.meta(ROOM),
        members=keys.members(ROOM),
        sent=keys.sent(ROOM, "ann", "new"),
        mentions=keys.mentions(ROOM),
        channel="c",
        user="ann",
        uid="u",
        message=1,
        rev=0,
        state=b"{",
        words=b"",
        remember_seconds=60,
        log_limit=10,
        log_age_ms=1000,
        edit_ms=10**6,
        edits_limit=10,
        fingerprint="",
    )
    assert refused == Refusal("changed", 2)


async def test_edits_end(link: RedisClient, log: MessageLog, send: Send) -> None:
    """After a time, and after a number of them."""
    await send("hello")
    late = make_changes(link, log, edit_seconds=-1)
    with pytest.raises(ForbiddenError) as refused:
        await edit(late, "ann", "new")
    assert refused.value.reason == "too_late"
    changes = make_changes(link, log)
    for number in range(EDITS):
        await edit(changes, "ann", f"{number}")
    with pytest.raises(TooLargeError):
        await edit(changes, "ann", "one more")


@pytest.mark.parametrize("user", ["ann", ODD_USER])
async def test_deleted_words_are_read_to_nobody(
    changes: MessageChanges, log: MessageLog, send: Send, redis_client: Redis, user: str
) -> None:
    """Neither from the history nor from the log, whose places stay as they were.

    A node makes the same of what it remembers, byte for byte.
    """
    await send(ODD_TEXT, user=user)
    await edit(changes, user, ODD_TEXT + "secret", client_id="e")
    await send("stays")
    before = (await log.read(ROOM, START, limit=10)).events
    await changes.delete(room=ROOM, user="mod", message=1, reason='so"')
    after = (await log.read(ROOM, START, limit=10)).events
    assert not any(b"secret" in event or b"rev\\" in event for event in after)
    assert [events.position_of(event) for event in after[:3]] == [
        events.position_of(event) for event in before
    ]
    assert [*events.without_deleted(before, after)] == after[:3]
    state = await state_of(log)
    told = orjson.loads(after[3])[1]
    by = {"by": "mod", "reason": 'so"', "at": told["at"]}
    assert (state["type"], state["deleted"], state["rev"]) == ("deleted", by, 4)
    assert (state["user"], orjson.loads(after[0])[1]) == (user, state)
    name, edited = orjson.loads(after[1])
    assert (name, edited["by"], edited["message"]) == ("message_deleted", "mod", 1)
    # The history may have lost it before the log did.
    await redis_client.hdel(keys.messages(ROOM), "1")
    cut = (await log.read(ROOM, START, limit=10)).events
    assert orjson.loads(cut[0])[1]["type"] == "deleted"
    assert "by" not in orjson.loads(cut[1])[1]
    assert not any(b"secret" in event for event in cut)


@pytest.mark.parametrize("key", ["👍", '"', ',"a', "a", '{"a', "\\", ":", "a:b", "%3A"])
async def test_reactions_are_counted_by_their_keys(
    changes: MessageChanges, send: Send, log: MessageLog, key: str
) -> None:
    """Whatever they are: each user once, and others' are left alone."""
    await send("hello")
    await react(changes, "bob", "a" if key != "a" else "b")
    for count, user in enumerate(("ann", "bob", ODD_USER), 1):
        done = await react(changes, user, key)
        assert (done.changed, done.reacted) == (True, count)
        assert not (await react(changes, user, key)).changed
    other = "a" if key != "a" else "b"
    assert (await state_of(log))["reactions"] == {other: 1, key: 3}
    for user in ("ann", ODD_USER):
        assert (await react(changes, user, key, on=False)).changed
        assert not (await react(changes, user, key, on=False)).changed
    assert (await state_of(log))["reactions"] == {other: 1, key: 1}
    await react(changes, "bob", key, on=False)
    await react(changes, "bob", other, on=False)
    state = await state_of(log)
    assert "reactions" not in state
    assert state["rev"] == (await log.top(ROOM)).offset


async def test_reactions_are_bounded(
    changes: MessageChanges, send: Send, rooms: Memberships
) -> None:
    """Different ones on a message, and of one user among them."""
    await send("hello")
    for number in range(OWN_REACTION_KEYS):
        await react(changes, "ann", f"a{number}")
    with pytest.raises(TooLargeError):
        await react(changes, "ann", "one more")
    for number in range(REACTION_KEYS - OWN_REACTION_KEYS):
        await react(changes, "bob", f"b{number}")
    with pytest.raises(TooLargeError):
        await react(changes, "mod", "one more")
    assert (await react(changes, "mod", "a0")).reacted == 2


async def test_a_storm_of_reactions_does_not_push_messages_out_of_the_log(
    link: RedisClient,
) -> None:
    """A room takes a tenth of its log at once; then they have to wait."""
    log = make_log(link, log_limit=300)
    await sender(log)("hello")
    changes = make_changes(link, log)
    for turn in range(30):
        await react(changes, "ann", "x", on=turn % 2 == 0)
    # Some time may have passed since the first.
    for turn in range(30, 32):
        with suppress(SlowModeError):
            await react(changes, "ann", "x", on=turn % 2 == 0)
    with pytest.raises(SlowModeError) as refused:
        await react(changes, "ann", "y")
    assert 0 < (refused.value.retry_after_ms or 0) <= 1000
    assert (await log.read(ROOM, START, limit=100)).proved


async def test_a_large_room_is_told_of_reactions_together(
    link: RedisClient, log: MessageLog, send: Send
) -> None:
    """None of them is an event of its log; the history has them all the same."""
    await send("hello")
    changes = make_changes(link, log, announce_members=1)
    done = await react(changes, "ann", "x")
    assert (done.told, done.changed, done.reacted) == (False, True, 1)
    assert (await log.top(ROOM)).offset == 1
    state = await state_of(log)
    assert (state["reactions"], "rev" in state) == ({"x": 1}, False)


async def test_pins_are_bounded_and_trimmed_ones_make_room(
    changes: MessageChanges, send: Send, redis_client: Redis
) -> None:
    """One that the history has lost is no pin any more."""
    for _ in range(PINS + 1):
        await send()
    for number in range(1, PINS + 1):
        await pin(changes, "mod", number)
    with pytest.raises(TooLargeError):
        await pin(changes, "mod", PINS + 1)
    assert (await pin(changes, "mod", PINS)).duplicate
    await redis_client.hdel(keys.messages(ROOM), "1")
    assert not (await pin(changes, "mod", PINS + 1)).duplicate


async def test_who_enters_is_told_of_the_pins_that_they_may_see(
    changes: MessageChanges, send: Send, rooms: Memberships, redis_client: Redis
) -> None:
    """In the order of their pins; deletion takes one off."""
    for _ in range(3):
        await send()
    for number in (3, 1, 2):
        await pin(changes, "mod", number)
    assert (await rooms.admit(ROOM, "bob")).pins == [3, 1, 2]
    await delete(changes, "ann", 1)
    await redis_client.hset(keys.members(ROOM), "bob", '{"role":"member","since":3}')
    assert (await rooms.admit(ROOM, "bob")).pins == [3]


async def test_errors_have_words_for_the_client(
    changes: MessageChanges, send: Send
) -> None:
    """Every refusal of a script is an error of the protocol, with its reason."""
    await send("hello")
    with pytest.raises(ChatError) as refused:
        await pin(changes, "bob")
    assert json.dumps(refused.value.to_wire())
    assert refused.value.to_wire()["reason"] == "role"
