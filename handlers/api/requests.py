"""Requests that only the API has, and how all of its requests are called."""

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

import orjson

from handlers.api.caller import Caller, HttpSession
from handlers.api.hook_requests import HookRequests
from handlers.api.job_requests import JobRequests
from handlers.chat import ChatNamespace
from handlers.guard import Payload
from handlers.message_images import store_image
from realtime.errors import (
    InvalidError,
    NotAttendingError,
    NotFoundError,
    NotMemberError,
)
from realtime.images.service import Upload
from realtime.store.image_uses import Use
from realtime.store.people import RoomInfo
from realtime.store.uploads import NO_ROOM, UPLOAD_SECONDS
from schemas.catalog import Request

Answer = dict[str, Any]
Handler = Callable[[Caller, Payload], Awaitable[Answer]]

# The type of a message that nobody wrote; an API key alone may send one.
SYSTEM: Final = "system"

# What a room is set to where nothing is stored.
_DEFAULTS: Final = {
    "kind": "public",
    "history": "all",
    "writers": "members",
    "invite": "moderators",
}


class ApiRequests:
    """Carries out a request, whoever asks over HTTP.

    Args:
        namespace: Has the handlers of what sockets ask as well.
    """

    def __init__(self, namespace: ChatNamespace) -> None:
        self._namespace = namespace
        self._own: Mapping[str, Handler] = {
            "send": self._send,
            "who": self._who,
            "chats": self._chats,
            "room": self._room,
            "message": self._message,
            "upload": self._upload,
            "user_rooms": self._user_rooms,
            "user_presence": self._user_presence,
            "user_revoke": self._user_revoke,
            "user_export": partial(self._job, "user_export"),
            "user_erase": partial(self._job, "user_erase"),
        }
        self.jobs = JobRequests(namespace)
        self._of_keys = {
            **HookRequests(namespace.services.hooks).handlers(),
            "job": self.jobs.one,
            "job_delete": self.jobs.delete,
        }

    async def carry_out(
        self, asked: Request, caller: Caller, payload: Payload
    ) -> Answer:
        """Return the ack of a request without ``ok``.

        Raises:
            ChatError: as over a socket.
        """
        own = self._own.get(asked.name)
        if own is not None:
            return await own(caller, payload)
        of_key = self._of_keys.get(asked.name)
        if of_key is not None:
            return await of_key(payload)
        return await self._of_socket(asked.name, caller, payload)

    async def _of_socket(self, name: str, caller: Caller, payload: Payload) -> Answer:
        handler = getattr(self._namespace, f"on_{name}").__wrapped__
        try:
            answer: Answer | None = await handler(
                self._namespace, caller.session, payload
            )
        except NotAttendingError:
            raise NotMemberError("You are not a member of this room.") from None
        return answer or {}

    async def require_room(self, room: str) -> RoomInfo:
        """Return what is known of a room.

        Raises:
            NotFoundError: There is none.
        """
        found = await self._namespace.services.people.room(room)
        if found is None:
            raise NotFoundError("There is no such room.")
        return found

    async def _send(self, caller: Caller, payload: Payload) -> Answer:
        if payload["type"] == SYSTEM and not caller.is_system:
            said = "Is for API keys."
            raise InvalidError(f"send: type: {said}", fields={"type": [said]})
        if "image" in payload:
            (payload["image"],) = await self._uploaded(caller, payload, "image")
        elif "images" in payload:
            payload["images"] = await self._uploaded(caller, payload, "images")
        return await self._of_socket("send", caller, payload)

    async def _uploaded(
        self, caller: Caller, payload: Payload, name: str
    ) -> list[Upload | None]:
        """Return the uploads that a message is to show.

        Raises:
            NotFoundError: One of them is not there any more.
        """
        services, user = self._namespace.services, caller.session.user
        given = payload[name]
        ids = given if isinstance(given, list) else [given]
        found = [await services.uploads.find(each, user) for each in ids]
        # A message that was stored before needs them no more.
        if None in found and not await services.log.repeated(
            room=payload["room"], user=user, client_id=payload["clientId"]
        ):
            raise NotFoundError("There is no such upload; upload it again.")
        return found

    async def _upload(self, caller: Caller, payload: Payload) -> Answer:
        services, user = self._namespace.services, caller.session.user
        services.user_rates.take(user)
        upload_id = services.uploads.new_id()
        use = Use(NO_ROOM, upload_id, user)
        with services.images.place(user):
            upload = await store_image(services, use, payload["image"])
        await services.uploads.keep(upload_id, user, upload)
        return {
            "upload": upload_id,
            "expiresAt": int((time.time() + UPLOAD_SECONDS) * 1000),
            "width": upload.image.width,
            "height": upload.image.height,
            "size": upload.sizes[upload.image.name],
        }

    async def _user_rooms(self, _caller: Caller, payload: Payload) -> Answer:
        theirs = Caller(HttpSession(payload.pop("user")))
        return await self._of_socket("rooms", theirs, payload)

    async def _user_presence(self, _caller: Caller, payload: Payload) -> Answer:
        rooms = await self._namespace.services.summaries.attended(payload["user"])
        return {"online": bool(rooms), "rooms": rooms}

    async def _user_revoke(self, _caller: Caller, payload: Payload) -> Answer:
        good_from = await self._namespace.services.revocations.revoke(payload["user"])
        return {"revokedBefore": good_from * 1000}

    async def _job(self, name: str, caller: Caller, payload: Payload) -> Answer:
        return await self.jobs.start(name, caller, payload)

    async def _who(self, caller: Caller, _payload: Payload) -> Answer:
        session, key = caller.session, caller.key
        return {
            "user": session.user,
            "name": session.name,
            "key": key
            and {
                "id": key.id,
                "name": key.name,
                "scopes": sorted(key.scopes),
                "rooms": key.rooms,
            },
        }

    async def _chats(self, caller: Caller, payload: Payload) -> Answer:
        page = await self._namespace.services.rooms.page(
            after=payload.get("after", ""),
            limit=payload["limit"],
            pattern=caller.key.rooms if caller.key else "",
            kind=payload.get("kind"),
        )
        rooms = [
            {
                "room": each.room,
                "kind": each.about.get("kind", "public"),
                "name": each.about.get("name") or None,
                "topic": each.about.get("topic") or None,
                "createdAt": _number(each.about, "createdAt"),
                "createdBy": each.about.get("createdBy"),
                "memberCount": each.members,
                "lastMessage": _number(each.about, "lastMessage") or 0,
                "at": _number(each.about, "messageAt"),
            }
            for each in page.rooms
        ]
        is_last = page.after is None
        return {
            "rooms": rooms,
            "more": not is_last,
            **({} if is_last else {"next": page.after}),
        }

    async def _room(self, _caller: Caller, payload: Payload) -> Answer:
        found = await self.require_room(payload["room"])
        about = {**_DEFAULTS, **found.about}
        if about["writers"] not in ("members", "moderators"):
            # Of a direct room, where one blocks the other: nobody is told which.
            about["writers"] = "members"
        return {
            "room": payload["room"],
            **{name: about[name] for name in _DEFAULTS},
            "name": about.get("name") or None,
            "topic": about.get("topic") or None,
            "data": orjson.Fragment(about.get("data", "null")),
            "slow": int(about.get("slow", 0)),
            "createdAt": _number(about, "createdAt"),
            "createdBy": about.get("createdBy"),
            "memberCount": found.members,
            "onlineCount": found.online,
            "lastMessage": int(about.get("lastMessage", 0)),
        }

    async def _message(self, caller: Caller, payload: Payload) -> Answer:
        services, number = self._namespace.services, payload["message"]
        page = await services.log.history(
            room=payload["room"],
            user=caller.session.user,
            after=number - 1,
            limit=1,
        )
        # A later one: this one is not kept any more, or not theirs to see.
        found = page.messages[0] if page.messages else b"{}"
        if page.first_available > number or found == b"{}":
            raise NotFoundError("There is no such message.")
        resigned = self._namespace.resigned(found)
        loaded: Answer = orjson.loads(resigned)
        return loaded


def _number(about: Mapping[str, str], name: str) -> int | None:
    return int(about[name]) if name in about else None
