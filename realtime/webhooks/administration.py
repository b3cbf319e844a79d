"""What is done to endpoints of webhooks, by commands and over HTTP: by the same rules.

Endpoints of the configuration's file are shown, paused and tried out as others are;
what they are is changed in the file.
"""

import base64
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from realtime.addresses import Network
from realtime.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    TooLargeError,
)
from realtime.outbound.dialling import may_be_dialled
from realtime.outbound.signature import SECRET_PREFIX, parse_signing_key
from realtime.store.endpoints import (
    LIMIT_ENDPOINTS,
    Endpoint,
    Endpoints,
    parse_endpoint,
)
from realtime.store.hook_queues import DeadLetter, HookQueues
from realtime.webhooks import told_events
from realtime.webhooks.calls import PORTS
from schemas.hooks import SECRETS, TEST_TYPE

# Random bytes of a secret that is made here: as many as the digest has.
SECRET_BYTES: Final = 32

# Why an endpoint is disabled that somebody paused.
PAUSED: Final = "paused"

# Of what was given up, read at a time.
PAGE: Final = 100


class HookStatus(NamedTuple):
    """An endpoint, and how it fares.

    Attributes:
        endpoint: What it is.
        is_of_file: Whether it is of the configuration's file.
        state: What is kept of how it fares: ``disabled``, ``failingSince`` ...
        waiting: Events that wait for it.
        dead: Events that were given up.
    """

    endpoint: Endpoint
    is_of_file: bool
    state: Mapping[str, str]
    waiting: int
    dead: int


class HookAdministration:
    """Makes, shows, changes and deletes endpoints.

    All raise NotFoundError where there is no endpoint of an id, ConflictError for what
    is changed in the file only, UnavailableError while Redis is away.

    Args:
        endpoints: Those that commands made, and how all fare.
        queues: What waits for them.
        of_file: Those of the file.
        allowed: Networks in which endpoints may be besides the internet.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        queues: HookQueues,
        of_file: Sequence[Endpoint],
        allowed: Sequence[Network],
    ) -> None:
        self._endpoints = endpoints
        self._queues = queues
        self._of_file = {each.id: each for each in of_file}
        self._allowed = allowed

    async def all(self) -> list[HookStatus]:
        """Return all endpoints, by their ids."""
        known = await self._endpoints.known(self._of_file.values())
        return await self._statuses([known[each] for each in sorted(known)])

    async def one(self, hook_id: str) -> HookStatus:
        """Return an endpoint."""
        (found,) = await self._statuses([await self._known(hook_id)])
        return found

    async def _known(self, hook_id: str) -> Endpoint:
        known = await self._endpoints.known(self._of_file.values())
        if hook_id not in known:
            raise _there_is_none(hook_id)
        return known[hook_id]

    async def _statuses(self, found: Sequence[Endpoint]) -> list[HookStatus]:
        states = await self._endpoints.states(each.id for each in found)
        sizes = [await self._queues.sizes(each.id) for each in found]
        return [
            HookStatus(each, each.id in self._of_file, state, *size)
            for each, state, size in zip(found, states, sizes, strict=True)
        ]

    async def create(
        self,
        *,
        url: str,
        hook_id: str | None = None,
        types: Sequence[str] | None = None,
        rooms: str = "*",
    ) -> Endpoint:
        """Make an endpoint; its secret is in what is returned, and shown nowhere else.

        Raises:
            InvalidError: It cannot be one.
            ConflictError: There is one of this id.
            TooLargeError: There are too many.
        """
        given = {
            "id": hook_id or secrets.token_hex(4),
            "url": url,
            "secrets": [_new_secret()],
            "rooms": rooms,
            **({} if types is None else {"types": list(types)}),
        }
        try:
            endpoint = parse_endpoint(given)
        except ValueError as error:
            raise InvalidError(f"{error}") from None
        self._require_dialled(url)
        known = await self._endpoints.known(self._of_file.values())
        if len(known) >= LIMIT_ENDPOINTS:
            raise TooLargeError(f"There are {LIMIT_ENDPOINTS} endpoints already.")
        if endpoint.id in known or not await self._endpoints.add(endpoint):
            raise ConflictError(f"There is an endpoint {endpoint.id} already.")
        return endpoint

    async def change(self, hook_id: str, changes: Mapping[str, Any]) -> None:
        """Change where an endpoint is, or what it is told of.

        Args:
            hook_id: Which one.
            changes: Of ``url``, ``types``, ``rooms``: what is to be another one.

        Raises:
            InvalidError: It may not be there.
        """
        if "url" in changes:
            self._require_dialled(changes["url"])
        if "types" in changes:
            changes = {**changes, "types": tuple(changes["types"])}
        self._require_own(hook_id)
        changed = await self._endpoints.change(
            hook_id, lambda before: replace(before, **changes)
        )
        if changed is None:
            raise _there_is_none(hook_id)

    async def add_secret(self, hook_id: str, secret: str | None = None) -> str:
        """Sign by one more secret, the given or a new one; return it.

        Raises:
            InvalidError: It cannot be one.
            TooLargeError: There are too many.
        """
        added = secret or _new_secret()
        try:
            parse_signing_key(added)
        except ValueError as error:
            said = f"Must be one: {error}."
            raise InvalidError(f"secret: {said}", fields={"secret": [said]}) from None

        def add(before: Endpoint) -> Endpoint:
            kept = tuple(each for each in before.secrets if each != added)
            if len(kept) >= SECRETS:
                raise TooLargeError(
                    f"It has {SECRETS} secrets; let the newest one be the only one."
                )
            return replace(before, secrets=(added, *kept))

        self._require_own(hook_id)
        if await self._endpoints.change(hook_id, add) is None:
            raise _there_is_none(hook_id)
        return added

    async def keep_newest_secret(self, hook_id: str) -> None:
        """Sign by the newest secret alone."""
        self._require_own(hook_id)
        changed = await self._endpoints.change(
            hook_id, lambda before: replace(before, secrets=before.secrets[:1])
        )
        if changed is None:
            raise _there_is_none(hook_id)

    async def delete(self, hook_id: str) -> None:
        """Delete an endpoint, and what waits for it."""
        self._require_own(hook_id)
        if not await self._endpoints.remove(hook_id):
            raise _there_is_none(hook_id)

    async def pause(self, hook_id: str) -> None:
        """Tell an endpoint nothing, what happens meanwhile neither; repeating is fine.

        What waits for it is kept.
        """
        await self._known(hook_id)
        await self._endpoints.disable(hook_id, PAUSED)

    async def enable(self, hook_id: str) -> bool:
        """Go on with an endpoint; false: it was not disabled."""
        await self._known(hook_id)
        return await self._endpoints.enable(hook_id)

    async def test(self, hook_id: str) -> str:
        """Have an endpoint told of a test; return the event's id."""
        await self._known(hook_id)
        key = secrets.token_hex(8)
        told = told_events.made(TEST_TYPE, key, round(time.time() * 1000), {})
        event_id = told_events.event_id(hook_id, "", key)
        await self._queues.enqueue(
            hook_id, event_id=event_id, kind=TEST_TYPE, room="", body=told.body
        )
        return event_id

    async def dead(
        self, hook_id: str, *, after: str = "", limit: int = PAGE
    ) -> list[DeadLetter]:
        """Return what was given up after an entry, the oldest first."""
        await self._known(hook_id)
        return await self._queues.dead(hook_id, after=after, limit=limit)

    async def replay_one(self, hook_id: str, entry: str) -> None:
        """Have an entry of what was given up told again.

        Raises:
            NotFoundError: It is not there.
        """
        await self._known(hook_id)
        if not await self._queues.replay(hook_id, entry):
            raise NotFoundError("There is no such event among what was given up.")

    async def replay(
        self, hook_id: str, *, event_id: str | None = None, most: int | None = None
    ) -> tuple[int, bool]:
        """Have what was given up told again, all or one event.

        What is given up meanwhile is not.

        Args:
            hook_id: Of which endpoint.
            event_id: As the endpoint knows it; None: all.
            most: Events at most; None: any number.

        Returns:
            How many they are, and whether there are more.
        """
        await self._known(hook_id)
        after, replayed = "", 0
        _, left = await self._queues.sizes(hook_id)
        while left > 0 and (
            page := await self._queues.dead(hook_id, after=after, limit=PAGE)
        ):
            after = page[-1].entry
            left -= len(page)
            for each in page:
                if event_id in (None, each.event_id):
                    if replayed == most:
                        return replayed, True
                    replayed += await self._queues.replay(hook_id, each.entry)
        return replayed, False

    def _require_own(self, hook_id: str) -> None:
        if hook_id in self._of_file:
            raise ConflictError(
                f"{hook_id} is of CHATROOM_HOOKS_FILE: change it there."
            )

    def _require_dialled(self, url: str) -> None:
        """Refuse an address that would never be dialled; a name is judged then."""
        if not may_be_dialled(url, self._allowed, ports=PORTS):
            said = (
                "Must be on the internet, by https at port 443 or 8443, or in a network"
                " that CHATROOM_HOOK_ALLOW names for the nodes."
            )
            raise InvalidError(f"url: {said}", fields={"url": [said]})


def _new_secret() -> str:
    random = base64.b64encode(secrets.token_bytes(SECRET_BYTES))
    return SECRET_PREFIX + random.decode()


def _there_is_none(hook_id: str) -> NotFoundError:
    return NotFoundError(f"There is no endpoint {hook_id}.")
