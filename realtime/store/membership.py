"""Rooms and their members: who belongs to a room, connected or not."""

import logging
import time
from collections.abc import Awaitable, Coroutine
from typing import Any

from realtime.errors import (
    ChatError,
    TooLargeError,
    changed_before,
)
from realtime.rates import Rate, too_many
from realtime.redis.client import RedisClient
from realtime.store import events, keys, scripts
from realtime.store.personal_log import PersonalLog
from realtime.store.refusals import error_of
from realtime.store.room_index import note_room
from realtime.store.scripts import Admission, Refusal
from realtime.tasks import gather_started

_logger = logging.getLogger(__name__)

# What the id of a room of two begins with; no other room's may.
DIRECT_PREFIX = "d-"

# In the record of whoever owns a room.
OWNER = b'"role":"owner"'

# How long it is noted that somebody quit: a device of theirs that was away for as long
# does not bring the membership back.
QUITS_KEPT_SECONDS = 30 * 24 * 3_600

# How long a node may be deaf: after that it has shed its clients, for `/readyz` was
# red.
QUIT_LATELY_SECONDS = 3_600


class Memberships:
    """Membership, kept on both sides: a room's members and a user's rooms.

    The two are keys of two slots, so there is a moment between them. Whatever joins and
    quits meet in it, a member finds the room on their list.

    Args:
        redis: The client that carries commands out.
        user_rooms_limit: Rooms that a user may be a member of.
        empty_room_seconds: Time after which a room without members ends.
        new_rooms: How fast a user may become a member of rooms; None: at any rate.
        opens: Whether to join a room that is not there makes it.
        personal: Tells a user's devices which rooms came and went.
    """

    def __init__(
        self,
        redis: RedisClient,
        *,
        user_rooms_limit: int,
        empty_room_seconds: int,
        new_rooms: Rate | None = None,
        opens: bool = True,
        personal: PersonalLog | None = None,
    ) -> None:
        self._redis = redis
        self._personal = personal or PersonalLog(redis)
        self._user_rooms_limit = user_rooms_limit
        self._empty_room_seconds = empty_room_seconds
        self._opens = opens
        self._each_ms = self._burst_ms = 0
        if new_rooms is not None:
            self._each_ms = max(1, round(1000 / new_rooms.per_second))
            self._burst_ms = round(1000 * new_rooms.burst / new_rooms.per_second)

    async def claim(self, room: str, user: str) -> None:
        """Put a room on a user's list; :meth:`admit` makes them a member next.

        A crash in between leaves a room on the list that a next join completes, never
        a membership that the user cannot find.

        Raises:
            TooLargeError: The user is a member of too many rooms.
            RateLimitedError: They became a member of too many lately, quit or not.
        """
        claim = await self._list(room, user)
        if not claim.listed:
            raise self._refusal(claim)
        if claim.new:
            await note_room(self._redis, room)

    def admit(
        self,
        room: str,
        user: str,
        *,
        returning: bool = False,
        invite: str | None = None,
    ) -> Coroutine[Any, Any, Admission]:
        """Make a user a member, if not one yet, and return where they stand.

        What was said before a user became a member counts as read. The call is sent
        when this is called, not when it is awaited.

        Args:
            room: Room id.
            user: Who enters.
            returning: They come back to where they were: whoever quit meanwhile, on
                another device, is not made a member again.
            invite: What lets them into a private room.

        Raises:
            ForbiddenError: They come back and have quit, they are banned, or the room
                is not theirs to join.
            TooLargeError: Their list was filled up meanwhile; they are no member.
        """
        return self._admitted(
            room,
            user,
            scripts.membership_admit(
                self._redis,
                members=keys.members(room),
                last_read=keys.last_read(room),
                meta=keys.meta(room),
                quits=keys.quits(room),
                staff=keys.staff(room),
                bans=keys.bans(room),
                deleted=keys.deleted(room),
                pins=keys.pins(room),
                invites=keys.invites(room),
                mentions=keys.mentions(room),
                mentions_all=keys.mentions_all(room),
                member_ids=keys.member_ids(room),
                kept_aside=keys.kept_aside(room),
                user=user,
                # A direct room is made by request, for its two.
                opens=self._opens and not room.startswith(DIRECT_PREFIX),
                returning=returning,
                keep_seconds=QUITS_KEPT_SECONDS,
                invite=invite or "",
            ),
        )

    async def _admitted(
        self, room: str, user: str, admitted: Awaitable[Admission | Refusal]
    ) -> Admission:
        admission = await admitted
        if isinstance(admission, Refusal):
            # It was claimed before.
            with changed_before():
                await self.unlist(room, user)
            raise error_of(admission)
        if admission.new:
            with changed_before():
                if OWNER in admission.record:
                    # Nobody was there: the room was made by this.
                    await note_room(self._redis, room)
                await self._confirm(room, user)
        return admission

    async def added(self, room: str, user: str) -> None:
        """Confirm a user as a member whom somebody else made one, and tell them.

        Raises:
            OutcomeUnknownError: They are a member, and may not have been told.
            TooLargeError: Their list was filled up meanwhile; they are no member.
        """
        with changed_before():
            await self._confirm(room, user, is_paced=False)

    async def _confirm(self, room: str, user: str, *, is_paced: bool = True) -> None:
        """Make both sides agree if a quit came between a claim and its admission.

        Its own claim is due only where the user was no member: a join that comes back
        to a room costs no call more. The user's devices are told.
        """
        agree = await gather_started(
            self._redis.call("SISMEMBER", keys.user_rooms(user), room),
            self._is_member(room, user),
        )
        if not all(agree):
            claim, member = await self._redis.in_turn(
                lambda: self._list(room, user, is_paced=is_paced),
                lambda: self._is_member(room, user),
            )
            if not (claim.listed and member):
                if member:
                    await self.quit(room, user)
                await self.unlist(room, user)
                if not claim.listed:
                    raise self._refusal(claim)
                return
        await self._personal.added(user, room)

    async def is_member(self, room: str, user: str) -> bool:
        """Tell whether a user belongs to a room."""
        return bool(await self._is_member(room, user))

    async def quit(self, room: str, user: str) -> None:
        """End a user's membership and tell all nodes, in one step; repeating is fine.

        Without members the room ends after a while, unless somebody joins it.

        :meth:`unlist` comes next. A crash in between leaves a room on the list.

        Raises:
            UnavailableError: Nothing was changed.
            OutcomeUnknownError: It may have been; then the nodes were told as well.
        """
        heir = await scripts.membership_quit(
            self._redis,
            members=keys.members(room),
            last_read=keys.last_read(room),
            quits=keys.quits(room),
            meta=keys.meta(room),
            staff=keys.staff(room),
            mentions=keys.mentions(room),
            member_ids=keys.member_ids(room),
            ending=keys.ending(room),
            user=user,
            keep_seconds=QUITS_KEPT_SECONDS,
            channel=keys.wire_channel(room, self._redis.database),
            control=events.quit_message(room, user),
            empty_seconds=self._empty_room_seconds,
        )
        if heir is not None:
            with changed_before():
                await self._personal.role(heir, room, "owner")

    async def unlist(self, room: str, user: str, *, reason: str = "quit") -> None:
        """Take a room off the list of a user who is no member, unless they are back.

        Their devices are told.

        Args:
            room: The room.
            user: Who was a member of it.
            reason: Why they are not, a word; ``ended`` is told as ``deleted`` of a room
                that was, since not every node hears of it before it looks.

        Raises:
            OutcomeUnknownError: They are no member, and it may be on the list still.
        """
        with changed_before():
            if await self._is_member(room, user):
                # Off the list for no moment: their settings would go with it.
                await self._redis.call("SADD", keys.user_rooms(user), room)
                return
            _, back = await self._redis.in_turn(
                lambda: self._redis.call("SREM", keys.user_rooms(user), room),
                lambda: self._is_member(room, user),
            )
            if back:
                # Who becomes a member after this was looked up lists the room then.
                await self._redis.call("SADD", keys.user_rooms(user), room)
            else:
                if reason == "ended" and await self._redis.call(
                    "HEXISTS", keys.meta(room), "deletedAs"
                ):
                    reason = "deleted"
                await self._personal.removed(user, room, reason)

    async def list_for(self, room: str, user: str) -> None:
        """Put a room on the list of a user whom somebody else makes a member.

        At any rate: it is not they who ask.

        Raises:
            TooLargeError: The user is a member of too many rooms.
        """
        claim = await self._list(room, user, is_paced=False)
        if not claim.listed:
            raise TooLargeError(
                f"{user} is a member of {self._user_rooms_limit} rooms, the most there"
                " may be.",
                limit="user_rooms",
            )

    def _list(
        self, room: str, user: str, *, is_paced: bool = True
    ) -> Awaitable[scripts.Claim]:
        return scripts.membership_claim(
            self._redis,
            user_rooms=keys.user_rooms(user),
            new_rooms=keys.user_new_rooms(user),
            room=room,
            limit=self._user_rooms_limit,
            each_ms=self._each_ms if is_paced else 0,
            burst_ms=self._burst_ms,
        )

    def _is_member(self, room: str, user: str) -> Awaitable[Any]:
        return self._redis.call("HEXISTS", keys.members(room), user)

    def _refusal(self, claim: scripts.Claim) -> ChatError:
        if claim.wait_ms:
            return too_many(claim.wait_ms / 1000, "rate_new_rooms")
        return TooLargeError(
            f"You may be a member of {self._user_rooms_limit} rooms; quit one.",
            limit="user_rooms",
        )

    async def quit_lately(self, room: str) -> set[str]:
        """Return who quit in the last hour and did not come back."""
        # By the clock of this node, which may be ahead of Redis's.
        since = int(time.time()) - 2 * QUIT_LATELY_SECONDS
        found = await self._redis.call("ZRANGEBYSCORE", keys.quits(room), since, "+inf")
        return {user.decode() for user in found}
