"""Who is in which room: as python-socketio's own bookkeeping, and nothing is left."""

from typing import Any

import pytest
import socketio

from realtime.socketio.room_index import RoomIndex


class Index(RoomIndex, socketio.AsyncManager):  # type: ignore[misc] # untyped
    """The index in front of the library's plain manager."""


@pytest.fixture
def index() -> Any:
    """An index of a server that is not running."""
    made = Index()
    made.set_server(socketio.AsyncServer(async_mode="aiohttp"))
    return made


async def connect(index: Any, eio_sid: str, namespace: str = "/chat") -> str:
    """Connect a session and return its sid."""
    sid = await index.connect(eio_sid, namespace)
    assert isinstance(sid, str)
    return sid


async def test_a_session_is_found_by_both_names(index: Any) -> None:
    """The connection's id and the session's lead to each other, by namespace."""
    sid = await connect(index, "e1")
    other = await connect(index, "e1", "/other")
    assert sid != other
    assert index.sid_from_eio_sid("e1", "/chat") == sid
    assert index.sid_from_eio_sid("e1", "/other") == other
    assert index.eio_sid_from_sid(sid, "/chat") == "e1"
    assert index.eio_sid_from_sid(sid, "/other") is None
    assert index.is_connected(sid, "/chat")


async def test_a_connection_is_in_a_namespace_once(index: Any) -> None:
    """A second connect of the same connection is refused."""
    await connect(index, "e1")
    assert await index.connect("e1", "/chat") is None
    assert await index.pre_connect("e1", "/chat") is None


async def test_a_session_that_is_being_authenticated(index: Any) -> None:
    """It is known but not connected, until the handler has let it in."""
    sid = await index.pre_connect("e1", "/chat")
    assert index.is_pre_connected(sid, "/chat")
    assert not index.is_connected(sid, "/chat")
    assert await index.connect(sid, "/chat") == sid
    assert not index.is_pre_connected(sid, "/chat")
    assert index.is_connected(sid, "/chat")


async def test_a_session_on_its_way_out(index: Any) -> None:
    """While its handler runs it can be written to, but is not connected."""
    sid = await connect(index, "e1")
    assert index.pre_disconnect(sid, "/chat") == "e1"
    assert not index.is_connected(sid, "/chat")
    assert index.eio_sid_from_sid(sid, "/chat") == "e1"


async def test_rooms_of_a_session(index: Any) -> None:
    """Its own comes first; entering or leaving twice is fine."""
    sid = await connect(index, "e1")
    for room in ("a", "b", "a"):
        index.basic_enter_room(sid, "/chat", room)
    assert index.get_rooms(sid, "/chat") == [sid, "a", "b"]
    index.basic_leave_room(sid, "/chat", "a")
    index.basic_leave_room(sid, "/chat", "a")
    index.basic_leave_room(sid, "/chat", "never")
    assert index.get_rooms(sid, "/chat") == [sid, "b"]
    assert index.get_rooms("nobody", "/chat") == []


async def test_participants_of_a_room_of_several_and_of_all(index: Any) -> None:
    """A session in two of the rooms asked for is named once."""
    one, two, three = [await connect(index, f"e{n}") for n in (1, 2, 3)]
    for sid, room in ((one, "a"), (two, "a"), (two, "b")):
        index.basic_enter_room(sid, "/chat", room)
    everybody = dict(index.get_participants("/chat", None))
    assert everybody == {one: "e1", two: "e2", three: "e3"}
    assert dict(index.get_participants("/chat", "a")) == {one: "e1", two: "e2"}
    assert list(index.get_participants("/chat", ["a", "b"])) == [
        (one, "e1"),
        (two, "e2"),
    ]
    assert dict(index.get_participants("/chat", three)) == {three: "e3"}
    assert dict(index.get_participants("/chat", "nobody")) == {}
    assert dict(index.get_participants("/other", "a")) == {}


async def test_a_session_s_own_room_is_its_own(index: Any) -> None:
    """Nobody else may enter it, and it cannot be closed."""
    one, two = [await connect(index, f"e{n}") for n in (1, 2)]
    index.basic_enter_room(one, "/chat", one)
    with pytest.raises(ValueError, match="sid room"):
        index.basic_enter_room(two, "/chat", one)
    with pytest.raises(ValueError, match="sid room"):
        index.basic_close_room(one, "/chat")
    with pytest.raises(ValueError, match="not connected"):
        index.basic_enter_room("nobody", "/chat", "a")


async def test_closing_a_room_takes_everybody_out(index: Any) -> None:
    """The sessions stay connected."""
    sids = [await connect(index, f"e{n}") for n in (1, 2)]
    for sid in sids:
        index.basic_enter_room(sid, "/chat", "a")
    index.basic_close_room("a", "/chat")
    assert dict(index.get_participants("/chat", "a")) == {}
    assert all(index.is_connected(sid, "/chat") for sid in sids)


async def test_a_session_that_ended_leaves_nothing_behind(index: Any) -> None:
    """A server that runs for months holds what is connected, and no more."""
    sid = await index.pre_connect("e1", "/chat")
    await index.connect(sid, "/chat")
    index.basic_enter_room(sid, "/chat", "a")
    index.callbacks[sid] = {1: print}
    index.pre_disconnect(sid, "/chat")
    index.basic_disconnect(sid, "/chat")
    index.basic_disconnect(sid, "/chat")
    assert not index.rooms
    assert not any(index.held().values())


async def test_a_refused_session_leaves_nothing_behind(index: Any) -> None:
    """Nor does one that was never let in."""
    sid = await index.pre_connect("e1", "/chat")
    await index.disconnect(sid, "/chat")
    assert not index.rooms
    assert not index.pending_connect
    assert await index.connect("e1", "/chat")
