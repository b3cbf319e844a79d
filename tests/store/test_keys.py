"""Redis keys: what belongs together must hash to one slot of a Redis Cluster."""

import re
from inspect import isfunction, signature

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.redis.channels import plain_name
from realtime.store import keys

ROOMS = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
USERS = st.text(
    st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=128
)
SLOTS = 16384


def slot(key: str) -> int:
    """Return what ``CLUSTER KEYSLOT`` answers: CRC16/XMODEM of the hash tag."""
    found = re.search(r"\{([^}]+)\}", key)
    crc = 0
    for byte in (found[1] if found else key).encode():
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
    return (crc & 0xFFFF) % SLOTS


def room_keys(room: str, user: str) -> list[str]:
    """Return every key of a room."""
    return [
        keys.log(room),
        keys.messages(room),
        keys.meta(room),
        keys.last_read(room),
        keys.members(room),
        keys.sessions(room),
        keys.online(room),
        keys.sent(room, user, "c1"),
    ]


def test_the_slot_formula_is_redis_own() -> None:
    """Values that ``CLUSTER KEYSLOT`` gives, so that the tests below mean it."""
    assert slot("foo") == 12182
    assert slot("{foo}:bar") == 12182
    assert slot("123456789") == 0x31C3 % SLOTS


@given(ROOMS, USERS)
def test_a_room_s_keys_and_its_channel_share_a_slot(room: str, user: str) -> None:
    """One script reaches them all, whoever sends, and publishes on the same shard."""
    slots = {slot(key) for key in room_keys(room, user)}
    assert slots == {slot(keys.channel(room))}


@given(ROOMS, USERS)
def test_a_room_s_keys_all_differ(room: str, user: str) -> None:
    """No two of them are the same key."""
    all_keys = room_keys(room, user)
    assert len(set(all_keys)) == len(all_keys)


@given(st.tuples(USERS, USERS))
def test_two_users_never_share_a_key(users: tuple[str, str]) -> None:
    """Names are percent-encoded: no name reaches another one's key or slot tag."""
    ann, bob = users
    same = ann == bob
    assert (keys.user_rooms(ann) == keys.user_rooms(bob)) is same
    assert (keys.sent("r", ann, "c") == keys.sent("r", bob, "c")) is same
    assert keys.user_rooms(ann).count("}") == 1
    assert keys.sent("r", ann, "c").count("}") == 1


def test_a_user_cannot_reach_another_client_id() -> None:
    """A colon in a name does not shift the parts of the key."""
    assert keys.sent("r", "a:b", "c") != keys.sent("r", "a", "b:c")


@pytest.mark.parametrize("room", ["42", "chatroom-42", "-", "a_b"])
def test_a_channel_gives_its_room_back(room: str) -> None:
    """The channel is readable: ``chatroom-`` and the room's id."""
    assert keys.channel(room) == f"chatroom-{room}"
    assert keys.room_of_channel(keys.channel(room)) == room


@given(ROOMS, st.integers(0, 999))
def test_a_channel_of_a_database_keeps_its_slot(room: str, database: int) -> None:
    """In database 0 it is the channel itself; its name can be told from any other's."""
    name = keys.wire_channel(room, database)
    assert slot(name) == slot(keys.channel(room))
    assert plain_name(name.encode(), database) == keys.channel(room).encode()
    assert (name == keys.channel(room)) is (database == 0)


def test_each_key_of_a_room_ends() -> None:
    """With the room, or as its own line says; whoever adds one says which."""
    by_themselves = {
        *("members", "member_ids", "staff"),  # empty, when all have left
        *("quits", "slow", "ended"),  # each write gives it a TTL
        "blocks",  # stays with the two users, as what they set
    }
    built = {
        name: function("42")
        for name, function in vars(keys).items()
        if isfunction(function) and [*signature(function).parameters] == ["room"]
    }
    of_rooms = {name for name, key in built.items() if str(key).startswith("{chatroom")}
    ending = {name for name in of_rooms if built[name] in keys.ending("42")}
    assert of_rooms - ending == by_themselves
    assert len(keys.ending("42")) == len(set(keys.ending("42"))) == len(ending)
