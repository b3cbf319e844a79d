"""The parts that need no process: what is read, counted, chosen and joined."""

import base64
import os
from collections.abc import Iterator

import pytest

from realtime.elsewhere import Kind
from realtime.engineio.server import EngineServer
from realtime.engineio.sid_marks import MARK_BITS, mark_of
from realtime.node.settings import Settings
from realtime.node.settings_fields import available_cores
from realtime.node.settings_io import SettingsError, load_settings
from realtime.workers.asked import Asked, read
from realtime.workers.balance import Balance
from realtime.workers.counts import SharedCounts
from realtime.workers.restarts import DEATHS, Restarts
from realtime.workers.scrape import join
from realtime.workers.seat import share_of
from realtime.workers.table import State, Table

# Of the worker 77.
SID = base64.urlsafe_b64encode(bytes(12) + (77 << 12 | 5).to_bytes(3, "big"))
TAIL = b" HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def table() -> Iterator[Table]:
    """A table of three workers, who all are ready."""
    made, descriptor = Table.make(3)
    for slot in range(3):
        index = made.take_row(slot=slot, number=slot + 1)
        made.rows[index].state = State.READY
    yield made
    os.close(descriptor)


def test_an_id_tells_who_made_it() -> None:
    """All of a process's do, over the turn of its counter; none equals another."""
    for mark in (0, 1, 2_048, (1 << MARK_BITS) - 1):
        server = EngineServer(sid_mark=mark)
        made = [server.generate_id() for _ in range(5_000)]
        assert {mark_of(sid) for sid in made} == {mark}
        assert {len(sid) for sid in made} == {20}
        assert len(set(made)) == len(made)


@pytest.mark.parametrize(
    ("data", "asked"),
    [
        (b"GET /s/?EIO=4&transport=polling&sid=%b" % SID, Asked(False)),
        (b"GET /s/?EIO=4&transport=polling&sid=%b" % SID + TAIL, Asked(True, 77)),
        (b"\r\nPOST /s/?sid=%b&transport=polling" % SID + TAIL, Asked(True, 77)),
        (b"GET /s/?EIO=4&transport=polling" + TAIL, Asked(True, None, True)),
        (b"GET /s/?transport=polling&sid=short" + TAIL, Asked(True)),
        (b"GET /s/?transport=polling&sid=%bx" % SID + TAIL, Asked(True)),
        (b"GET /s/?transport=polling&xsid=%b" % SID + TAIL, Asked(True, None, True)),
        (b"POST /s/?EIO=4&transport=polling" + TAIL, Asked(True)),
        (b"GET /healthz" + TAIL, Asked(True)),
        (b"G", Asked(False)),
        (b"", Asked(False)),
        (b"\x16\x03\x01", Asked(True)),
        (b"get /", Asked(True)),
    ],
)
def test_what_a_request_line_tells(data: bytes, asked: Asked) -> None:
    """Nothing before it is whole; what cannot be one is not waited for."""
    assert read(data) == asked


def test_what_others_hold_is_counted(table: Table) -> None:
    """By name and kind, and not any more when their worker has ended."""
    first, second, _third = (SharedCounts(table, index) for index in range(3))
    for _ in range(5):
        second.change(Kind.USER_SESSIONS, "ann", 1)
    second.change(Kind.USER_SESSIONS, "ann", -1)
    second.change_unauthenticated(3)
    assert first.held(Kind.USER_SESSIONS, "ann") == 4
    assert first.held(Kind.ADDRESS_SESSIONS, "ann") == 0
    assert second.held(Kind.USER_SESSIONS, "ann") == 0
    assert (first.unauthenticated(), second.unauthenticated()) == (3, 0)
    table.forget_held(1)
    assert first.held(Kind.USER_SESSIONS, "ann") == 0
    assert first.unauthenticated() == 0


def test_a_place_of_a_name_is_nobodys_to_choose() -> None:
    """Another table has other places: who shares one cannot be arranged."""
    places = set()
    for _ in range(8):
        made, descriptor = Table.make(2)
        places.add(made.place_of(Kind.USER_SESSIONS, "ann"))
        os.close(descriptor)
    assert len(places) > 1


def test_new_sessions_go_to_who_has_the_fewest(table: Table) -> None:
    """As many as are missing there, though it has not said yet how many it has."""
    one, two, three = table.rows[:3]
    one.sessions, two.sessions, three.sessions = 20, 10, 20
    here = 20
    balance = Balance(table, one, lambda: here)
    given = [balance.choose() for _ in range(16)]
    assert given[:7] == [two.number] * 7
    assert given[-1] is None
    assert len([each for each in given if each is not None]) < 12


def test_a_worker_that_goes_gives_all_away(table: Table) -> None:
    """Also where it has the fewest; to none that is not ready itself."""
    one, two, three = table.rows[:3]
    two.sessions, three.sessions = 100, 90
    balance = Balance(table, one, lambda: 0)
    assert balance.choose() is None
    one.state = State.LEAVING
    assert balance.choose() == three.number
    three.state = State.SERVING
    assert balance.choose() == two.number
    two.heartbeat -= 10
    assert balance.choose() is None


def test_a_row_is_used_again(table: Table) -> None:
    """A dead worker's as well, when there is no other one."""
    table.rows[0].state = State.DEAD
    taken = [table.take_row(slot=0, number=number) for number in range(4, 10)]
    assert len(set(taken)) == 6
    assert 0 in taken
    assert table.head.starts[0] == 7


def test_who_dies_again_and_again_is_given_up() -> None:
    """Later each time; not for deaths that are long ago."""
    restarts = Restarts()
    pauses = []
    for _ in range(DEATHS - 1):
        restarts.ended(1_000.0)
        assert restarts.due is not None
        pauses.append(round(restarts.due - 1_000.0, 1))
    assert pauses == [0.1, 0.3, 0.9, 2.7]
    restarts.ended(1_000.0)
    assert restarts.has_given_up
    assert restarts.due is None
    restarts.begin_anew()
    restarts.ended(1_000.0)
    assert not restarts.has_given_up
    for at in range(2_000, 3_000, 50):
        restarts.ended(at)
        assert not restarts.has_given_up


def test_numbers_of_workers_are_joined_and_not_added_up() -> None:
    """Each sample is its worker's, each family is there once."""
    text = (
        b"# HELP a_total What.\n# TYPE a_total counter\n"
        b'a_total{x="1,}"} 2.0\na_total{x="2"} 3.0\n'
        b"# HELP b More.\n# TYPE b gauge\nb %d\n"
    )
    assert join({0: text % 5, 2: text % 6}).decode().splitlines() == [
        "# HELP a_total What.",
        "# TYPE a_total counter",
        'a_total{x="1,}",worker="0"} 2.0',
        'a_total{x="2",worker="0"} 3.0',
        'a_total{x="1,}",worker="2"} 2.0',
        'a_total{x="2",worker="2"} 3.0',
        "# HELP b More.",
        "# TYPE b gauge",
        'b{worker="0"} 5',
        'b{worker="2"} 6',
    ]


def test_how_many_workers() -> None:
    """A number, or as many as there are cores; anything else is a problem."""
    assert load_settings({"CHATROOM_WORKERS": "3"}).workers == 3
    assert load_settings({"CHATROOM_WORKERS": "auto"}).workers == available_cores()
    for wrong in ("0", "65", "many", "-1", "1.5"):
        with pytest.raises(SettingsError, match="CHATROOM_WORKERS: Must be 1 to 64"):
            load_settings({"CHATROOM_WORKERS": wrong})


def test_what_is_divided_among_workers() -> None:
    """What bounds a machine's memory; never to less than one."""
    settings = Settings(workers=4, node_sessions=10, node_recent_bytes=1 << 20)
    shared = share_of(settings)
    assert (shared.node_sessions, shared.node_recent_bytes) == (3, 1 << 20)
    assert shared.address_sessions == settings.address_sessions
