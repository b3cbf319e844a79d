"""One room on a node: what an arriving event means, and what memory can prove."""

from hypothesis import given
from hypothesis import strategies as st

from realtime.rooms.feed import ENTRY_EVENTS, RoomFeed, Verdict
from realtime.rooms.replay_buffer import RECENT_BYTES, RECENT_EVENTS, RecentMemory
from realtime.store.position import START, Position

TOP = 12


def place(offset: int, lineage: str = "a") -> Position:
    """Return the position of an event of a history."""
    return Position(offset, f"{lineage}{offset}")


def event(offset: int) -> bytes:
    """Return an event's bytes; a feed does not look into them."""
    return b'["message",{"offset":%d}]' % offset


def feed_at(offset: int, *, delivered: int = 0) -> RoomFeed:
    """Return a live feed at an offset, whose last events were ``delivered``."""
    feed = RoomFeed("42")
    feed.restart(place(offset - delivered) if offset > delivered else START)
    for number in range(offset - delivered + 1, offset + 1):
        feed.advance(place(number), event(number))
    feed.live = True
    return feed


def test_the_next_event_is_delivered() -> None:
    """One above the position, whatever its uid: that is how a log grows."""
    assert feed_at(5).judge(place(6)) is Verdict.NEXT


def test_a_later_event_shows_a_gap() -> None:
    """What lies between must be read from the log first."""
    assert feed_at(5).judge(place(7)) is Verdict.GAP


def test_a_known_event_is_dropped() -> None:
    """It came twice: once by the log, once by publication."""
    feed = feed_at(5, delivered=3)
    assert feed.judge(place(5)) is Verdict.KNOWN
    assert feed.judge(place(3)) is Verdict.KNOWN


def test_an_event_of_another_history_is_no_known_one() -> None:
    """Same offset, other uid: the log lost its tail and grew again."""
    feed = feed_at(5, delivered=3)
    assert feed.judge(place(5, "b")) is Verdict.GAP
    assert feed.judge(place(4, "b")) is Verdict.GAP


def test_an_old_event_that_memory_cannot_judge_is_looked_up() -> None:
    """Dropping it might hide that the log lost its tail."""
    assert feed_at(500, delivered=3).judge(place(7)) is Verdict.GAP


def test_while_the_log_is_read_nothing_is_delivered() -> None:
    """The reader gets it from the log; it is told how far it must read."""
    feed = feed_at(5)
    feed.live = False
    assert feed.judge(place(6)) is Verdict.KNOWN
    assert feed.judge(place(9)) is Verdict.KNOWN
    assert feed.judge(place(8)) is Verdict.KNOWN
    assert feed.highest_seen == 9


@given(st.lists(st.integers(1, TOP), max_size=60), st.integers(0, 3))
def test_whatever_arrives_what_is_delivered_is_contiguous(
    arrivals: list[int], start: int
) -> None:
    """Lost, doubled or reordered publications: each event once, in order.

    A gap is closed from the log, as a node does it.
    """
    feed = feed_at(start)
    delivered: list[int] = []
    top = start
    for offset in arrivals:
        # Stored and published are one step: what arrives is in the log.
        top = max(top, offset)
        verdict = feed.judge(place(offset))
        if verdict is Verdict.KNOWN:
            continue
        last = offset if verdict is Verdict.NEXT else top
        for number in range(feed.position.offset + 1, last + 1):
            feed.advance(place(number), event(number))
            delivered.append(number)
    assert delivered == list(range(start + 1, top + 1))


@given(
    st.integers(0, 400), st.integers(0, 420), st.integers(0, 420), st.sampled_from("ab")
)
def test_memory_gives_exactly_what_followed_or_nothing(
    delivered: int, begin: int, asked: int, lineage: str
) -> None:
    """A recovery from memory is complete and of this history, or it is not made."""
    feed = feed_at(begin + delivered, delivered=delivered)
    cursor = place(asked, lineage) if asked else START
    found = feed.recent.after(cursor)
    true = asked == 0 or lineage == "a"
    if not true:
        assert found is None
    elif found is not None:
        assert found == [event(n) for n in range(asked + 1, begin + delivered + 1)]
    elif asked == begin + delivered:
        # The present position is always known, however empty the memory is.
        assert begin == 0 or asked == 0


def test_memory_holds_the_last_events_of_a_room() -> None:
    """A reconnect storm after a minute is served without Redis."""
    feed = feed_at(RECENT_EVENTS + 50, delivered=RECENT_EVENTS + 50)
    assert feed.recent.after(place(49)) is None
    found = feed.recent.after(place(50))
    assert found is not None
    assert len(found) == RECENT_EVENTS


def test_memory_is_bounded_in_bytes() -> None:
    """A room of huge texts holds fewer of them, but always the last one."""
    feed = RoomFeed("42")
    large = b"x" * (RECENT_BYTES // 3)
    for number in range(1, 20):
        feed.advance(place(number), large)
    assert feed.recent.after(place(16)) == [large] * 3
    assert feed.recent.after(place(15)) is None
    huge = b"x" * (RECENT_BYTES * 2)
    feed.advance(place(20), huge)
    assert feed.recent.after(place(19)) == [huge]
    assert feed.recent.after(place(18)) is None


def test_the_memory_of_all_rooms_is_bounded() -> None:
    """When it is full, rooms keep their last event; what ended gives room again."""
    memory = RecentMemory(limit_bytes=1000)
    quiet, busy = RoomFeed("1", memory), RoomFeed("2", memory)
    event = b"x" * 300
    for number in (1, 2, 3):
        quiet.advance(place(number), event)
    for number in (1, 2, 3):
        busy.advance(place(number), event)
    assert quiet.recent.after(place(1)) == [event] * 2
    assert busy.recent.after(place(2)) == [event]
    assert busy.recent.after(place(1)) is None
    assert memory.limited["node_recent_bytes"] == 3
    quiet.recent.forget()
    for number in (4, 5):
        busy.advance(place(number), event)
    assert busy.recent.after(place(2)) == [event] * 3
    assert memory.used_bytes == 900


def stored(offset: int, lineage: str = "a") -> bytes:
    """Return an event as the log holds it."""
    return b'["message",{"offset":%d,"uid":"%s%d"}]' % (
        offset,
        lineage.encode(),
        offset,
    )


@given(st.integers(0, 40), st.integers(0, 300), st.integers(0, 30), st.data())
def test_what_one_session_read_is_there_for_the_next(
    since: int, read: int, passed: int, data: st.DataObject
) -> None:
    """Events from the log join memory where they meet it, and nowhere else."""
    memory = RecentMemory()
    feed = RoomFeed("42", memory)
    feed.restart(place(since + read) if since + read else START)
    top = since + read + passed
    for number in range(since + read + 1, top + 1):
        feed.advance(place(number), stored(number))
    lineage = data.draw(st.sampled_from("ab"))
    events = [stored(n, lineage) for n in range(since + 1, since + read + 1)]
    feed.recent.remember(place(since) if since else START, events)
    known = data.draw(st.integers(since, top))
    upto = data.draw(st.integers(known, top))
    found = feed.recent.after(place(known) if known else START, upto=upto)
    if found is not None:
        assert found == [stored(n) for n in range(known + 1, upto + 1)]
    elif lineage == "a":
        assert top - known > RECENT_EVENTS
    feed.recent.forget()
    assert memory.used_bytes == 0
    assert feed.recent.after(place(known) if known else START) in (None, [])


def test_a_restart_forgets_the_other_history() -> None:
    """What was delivered is not this log's past: it proves nothing any more."""
    feed = feed_at(5, delivered=5)
    feed.restart(place(3, "b"))
    assert feed.recent.after(place(4)) is None
    assert feed.recent.after(place(3)) is None
    assert feed.recent.after(place(3, "b")) == []


def test_an_entry_collects_what_passes_until_it_ends() -> None:
    """The ack of a join reaches exactly up to the room's first live event."""
    feed = feed_at(5)
    entry = feed.begin_entry()
    feed.advance(place(6), event(6))
    feed.advance(place(7), event(7))
    feed.end_entry(entry)
    feed.advance(place(8), event(8))
    assert (entry.start, entry.tail) == (place(5), [event(6), event(7)])
    assert not entry.broken


def test_an_entry_is_broken_when_the_log_lost_its_tail() -> None:
    """Its start is of a history that is no more."""
    feed = feed_at(5)
    entry = feed.begin_entry()
    feed.restart(place(2, "b"))
    assert entry.broken


def test_an_entry_that_is_overtaken_is_broken_and_stays_small() -> None:
    """A join that hangs must not collect a busy room for ever."""
    feed = feed_at(5)
    entry = feed.begin_entry()
    for number in range(6, 6 + 3 * ENTRY_EVENTS):
        feed.advance(place(number), event(number))
    assert entry.broken
    assert len(entry.tail) <= ENTRY_EVENTS + 1


def test_a_feed_that_kept_up_with_the_log() -> None:
    """The top was delivered when it was asked for, or has been since."""
    feed = feed_at(5, delivered=5)
    asked = feed.position
    assert feed.is_up_to(place(5), asked)
    assert not feed.is_up_to(place(6), asked)
    for number in range(6, 6 + 2 * RECENT_EVENTS):
        feed.advance(place(number), event(number))
    assert feed.is_up_to(place(5), asked)
    assert feed.is_up_to(place(6), asked)
    assert feed.is_up_to(feed.position, asked)


def test_a_feed_whose_log_is_another_one() -> None:
    """The log's top is below what was delivered, or not what was delivered there."""
    feed = feed_at(300, delivered=300)
    asked = feed.position
    assert not feed.is_up_to(place(299), asked)
    assert not feed.is_up_to(place(2), asked)
    assert not feed.is_up_to(place(300, "b"), asked)
    feed.advance(place(301), event(301))
    assert not feed.is_up_to(place(301, "b"), asked)
    assert RoomFeed("42").is_up_to(START, START) is False


def test_a_feed_that_is_being_read_is_not_up_to_anything() -> None:
    """Whoever looks has it read again, if nobody reads it already."""
    feed = feed_at(5)
    feed.live = False
    assert not feed.is_up_to(place(5), place(5))
