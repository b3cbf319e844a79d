"""Requests about invites, reports, the audit list and blocking."""

from collections.abc import Iterator
from itertools import takewhile

import orjson

from handlers.guard import Answer, Payload, guarded
from handlers.requests import Requests
from realtime.errors import InvalidError
from realtime.presence.sessions import ChatSession
from realtime.store import reports
from realtime.store.invites import ANY_USES
from realtime.store.scripts import Invite, Note


class ModerationRequests(Requests):
    """``invite_create`` to ``block``; who may ask is judged where it is carried out."""

    @guarded
    async def on_invite_create(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, expiresSeconds?, uses?}`` → the invite, for those who may invite."""
        made = await self.services.invites.create(
            room=payload["room"],
            user=session.user,
            seconds=payload["expiresSeconds"],
            uses=payload.get("uses"),
        )
        return _invite(made)

    @guarded
    async def on_invite_revoke(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, invite}`` → nothing: it is good for nothing now."""
        await self.services.invites.revoke(
            room=payload["room"], user=session.user, token=payload["invite"]
        )
        return None

    @guarded
    async def on_invites(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room}`` → ``invites``: a moderator's all, a member's own."""
        found = await self.services.invites.of_room(
            room=payload["room"], user=session.user
        )
        return {"invites": [_invite(each) for each in found]}

    @guarded
    async def on_report(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, message? | user?, reason}`` → nothing: moderators find it."""
        await self.services.reports.add(
            room=payload["room"],
            by=session.user,
            message=payload.get("message"),
            user=payload.get("user"),
            reason=payload["reason"],
        )
        return None

    @guarded
    async def on_reports(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, before?, limit?}`` → ``reports, more``, the newest first."""
        found = await self.services.reports.of_room(
            room=payload["room"],
            user=session.user,
            before=payload.get("before"),
            limit=payload["limit"],
        )
        told = [
            orjson.Fragment(b'{"id":"%b",%b' % (each.id.encode(), self._fresh(each)))
            for each in self._fitting(session, found)
        ]
        more = len(told) < len(found) or len(found) == payload["limit"]
        return {"reports": told, "more": more}

    @guarded
    async def on_audit(self, session: ChatSession, payload: Payload) -> Answer:
        """``{room, before?, limit?}`` → ``acts, more``: who did what, newest first."""
        found = await self.services.reports.acts(
            room=payload["room"],
            user=session.user,
            before=payload.get("before"),
            limit=payload["limit"],
        )
        told = [reports.act(each) for each in self._fitting(session, found)]
        more = len(told) < len(found) or len(found) == payload["limit"]
        return {"acts": told, "more": more}

    @guarded
    async def on_block(self, session: ChatSession, payload: Payload) -> Answer:
        """``{user, on}`` → nothing: in their direct room neither writes."""
        if payload["user"] == session.user:
            said = "Is you."
            raise InvalidError(f"block: user: {said}", fields={"user": [said]})
        await self.services.blocks.set(
            user=session.user, blocked=payload["user"], on=payload["on"]
        )
        return None

    @guarded
    async def on_blocks(self, session: ChatSession, _payload: Payload) -> Answer:
        """Nothing → ``users``: whom the user blocks."""
        return {"users": await self.services.blocks.of_user(session.user)}

    def _fitting(self, session: ChatSession, notes: list[Note]) -> Iterator[Note]:
        """Return the first notes that an answer has a place for."""
        allowance = self._allowance(session)
        if sum(len(each.said) for each in notes) > allowance.limit:
            allowance.require_line()
        return takewhile(lambda each: allowance.fits(len(each.said)), notes)

    def _fresh(self, note: Note) -> bytes:
        """Return a report but for its opening brace, its image's address anew.

        Of a message that they may not see, without the copy of it.
        """
        if note.is_before:
            said = orjson.loads(note.said)
            said.pop("copy", None)
            return orjson.dumps(said)[1:]
        return self.resigned(note.said)[1:]


def _invite(invite: Invite) -> dict[str, object]:
    return {
        "invite": invite.token,
        "expiresAt": invite.ends_at,
        "usesLeft": None if invite.uses_left == ANY_USES else invite.uses_left,
        "at": invite.at,
        "by": invite.by,
    }
