"""Requests about a room itself and its people: who may what is judged by role."""

from typing import Any, Final

import orjson

from handlers.guard import Answer, Payload, guarded
from handlers.requests import Requests
from realtime.errors import InvalidError
from realtime.presence.sessions import ChatSession
from realtime.store.membership import DIRECT_PREFIX
from realtime.store.people import FOREVER_MS, direct_id
from realtime.store.profiles import Profile
from schemas.field_types import KEY_SENDER

# Quotation marks and names of members of a profile's JSON.
PROFILE_BYTES: Final = 40
SETTINGS: Final = ("name", "topic", "history", "writers", "invite")
# Users of a direct room.
TWO: Final = 2
# Nobody needs to see who is banned or muted for how long to the millisecond.
_MS: Final = 1000


class PeopleRequests(Requests):
    """``room_create``, ``room_set``, and ``members`` with what is done to them."""

    @guarded
    async def on_room_create(self, session: ChatSession, payload: Payload) -> Answer:
        """``{kind, room?, name?, …, clientId}`` → ``room, duplicate``.

        Errors: ``conflict``: there is a room of this id that another one made.
        """
        kind, users = payload["kind"], payload.get("users", [])
        room, others = payload.get("room"), []
        if kind == "direct":
            room, others, users = _direct(session.user, payload), users, []
        elif room is not None and (kind != "public" or room.startswith(DIRECT_PREFIX)):
            said = f"Is for public rooms, and does not begin with {DIRECT_PREFIX}."
            raise InvalidError(f"room_create: room: {said}", fields={"room": [said]})
        people = self.services.people
        room = room or people.made_id(session.user, payload["clientId"])
        made = await people.create(
            room,
            session.user,
            kind=kind,
            settings=_settings(payload),
            others=others,
            made_as=session.fingerprint
            and f"{payload['clientId']} {session.fingerprint}",
        )
        for user in users:
            await people.add(room, session.user, user, role="member")
        return {"room": room, "duplicate": not made}

    @guarded
    async def on_room_set(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, name?, topic?, writers?, slow?, …}`` → nothing."""
        settings = _settings(payload)
        if payload.get("private"):
            settings["kind"] = "private"
        if not settings:
            raise InvalidError(
                "room_set: name what is to change.",
                fields={"payload": ["Must have a setting."]},
            )
        await self.services.people.change(payload["room"], session.user, settings)
        return None

    @guarded
    async def on_members(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, after?, limit?}`` → ``members, more``, by user id."""
        room, limit = payload["room"], payload["limit"]
        found = await self.services.people.page(
            room, after=payload.get("after"), limit=limit + 1
        )
        members = found[:limit]
        profiles = await self.services.profiles.of_users(
            [each.user for each in members]
        )
        return {
            "members": [
                {
                    "user": each.user,
                    "role": each.role,
                    "since": each.joined_at,
                    "mutedUntil": each.muted_until,
                    "online": each.online,
                    **profile.to_wire(),
                }
                for each, profile in zip(members, profiles, strict=True)
            ],
            "more": len(found) > limit,
        }

    @guarded
    async def on_users(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, users}`` → ``users``: what those who are members are called."""
        room, allowance = payload["room"], self._allowance(session)
        found = await self.services.profiles.of_members(room, payload["users"])
        if not allowance.fits(sum(map(_size, found))):
            raise allowance.full()
        return {"users": [profile.to_wire() for profile in found]}

    @guarded
    async def on_members_add(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, users, role?}`` → ``added``: who was no member before."""
        room, role = payload["room"], payload.get("role", "member")
        people = self.services.people
        added = []
        for user in payload["users"]:
            if await people.add(room, session.user, user, role=role):
                self.services.member_counts.changed(room)
                added.append(user)
        return {"added": added}

    @guarded
    async def on_member_remove(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, user, ban?, banSeconds?, reason?}`` → ``removed``.

        Their sessions attend no longer, at all nodes, and are told
        ``membership_ended``.
        """
        ban_ms = payload.get("banSeconds", 0) * _MS
        if payload.get("ban") and not ban_ms:
            ban_ms = FOREVER_MS
        room = payload["room"]
        removed = await self.services.people.remove(
            room,
            session.user,
            payload["user"],
            ban_ms=ban_ms,
            reason=payload.get("reason"),
        )
        if removed:
            self.services.member_counts.changed(room)
        return {"removed": removed}

    @guarded
    async def on_unban(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, user}`` → nothing: they may join again."""
        await self.services.people.unban(payload["room"], session.user, payload["user"])
        return None

    @guarded
    async def on_room_delete(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room}`` → nothing: it is gone for all. Broadcasts ``room_deleted``."""
        await self.services.people.delete(payload["room"], session.user)
        return None

    @guarded
    async def on_member_set(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, user, role?, muteSeconds?}`` → ``role, mutedUntil``."""
        if "role" not in payload and "muteSeconds" not in payload:
            raise InvalidError(
                "member_set: name a role or muteSeconds.",
                fields={"payload": ["Must have role or muteSeconds."]},
            )
        seconds = payload.get("muteSeconds")
        standing = await self.services.people.set(
            payload["room"],
            session.user,
            payload["user"],
            role=payload.get("role"),
            mute_ms=None if seconds is None else seconds * _MS,
        )
        return {"role": standing.role, "mutedUntil": standing.muted_until or None}


def _size(profile: Profile) -> int:
    return PROFILE_BYTES + sum(len(each.encode()) for each in profile if each)


def _direct(actor: str, payload: dict[str, Any]) -> str:
    """Return the id of the room of the actor and one user, or of two for a key."""
    for name in _settings(payload):
        said = "A direct room has none."
        raise InvalidError(f"room_create: {name}: {said}", fields={name: [said]})
    users = payload.get("users", [])
    two = users if actor.startswith(KEY_SENDER) else [actor, *users]
    if len(two) != TWO or "room" in payload:
        said = "A direct room has one other user, and no id of one's own."
        raise InvalidError(said, fields={"users": [said]})
    return direct_id(*two)


def _settings(payload: dict[str, Any]) -> dict[str, str]:
    """Return settings as they are stored: texts."""
    settings: dict[str, str] = {}
    settings.update((name, payload[name]) for name in SETTINGS if name in payload)
    if "slow" in payload:
        settings["slow"] = str(payload["slow"])
    if "data" in payload:
        settings["data"] = orjson.dumps(payload["data"]).decode()
    return settings
