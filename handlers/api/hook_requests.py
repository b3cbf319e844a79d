"""Requests about endpoints of webhooks, by the rules of ``chatroom hook``."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from handlers.guard import Payload
from realtime.errors import InvalidError
from realtime.outbound.signature import public_key
from realtime.webhooks.administration import HookAdministration, HookStatus
from schemas.hooks import REPLAYED

Answer = dict[str, Any]


class HookRequests:
    """Carries them out.

    Args:
        hooks: Does what is asked.
    """

    def __init__(self, hooks: HookAdministration) -> None:
        self._hooks = hooks

    def handlers(self) -> Mapping[str, Callable[[Payload], Awaitable[Answer]]]:
        """Return what carries a request out, by its name."""
        return {
            "hooks": self._all,
            "hook_create": self._create,
            "hook": self._one,
            "hook_set": self._set,
            "hook_delete": self._delete,
            "hook_secret": self._secret,
            "hook_secret_only": self._secret_only,
            "hook_test": self._test,
            "hook_dead": self._dead,
            "hook_replay": self._replay,
        }

    async def _all(self, _payload: Payload) -> Answer:
        return {"hooks": [_entry(each) for each in await self._hooks.all()]}

    async def _create(self, payload: Payload) -> Answer:
        made = await self._hooks.create(
            url=payload["url"],
            hook_id=payload.get("id"),
            types=payload.get("types"),
            rooms=payload.get("rooms", "*"),
        )
        entry = _entry(HookStatus(made, is_of_file=False, state={}, waiting=0, dead=0))
        return {**entry, "secret": made.secrets[0]}

    async def _one(self, payload: Payload) -> Answer:
        return _entry(await self._hooks.one(payload["hook"]))

    async def _set(self, payload: Payload) -> Answer:
        changes = dict(payload)
        hook_id, enabled = changes.pop("hook"), changes.pop("enabled", None)
        if not changes and enabled is None:
            raise InvalidError(
                "hook_set: name what is to change.",
                fields={"payload": ["Must have what changes."]},
            )
        if changes:
            await self._hooks.change(hook_id, changes)
        if enabled is False:
            await self._hooks.pause(hook_id)
        elif enabled:
            await self._hooks.enable(hook_id)
        return await self._one(payload)

    async def _delete(self, payload: Payload) -> Answer:
        await self._hooks.delete(payload["hook"])
        return {}

    async def _secret(self, payload: Payload) -> Answer:
        added = await self._hooks.add_secret(payload["hook"], payload.get("secret"))
        status = await self._hooks.one(payload["hook"])
        return {"secret": added, "secrets": len(status.endpoint.secrets)}

    async def _secret_only(self, payload: Payload) -> Answer:
        await self._hooks.keep_newest_secret(payload["hook"])
        return await self._one(payload)

    async def _test(self, payload: Payload) -> Answer:
        return {"event": await self._hooks.test(payload["hook"])}

    async def _dead(self, payload: Payload) -> Answer:
        limit = payload["limit"]
        found = await self._hooks.dead(
            payload["hook"], after=payload.get("after", ""), limit=limit + 1
        )
        page = found[:limit]
        more = len(found) > limit
        return {
            "events": [
                {
                    "id": each.entry,
                    "event": each.event_id,
                    "type": each.type,
                    "room": each.room or None,
                    "why": each.why,
                    "tries": each.tries,
                }
                for each in page
            ],
            "more": more,
            **({"next": page[-1].entry} if more else {}),
        }

    async def _replay(self, payload: Payload) -> Answer:
        hook_id, entry = payload["hook"], payload.get("id")
        if entry is not None:
            await self._hooks.replay_one(hook_id, entry)
            return {"replayed": 1, "more": False}
        replayed, more = await self._hooks.replay(hook_id, most=REPLAYED)
        return {"replayed": replayed, "more": more}


def _entry(status: HookStatus) -> Answer:
    endpoint, state = status.endpoint, status.state
    failing_since = state.get("failingSince")
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "types": list(endpoint.types),
        "rooms": endpoint.rooms,
        "secrets": len(endpoint.secrets),
        "publicKeys": [key for key in map(public_key, endpoint.secrets) if key],
        "ofFile": status.is_of_file,
        "enabled": "disabled" not in state,
        "disabled": state.get("disabled"),
        "failingSince": None if failing_since is None else int(failing_since),
        "lastError": state.get("lastError"),
        "waiting": status.waiting,
        "givenUp": status.dead,
    }
