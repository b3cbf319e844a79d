"""What members do to messages that are there: edit, delete, react, pin.

Who may is judged in the scripts that write. Each change is an event of the room's log;
it carries what holds after it, as a whole.
"""

from collections.abc import Awaitable
from typing import Final

import orjson

from realtime.redis.client import RedisClient
from realtime.redis.script import ScriptRunner
from realtime.store import events, keys, scripts
from realtime.store.message_log import MessageLog
from realtime.store.scripts import Appended, Reacted, Refusal

# Edits of one message: as many events of the log, which keeps some thousands.
EDITS: Final = 100

# Different reactions to one message, and those of one user among them: what fits below
# a message, and what nobody needs more of.
REACTION_KEYS: Final = 20
OWN_REACTION_KEYS: Final = 10

# Pinned messages of a room: a list that is read.
PINS: Final = 50

# Reactions of a room by time. At once a tenth of what the log keeps, so that a storm of
# them does not push the messages out of what can be recovered.
REACTIONS_A_SECOND: Final = 2
BURST_SHARE: Final = 10

# An edit is made anew so often when another one came between its reading and writing.
TRIES: Final = 5


class MessageChanges:
    """Changes messages, in every room.

    All raise:
        NotMemberError: The user is not a member.
        ForbiddenError: They may not.
        NotFoundError: There is no such message, or it was deleted.
        UnavailableError: Nothing was changed.
        OutcomeUnknownError: It may have been; repeating it settles that.

    Args:
        redis: Reads what is changed.
        log: The rooms' logs, by which it is written.
        edit_seconds: Age up to which a message is edited.
        announce_members: Members up to which each reaction is an event of the log.
    """

    def __init__(
        self,
        redis: RedisClient,
        log: MessageLog,
        *,
        edit_seconds: int,
        announce_members: int,
    ) -> None:
        self._redis = redis
        self._log = log
        self._edit_ms = edit_seconds * 1000
        self._announce_members = announce_members
        self._limits = log.limits
        burst = max(REACTION_KEYS, log.limits.events // BURST_SHARE)
        self._reaction_ms = 1000 // REACTIONS_A_SECOND
        self._burst_ms = burst * self._reaction_ms

    async def edit(
        self,
        *,
        room: str,
        user: str,
        message: int,
        client_id: str,
        text: str,
        mentions: list[str] | None,
        fingerprint: str = "",
    ) -> Appended:
        """Give the user's own message a new text, an image's a new caption.

        A repeated ``client_id`` gets the first result. A text that it has already
        changes nothing: that is a duplicate too, of the message itself.

        Raises:
            InvalidError: The client_id was another operation's, or another request's,
                by its ``fingerprint``.
            TooLargeError: It was edited too often.
        """
        words = {"text": text, **({"mentions": mentions} if mentions else {})}

        async def write(writer: ScriptRunner, uid: str) -> Appended | Refusal:
            tries = 0
            while True:
                tries += 1
                found = await self._redis.call("HGET", keys.messages(room), message)
                made = events.edited(found, words)
                done = await scripts.message_edit(
                    writer,
                    log=keys.log(room),
                    messages=keys.messages(room),
                    meta=keys.meta(room),
                    members=keys.members(room),
                    sent=keys.sent(room, user, client_id),
                    mentions=keys.mentions(room),
                    channel=keys.wire_channel(room, self._redis.database),
                    user=user,
                    uid=uid,
                    message=message,
                    rev=made.rev,
                    state=made.state,
                    words=made.words,
                    remember_seconds=self._limits.remember_seconds,
                    log_limit=self._limits.events,
                    log_age_ms=self._limits.age_ms,
                    edit_ms=self._edit_ms,
                    edits_limit=EDITS,
                    fingerprint=fingerprint,
                )
                is_changed = isinstance(done, Refusal) and done.reason == "changed"
                if not is_changed or tries == TRIES:
                    return done

        return await self._log.commit(room, write)

    async def delete(
        self, *, room: str, user: str, message: int, reason: str | None = None
    ) -> Appended:
        """Delete an own message; moderators any.

        Its words, its reactions and its pin are gone with it. A message that was
        deleted before is a duplicate, with offset 0. A reason is told of moderators'
        deletions only.
        """

        def write(writer: ScriptRunner, uid: str) -> Awaitable[Appended | Refusal]:
            return scripts.message_delete(
                writer,
                log=keys.log(room),
                messages=keys.messages(room),
                meta=keys.meta(room),
                members=keys.members(room),
                deleted=keys.deleted(room),
                reactions=keys.reactions(room),
                reactors=keys.reactors(room),
                pins=keys.pins(room),
                mentions=keys.mentions(room),
                mentions_all=keys.mentions_all(room),
                audit=keys.audit(room),
                media=keys.media(room),
                channel=keys.wire_channel(room, self._redis.database),
                user=user,
                uid=uid,
                message=message,
                by=events.deletion_body(user, reason),
                log_limit=self._limits.events,
                log_age_ms=self._limits.age_ms,
                deleted_limit=self._limits.history + self._limits.events,
                by_member=events.deletion_body(user, None),
            )

        return await self._log.commit(room, write)

    async def react(
        self, *, room: str, user: str, message: int, key: str, on: bool
    ) -> Reacted:
        """Set a reaction of a user, or take it back.

        Raises:
            TooLargeError: There are too many different ones.
            SlowModeError: There were too many in this room lately.
        """

        def write(writer: ScriptRunner, uid: str) -> Awaitable[Reacted | Refusal]:
            return scripts.message_react(
                writer,
                log=keys.log(room),
                messages=keys.messages(room),
                meta=keys.meta(room),
                members=keys.members(room),
                reactions=keys.reactions(room),
                reactors=keys.reactors(room),
                channel=keys.wire_channel(room, self._redis.database),
                user=user,
                uid=uid,
                message=message,
                user_json=orjson.dumps(user),
                key_json=orjson.dumps(key),
                on=on,
                log_limit=self._limits.events,
                log_age_ms=self._limits.age_ms,
                announce_members=self._announce_members,
                each_ms=self._reaction_ms,
                burst_ms=self._burst_ms,
                keys_limit=REACTION_KEYS,
                own_limit=OWN_REACTION_KEYS,
            )

        return await self._log.commit(room, write)

    async def pin(self, *, room: str, user: str, message: int, on: bool) -> Appended:
        """Pin a message for all, or take its pin off; one that is so is a duplicate.

        Raises:
            TooLargeError: Too many are pinned.
        """

        def write(writer: ScriptRunner, uid: str) -> Awaitable[Appended | Refusal]:
            return scripts.message_pin(
                writer,
                log=keys.log(room),
                messages=keys.messages(room),
                meta=keys.meta(room),
                members=keys.members(room),
                pins=keys.pins(room),
                channel=keys.wire_channel(room, self._redis.database),
                user=user,
                uid=uid,
                message=message,
                user_json=orjson.dumps(user),
                on=on,
                log_limit=self._limits.events,
                log_age_ms=self._limits.age_ms,
                pins_limit=PINS,
            )

        return await self._log.commit(room, write)
