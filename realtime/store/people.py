"""What somebody does to a room and its people, by their role: one script each.

The role that counts is the one that the actor has when the script runs.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from realtime.errors import (
    ChatError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    changed_before,
)
from realtime.redis.client import RedisClient
from realtime.redis.script import ScriptRunner
from realtime.store import events, keys, scripts
from realtime.store.membership import DIRECT_PREFIX, QUITS_KEPT_SECONDS, Memberships
from realtime.store.message_log import MessageLog
from realtime.store.personal_log import PersonalLog
from realtime.store.refusals import granted
from realtime.store.room_index import note_room
from realtime.store.scripts import Listed, Refusal, Standing
from realtime.tasks import gather_started
from schemas.field_types import KEY_SENDER

# Users that a room may have banned at a time.
ROOM_BANS = 1_000
# A ban without an end: ten years.
FOREVER_MS = 10 * 365 * 24 * 3600 * 1000
# For those who pass events on to be done with a room that was deleted: a day.
ENDED_SECONDS = 24 * 3600
# Settings that only an owner may change; moderators may change the others.
OWNERS_SETTINGS = frozenset({"history", "kind", "writers"})
_INFO = (
    *("kind", "name", "topic", "data", "history", "writers", "invite", "slow"),
    *("createdAt", "createdBy", "lastMessage"),
)


class MemberEntry(NamedTuple):
    """A line of a room's list of members; times in Unix ms."""

    user: str
    role: str
    joined_at: int
    muted_until: int | None
    online: bool


class RoomInfo(NamedTuple):
    """What a room is: of ``about`` as it is stored, only what is set."""

    about: Mapping[str, str]
    members: int
    online: int


class People:
    """Acts on rooms and their members; each is told to the room by an event of its log.

    All raise ForbiddenError if the actor's role does not allow it (NotMemberError for
    who is no member), UnavailableError if nothing was done, OutcomeUnknownError if it
    may have been.

    Args:
        redis: The client that carries commands out.
        memberships: Keeps the users' side.
        log: The rooms' logs, by which it is written.
        personal: Tells users' devices what becomes of them.
        empty_room_seconds: Time after which a room without members ends.
        secret: Returns what all nodes of this Redis share, and nobody else knows.
    """

    def __init__(
        self,
        redis: RedisClient,
        memberships: Memberships,
        log: MessageLog,
        *,
        personal: PersonalLog,
        empty_room_seconds: int,
        secret: Callable[[], bytes],
    ) -> None:
        self._redis = redis
        self._memberships = memberships
        self._log = log
        self._personal = personal
        self._empty_room_seconds = empty_room_seconds
        self._secret = secret

    def made_id(self, actor: str, client_id: str) -> str:
        """Return the id of a room that is made without one: the same for a repetition.

        Nobody else can know it before it is told, and take it.

        Raises:
            UnavailableError: The secret has not been fetched yet.
        """
        told = _encoded("room", actor, client_id)
        return _shortened(hmac.digest(self._secret(), told, hashlib.sha256))

    async def create(
        self,
        room: str,
        actor: str,
        *,
        kind: str,
        settings: Mapping[str, str],
        others: Sequence[str] = (),
        made_as: str = "",
    ) -> bool:
        """Make a room whose owner the actor is; false: they had made it before.

        Args:
            room: Its id.
            actor: Who makes it.
            kind: Who may come into it.
            settings: Its own, as they are stored.
            others: The two of a direct room, but for the actor.
            made_as: The request's ``clientId`` and fingerprint; empty: the first
                one of this id counts.

        Raises:
            InvalidError: It was made by another request of this ``clientId``.
            ConflictError: There is one of this id that is not theirs.
            ForbiddenError: The other one of a direct room blocks the actor.
            TooLargeError: The actor is a member of too many rooms.
        """
        users = [
            user
            for user in dict.fromkeys((actor, *others))
            if not user.startswith(KEY_SENDER)
        ]
        for user in users:
            await self._memberships.list_for(room, user)
        await note_room(self._redis, room)
        about = {"room": room, "kind": kind, "by": actor, **_shown(settings)}

        def write(writer: ScriptRunner, uid: str) -> Awaitable[bool | Refusal]:
            return scripts.room_create(
                writer,
                members=keys.members(room),
                last_read=keys.last_read(room),
                meta=keys.meta(room),
                log=keys.log(room),
                messages=keys.messages(room),
                staff=keys.staff(room),
                quits=keys.quits(room),
                audit=keys.audit(room),
                blocks=keys.blocks(room),
                member_ids=keys.member_ids(room),
                kept=keys.kept(room),
                actor=actor,
                kind=kind,
                settings=orjson.dumps(dict(settings)),
                others=orjson.dumps(list(others)),
                quit_keep_seconds=QUITS_KEPT_SECONDS,
                made_as=made_as,
                **self._event(room, uid, about),
            )

        try:
            made = await self._log.commit(room, write)
        except (ConflictError, ForbiddenError, InvalidError):
            # Stays on the lists of those who are members.
            for user in users:
                await self._memberships.unlist(room, user)
            raise
        with changed_before():
            await note_room(self._redis, room)
        for user in users:
            await self._memberships.added(room, user)
        return made

    async def bring_back(self, room: str, actor: str) -> None:
        """Make who quit a direct room a member again: it is theirs for ever.

        Raises:
            TooLargeError: They are a member of too many rooms.
        """
        absent = await self._redis.call("HGET", keys.meta(room), "absent")
        if absent is not None:
            other = absent.decode()
            await self.create(room, actor, kind="direct", settings={}, others=[other])

    async def change(self, room: str, actor: str, settings: Mapping[str, str]) -> None:
        """Change settings of a room; an empty text takes one away."""

        def write(writer: ScriptRunner, uid: str) -> Awaitable[bool | Refusal]:
            return scripts.room_set(
                writer,
                members=keys.members(room),
                meta=keys.meta(room),
                log=keys.log(room),
                messages=keys.messages(room),
                audit=keys.audit(room),
                actor=actor,
                settings=orjson.dumps(dict(settings)),
                needs_owner=not OWNERS_SETTINGS.isdisjoint(settings),
                **self._event(room, uid, {"room": room, "by": actor}),
            )

        await self._log.commit(room, write)

    async def add(self, room: str, actor: str, user: str, *, role: str) -> bool:
        """Make a user a member; false if they are one.

        Raises:
            TooLargeError: They are a member of too many rooms.
        """
        about = {"room": room, "user": user, "role": role, "by": actor}

        def write(writer: ScriptRunner, uid: str) -> Awaitable[bool | Refusal]:
            return scripts.members_add(
                writer,
                members=keys.members(room),
                last_read=keys.last_read(room),
                meta=keys.meta(room),
                quits=keys.quits(room),
                log=keys.log(room),
                messages=keys.messages(room),
                staff=keys.staff(room),
                bans=keys.bans(room),
                audit=keys.audit(room),
                member_ids=keys.member_ids(room),
                actor=actor,
                user=user,
                role=role,
                **self._event(room, uid, about),
            )

        await self._memberships.list_for(room, user)
        try:
            is_new = await self._log.commit(room, write)
        except ChatError:
            # Stays on their list if they are a member, whoever made them one.
            await self._memberships.unlist(room, user)
            raise
        await self._memberships.added(room, user)
        return is_new

    async def remove(
        self,
        room: str,
        actor: str,
        user: str,
        *,
        ban_ms: int = 0,
        reason: str | None = None,
    ) -> bool:
        """Put a user out, and keep them out for a while; false: they were no member.

        Raises:
            NotFoundError: They are no member, and not to be banned.
            TooLargeError: The room has too many bans.
        """
        why = "banned" if ban_ms else "kicked"
        about = {
            "room": room,
            "user": user,
            "by": actor,
            "reason": why,
            **({"said": reason} if reason else {}),
        }

        def write(writer: ScriptRunner, uid: str) -> Awaitable[bool | Refusal]:
            return scripts.member_remove(
                writer,
                members=keys.members(room),
                last_read=keys.last_read(room),
                quits=keys.quits(room),
                meta=keys.meta(room),
                log=keys.log(room),
                messages=keys.messages(room),
                staff=keys.staff(room),
                bans=keys.bans(room),
                audit=keys.audit(room),
                mentions=keys.mentions(room),
                member_ids=keys.member_ids(room),
                ending=keys.ending(room),
                actor=actor,
                user=user,
                ban_ms=ban_ms,
                keep_seconds=QUITS_KEPT_SECONDS,
                empty_seconds=self._empty_room_seconds,
                bans_limit=ROOM_BANS,
                control=events.quit_message(room, user),
                **self._event(room, uid, about),
            )

        gone = await self._log.commit(room, write)
        if gone:
            await self._memberships.unlist(room, user, reason=why)
        return gone

    async def unban(self, room: str, actor: str, user: str) -> None:
        """Let a banned user come again; repeating it is fine."""
        done = await scripts.member_unban(
            self._redis,
            members=keys.members(room),
            bans=keys.bans(room),
            audit=keys.audit(room),
            actor=actor,
            user=user,
            body=_members({"room": room, "user": user, "by": actor}),
        )
        granted(done)

    async def delete(self, room: str, actor: str) -> None:
        """End a room for all; its id stays taken for as long as quits are noted.

        It leaves the actor's list of rooms, and those of who follow theirs, at once;
        those of others when they look.
        """

        def write(writer: ScriptRunner, uid: str) -> Awaitable[bool | Refusal]:
            return scripts.room_delete(
                writer,
                members=keys.members(room),
                meta=keys.meta(room),
                log=keys.log(room),
                messages=keys.messages(room),
                quits=keys.quits(room),
                staff=keys.staff(room),
                slow=keys.slow(room),
                reports=keys.reports(room),
                member_ids=keys.member_ids(room),
                ended=keys.ended(room),
                ending=keys.ending(room),
                actor=actor,
                uid=uid,
                body=_members({"room": room, "by": actor}),
                keep_seconds=QUITS_KEPT_SECONDS,
                channel=keys.wire_channel(room, self._redis.database),
                control=events.room_gone(room),
                passed_on=self._log.outbox is not None and self._log.outbox.active,
                passed_on_seconds=ENDED_SECONDS,
            )

        await self._log.commit(room, write)
        await self._memberships.unlist(room, actor, reason="deleted")

    async def set(
        self, room: str, actor: str, user: str, *, role: str | None, mute_ms: int | None
    ) -> Standing:
        """Give a member a role, mute them, or let them speak again (0 ms).

        Raises:
            NotFoundError: They are no member.
        """
        about = {"room": room, "user": user, "by": actor}

        def write(writer: ScriptRunner, uid: str) -> Awaitable[Standing | Refusal]:
            return scripts.member_set(
                writer,
                members=keys.members(room),
                meta=keys.meta(room),
                log=keys.log(room),
                messages=keys.messages(room),
                staff=keys.staff(room),
                audit=keys.audit(room),
                actor=actor,
                user=user,
                role=role or "",
                mute_ms=-1 if mute_ms is None else mute_ms,
                **self._event(room, uid, about),
            )

        standing = await self._log.commit(room, write)
        if role is not None:
            with changed_before():
                await self._personal.role(user, room, standing.role)
        return standing

    async def room(self, room: str) -> RoomInfo | None:
        """Return what a room is set to and how far it is; None: there is none."""
        known, members, online = await gather_started(
            self._redis.call("HMGET", keys.meta(room), *_INFO),
            self._redis.call("HLEN", keys.members(room)),
            self._redis.call("HLEN", keys.online(room)),
        )
        about = {
            name: said.decode()
            for name, said in zip(_INFO, known, strict=True)
            if said is not None
        }
        if not members and not about.get("createdBy", "").startswith(KEY_SENDER):
            return None
        return RoomInfo(about, members, online)

    async def page(
        self, room: str, *, after: str | None, limit: int
    ) -> list[MemberEntry]:
        """Return members with ids above one, ascending by the bytes of their ids."""
        found = await scripts.members_page(
            self._redis,
            members=keys.members(room),
            member_ids=keys.member_ids(room),
            online=keys.online(room),
            after=after or "",
            limit=limit,
        )
        return [_entry(each) for each in found]

    def _event(self, room: str, uid: str, about: Mapping[str, Any]) -> dict[str, Any]:
        """Return what each script that writes an event is given of it."""
        return {
            "uid": uid,
            "body": _members(about),
            "log_limit": self._log.limits.events,
            "log_age_ms": self._log.limits.age_ms,
            "channel": keys.wire_channel(room, self._redis.database),
        }


def direct_id(one: str, other: str) -> str:
    """Return the id of the room of two users, whoever makes it."""
    known = hashlib.sha256(_encoded(*sorted((one, other)))).digest()
    return DIRECT_PREFIX + _shortened(known)


def _members(about: Mapping[str, Any]) -> bytes:
    """Return the members of a JSON object without its braces."""
    return orjson.dumps(about)[1:-1]


def _encoded(*parts: str) -> bytes:
    return b"".join(
        len(part.encode()).to_bytes(4, "big") + part.encode() for part in parts
    )


def _shortened(digest: bytes) -> str:
    return urlsafe_b64encode(digest).decode().rstrip("=")


def _shown(settings: Mapping[str, str]) -> dict[str, object]:
    """Return settings as events carry them: numbers and JSON as such."""
    shown: dict[str, object] = dict(settings)
    if "slow" in settings:
        shown["slow"] = int(settings["slow"])
    if "data" in settings:
        shown["data"] = orjson.Fragment(settings["data"])
    return shown


def _entry(listed: Listed) -> MemberEntry:
    record = orjson.loads(listed.record)
    return MemberEntry(
        listed.user,
        record["role"],
        record["joinedAt"],
        record.get("mutedUntil"),
        listed.online,
    )
