"""Sessions end when their token does: told once, in time, whatever else happens."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from realtime.errors import UnauthorizedError
from realtime.presence import sessions as sessions_module
from realtime.presence.sessions import ChatSession, Sessions
from tests.kit.clock import Clock
from tests.kit.running import running
from tests.kit.waiting import MS, wait_until


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ended() -> list[str]:
    return []


@pytest.fixture
async def sessions(
    clock: Clock, ended: list[str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Sessions]:
    # The clock of these tests jumps; the task is to look at it often.
    monkeypatch.setattr(sessions_module, "LONGEST_SLEEP_SECONDS", 5 * MS)
    sessions = Sessions(clock=clock)

    async def expire(session: ChatSession) -> None:
        ended.append(session.sid)
        sessions.close(session.sid)

    async with running(sessions.run(expire)):
        yield sessions


async def test_a_session_ends_when_its_token_does(
    sessions: Sessions, clock: Clock, ended: list[str]
) -> None:
    """Sessions end in the order of their tokens' expiry, those without one never."""
    for sid, seconds in (("late", 60), ("early", 10), ("soon", 30)):
        sessions.open(ChatSession(sid, "ann", expires_at=clock.now + seconds))
    sessions.open(ChatSession("forever", "ann"))
    for passed, expected in ((10, ["early"]), (20, ["early", "soon"])):
        clock.now += passed
        await wait_until(lambda: len(ended) == len(expected), "it ended")  # noqa: B023
        assert ended == expected
    clock.now += 10_000_000
    await wait_until(lambda: ended == ["early", "soon", "late"], "the last one ended")
    assert [session.sid for session in sessions] == ["forever"]


async def test_an_expired_session_is_gone_at_once(
    sessions: Sessions, clock: Clock
) -> None:
    """Nothing is carried out for it, even before it is closed."""
    session = ChatSession("a", "ann", expires_at=clock.now + 10)
    sessions.open(session)
    assert sessions.find("a") is session
    clock.now += 10
    assert sessions.find("a") is None


async def test_a_refreshed_session_lives_on(
    sessions: Sessions, clock: Clock, ended: list[str]
) -> None:
    """The old expiry passes without notice, the new one counts."""
    refreshed = ChatSession("a", "ann", expires_at=clock.now + 10)
    sessions.open(refreshed)
    sessions.open(ChatSession("other", "bob", expires_at=clock.now + 20))
    sessions.refresh(
        refreshed, user="ann", name="Ann", picture=None, expires_at=clock.now + 60
    )
    clock.now += 20
    await wait_until(lambda: ended == ["other"], "the other one ended")
    assert sessions.find("a") is refreshed
    clock.now += 40
    await wait_until(lambda: ended == ["other", "a"], "it ended")


async def test_a_refresh_may_shorten_or_lift_the_expiry(
    sessions: Sessions, clock: Clock, ended: list[str]
) -> None:
    """The newest token counts, whatever it says."""
    short, lifted = (
        ChatSession("a", "ann", expires_at=clock.now + 9_000),
        ChatSession("b", "bob"),
    )
    sessions.open(short)
    lifted.expires_at = clock.now + 10
    sessions.open(lifted)
    sessions.refresh(
        short, user="ann", name=None, picture=None, expires_at=clock.now + 20
    )
    sessions.refresh(lifted, user="bob", name=None, picture=None, expires_at=None)
    clock.now += 20
    await wait_until(lambda: ended == ["a"], "the shortened one ended")
    assert sessions.find("b") is lifted


async def test_a_session_stays_its_users(sessions: Sessions, clock: Clock) -> None:
    """A token of somebody else does not take a session over."""
    session = ChatSession("a", "ann", expires_at=clock.now + 10)
    sessions.open(session)
    with pytest.raises(UnauthorizedError):
        sessions.refresh(session, user="bob", name=None, picture=None, expires_at=None)
    assert session.user == "ann"
    assert session.expires_at == clock.now + 10


async def test_one_that_cannot_be_closed_holds_nobody_up(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A failing or hanging close is logged; the other sessions end."""
    monkeypatch.setattr(sessions_module, "LONGEST_SLEEP_SECONDS", 5 * MS)
    monkeypatch.setattr(sessions_module, "EXPIRE_SECONDS", 50 * MS)
    sessions, ended = Sessions(clock=clock), []

    async def expire(session: ChatSession) -> None:
        if session.sid == "hangs":
            await asyncio.Event().wait()
        if session.sid == "fails":
            raise OSError("no")
        ended.append(session.sid)

    async with running(sessions.run(expire)):
        for sid in ("hangs", "fails", "good"):
            sessions.open(ChatSession(sid, "ann", expires_at=clock.now + 1))
        with caplog.at_level(logging.ERROR):
            clock.now += 1
            await wait_until(lambda: ended == ["good"], "the good one ended")
            sessions.open(ChatSession("next", "ann", expires_at=clock.now + 1))
            clock.now += 1
            await wait_until(lambda: ended == ["good", "next"], "the next one ended")
        assert len(caplog.records) == 2


async def test_refreshing_again_and_again_does_not_grow(
    sessions: Sessions, clock: Clock
) -> None:
    """A client that refreshes in a loop costs no memory."""
    session = ChatSession("a", "ann", expires_at=clock.now + 10)
    sessions.open(session)
    for number in range(5_000):
        sessions.refresh(
            session, user="ann", name=None, picture=None, expires_at=clock.now + number
        )
    assert sessions.held()["session_ends"] < 2_000
