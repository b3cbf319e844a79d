"""Deliberate defects of the server: each breaks one promise on purpose."""

import asyncio
import random
from collections.abc import Callable, Collection, Hashable, Sequence
from importlib import import_module
from typing import Any

from realtime.pacing import Turnstile
from realtime.presence.roster import AttendingSession, Roster
from realtime.redis.client import RedisClient
from realtime.redis.command import PendingCommand
from realtime.redis.connection import Argument
from realtime.redis.script import Script
from realtime.rooms.catch_up import CatchUp
from realtime.rooms.feed import RoomFeed, Verdict
from realtime.rooms.feeds import RoomFeeds
from realtime.rooms.quitting import Quitting
from realtime.rooms.replay_buffer import RecentEvents
from realtime.store import scripts
from tests.kit.waiting import MS

# A defect that needs two steps to be far enough apart: as on a busy Redis.
WINDOW_SECONDS = 20 * MS

_judge = RoomFeed.judge
_run = RedisClient.run_script


def catch_up_off() -> None:
    """What was missed is never read from the log; the next event is delivered."""

    def judge(self: RoomFeed, position: Any) -> Verdict:
        verdict = _judge(self, position)
        return Verdict.NEXT if verdict is Verdict.GAP else verdict

    def begin(self: CatchUp, channel: str, feed: RoomFeed) -> None:
        feed.live = True

    RoomFeed.judge = judge  # type: ignore[method-assign]
    CatchUp.begin = begin  # type: ignore[method-assign]


def deduplication_off() -> None:
    """A clientId that was stored is stored again."""
    _change_script("MESSAGE_LOG_APPEND", "if first then", "if false then")


def reads_go_backwards() -> None:
    """A lower mark replaces a higher one."""
    _change_script(
        "READ_MARKS_RAISE", "if mark <= before then", "if mark == before then"
    )


def numbers_outside_the_script() -> None:
    """The number is drawn first; another sender's script may run in between."""
    for name, field in (("offset", "known[1]"), ("number", "known[OWN]")):
        _change_script(
            "MESSAGE_LOG_APPEND",
            f"local {name} = tonumber({field} or '0') + 1",
            f"local {name} = tonumber(ARGV[#ARGV])",
        )

    async def append(
        link: RedisClient, keys: Sequence[str], args: Sequence[Argument]
    ) -> Any:
        number = await link.call("HINCRBY", keys[2], "mutantNumber", 1)
        await asyncio.sleep(number % 2 * WINDOW_SECONDS)
        return await _run(link, scripts.MESSAGE_LOG_APPEND, keys, (*args, number))

    _replace_append(append)


def publish_before_store() -> None:
    """Published at once, stored a moment later."""

    async def append(
        link: RedisClient, keys: Sequence[str], args: Sequence[Argument]
    ) -> Any:
        log, messages, meta, last_read, _members, _slow, sent = keys[:7]
        channel, command, user, uid, body, ttl = args[:6]
        assert isinstance(uid, str)
        assert isinstance(body, bytes)
        if first := await link.call("GET", sent):
            known_message, known_offset, known_uid = first.split()
            return [1, int(known_message), int(known_offset), known_uid, 0]
        number = await link.call("HINCRBY", meta, "lastMessage", 1)
        offset = await link.call("HINCRBY", meta, "offset", 1)
        head = f'{{"offset":{offset},"uid":"{uid}","message":{number},'
        message = head.encode() + body + b',"at":0}'
        event = b'["message",' + message + b"]"
        await link.call(command, channel, event)
        await asyncio.sleep(WINDOW_SECONDS)
        fields = ("uid", uid, "at", 0, "event", event)
        await link.call("XADD", log, f"{offset}-0", *fields)
        await link.call("HSET", meta, "uid", uid)
        await link.call("HSET", messages, number, message)
        await link.call("ZADD", last_read, number, user)
        await link.call("SET", sent, f"{number} {offset} {uid}", "EX", ttl)
        return [0, number, offset, uid.encode(), 0]

    _replace_append(append)


def resubscribe_without_catch_up() -> None:
    """After a cut a room goes on from the log's top, wherever it was before."""

    async def skip(catch_up: CatchUp, feed: RoomFeed) -> None:
        feed.restart(await catch_up._log.top(feed.room))
        feed.live = True

    def ready(self: RoomFeeds, _channels: Collection[str] | None = None) -> None:
        for channel, feed in self._feeds.items():
            if self._catch_up.opened(channel) is None:
                self._catch_up._start(channel, feed, skip(self._catch_up, feed))

    RoomFeeds.ready = ready  # type: ignore[method-assign, assignment]


def lost_tail_not_told() -> None:
    """When the log lost what was delivered, its room goes on as if nothing was."""
    deliver = CatchUp._deliver

    def keep_quiet(self: CatchUp, channel: str, events: list[bytes]) -> None:
        if not events[0].startswith(b'["reload"'):
            deliver(self, channel, events)

    CatchUp._deliver = keep_quiet  # type: ignore[method-assign]


def unknown_told_as_refused() -> None:
    """A send that Redis may have carried out is said not to have been."""
    give_up = PendingCommand.give_up

    def lie(self: PendingCommand) -> None:
        self.written = False
        give_up(self)

    PendingCommand.give_up = lie  # type: ignore[method-assign]


def sessions_kept() -> None:
    """Of each session that attended a room something is kept when it has ended."""
    end = Roster.end

    def keep(self: Roster, session: AttendingSession) -> None:
        end(self, session)
        self._sessions[session.sid] = session

    Roster.end = keep  # type: ignore[method-assign]


def late_ones_first() -> None:
    """Of what one user sends in a row the later ones may begin earlier."""

    async def enter(self: Turnstile, kind: Hashable = None) -> None:
        await asyncio.sleep(random.random() * WINDOW_SECONDS)

    Turnstile.enter = enter  # type: ignore[method-assign]


def deleted_words_recovered() -> None:
    """The log and the nodes' memory give the words of deleted messages away."""
    _change_script("MESSAGE_LOG_READ", "if top[3] then", "if false then")

    def keep(self: RecentEvents, number: int, deletion: bytes) -> None:
        """Erase nothing."""

    RecentEvents.erase = keep  # type: ignore[method-assign]


def edits_not_kept() -> None:
    """They are told to who is here, and the history has the words from before."""
    _change_script(
        "MESSAGE_EDIT",
        "redis.call('HSET', messages, message, new_state",
        "redis.call('ECHO', new_state",
    )


def edits_repeated() -> None:
    """The clientId of an edit that was stored is stored again."""
    _change_script("MESSAGE_EDIT", "if first then", "if false then")


def reactions_miscounted() -> None:
    """Who takes a reaction back is still counted."""
    _change_script("MESSAGE_REACT", "(on and 1 or -1)", "(on and 1 or 0)")


def pins_not_kept() -> None:
    """A pin is told and not stored."""
    _change_script(
        "MESSAGE_PIN",
        "redis.call('ZADD', pins, event.offset_text, message)",
        "redis.call('ZSCORE', pins, message)",
    )


def renames_not_kept() -> None:
    """A new name is told and not stored."""
    _change_script(
        "ROOM_SET",
        "redis.call('HSET', meta, name, value)",
        "redis.call('HGET', meta, name)",
    )


def newcomers_see_all() -> None:
    """Who is added sees the past of a room that keeps it from newcomers."""
    _change_script("MEMBERS_ADD", "history == 'joined' and", "false and")


def put_out_hear_on() -> None:
    """Who was put out gets what comes until a node has asked Redis about them."""

    def wait(self: Quitting, channel: str, user: str, offset: int) -> None:
        """Leave it to the control message, which is behind."""

    Quitting.put_out = wait  # type: ignore[method-assign]


def bans_not_kept() -> None:
    """Who is banned comes back by a join."""
    _change_script("MEMBERSHIP_ADMIT", "if banned_until > now then", "if false then")


def mutes_not_heeded() -> None:
    """Who is muted writes on."""
    looked_at = "or string.find(record, 'muted', 1, true) then"
    _change_script("MESSAGE_LOG_APPEND", looked_at, "then")


def roles_not_heeded() -> None:
    """A member puts others out."""
    _change_script(
        "MEMBER_REMOVE",
        "if rank_of(actor) < 2 or rank_of(actor) <= rank_of(target) then",
        "if false then",
    )


MUTANTS: dict[str, Callable[[], None]] = {
    mutant.__name__: mutant
    for mutant in (
        bans_not_kept,
        catch_up_off,
        deduplication_off,
        deleted_words_recovered,
        edits_not_kept,
        edits_repeated,
        late_ones_first,
        lost_tail_not_told,
        mutes_not_heeded,
        newcomers_see_all,
        numbers_outside_the_script,
        pins_not_kept,
        publish_before_store,
        put_out_hear_on,
        reactions_miscounted,
        reads_go_backwards,
        renames_not_kept,
        resubscribe_without_catch_up,
        roles_not_heeded,
        sessions_kept,
        unknown_told_as_refused,
    )
}


def _change_script(name: str, old: str, new: str) -> None:
    module = import_module(getattr(scripts, name.lower()).__module__)
    script: Script = getattr(module, name)
    assert script.source.count(old) == 1, f"{name} has changed; so must the mutant"
    changed = Script(script.name, script.source.replace(old, new))
    for each in (module, scripts):
        setattr(each, name, changed)


def _replace_append(append: Callable[..., Any]) -> None:
    name = scripts.MESSAGE_LOG_APPEND.name

    def run(
        self: RedisClient, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> Any:
        if script.name == name:
            return append(self, keys, args)
        return _run(self, script, keys, args)

    RedisClient.run_script = run  # type: ignore[method-assign]
