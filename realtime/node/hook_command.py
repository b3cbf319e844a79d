"""``chatroom hook``: make, list, try out and delete endpoints of webhooks."""

import base64
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final, NamedTuple

from realtime.errors import StartError
from realtime.node.gc import opened_redis
from realtime.node.settings import Settings
from realtime.outbound.signature import SECRET_PREFIX
from realtime.store.endpoints import (
    LIMIT_ENDPOINTS,
    Endpoint,
    Endpoints,
    parse_endpoint,
)
from realtime.store.hook_queues import HookQueues
from realtime.webhooks import told_events
from realtime.webhooks.registry import parse_file
from schemas.hooks import TEST_TYPE

Say = Callable[[str], None]

# Random bytes of a secret that is made here: as many as the digest has.
SECRET_BYTES: Final = 32

# Of what was given up, read at a time.
PAGE: Final = 100


class _Opened(NamedTuple):
    endpoints: Endpoints
    queues: HookQueues
    of_file: tuple[Endpoint, ...]

    async def known(self) -> dict[str, Endpoint]:
        """Return all endpoints by their id."""
        return await self.endpoints.known(self.of_file)

    async def require(self, hook_id: str) -> None:
        """Pass if there is an endpoint of an id.

        Raises:
            StartError: There is none.
        """
        if hook_id not in await self.known():
            raise _there_is_none(hook_id)


def _there_is_none(hook_id: str) -> StartError:
    return StartError(f"there is no endpoint {hook_id}; `chatroom hook list` has all")


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[_Opened]:
    """Reach the endpoints.

    Raises:
        StartError: Redis cannot be reached, or the file cannot be used.
    """
    async with opened_redis(settings, "the endpoints cannot be reached") as (redis, _):
        of_file = (
            parse_file(settings.hooks_file.read_bytes())
            if settings.hooks_file is not None
            else ()
        )
        yield _Opened(
            Endpoints(redis),
            HookQueues(redis, limit_bytes=settings.hook_queue_bytes),
            of_file,
        )


async def create(
    settings: Settings,
    *,
    url: str,
    hook_id: str | None,
    types: Sequence[str] | None,
    rooms: str,
    say: Say,
) -> None:
    """Make an endpoint, and say its id and its secret: this once.

    Raises:
        StartError: It cannot be one, or there are too many.
    """
    random = base64.b64encode(secrets.token_bytes(SECRET_BYTES))
    secret = SECRET_PREFIX + random.decode()
    given = {
        "id": hook_id or secrets.token_hex(4),
        "url": url,
        "secrets": [secret],
        "rooms": rooms,
        **({} if types is None else {"types": list(types)}),
    }
    try:
        endpoint = parse_endpoint(given)
    except ValueError as error:
        raise StartError(str(error)) from None
    async with _opened(settings) as opened:
        known = await opened.known()
        if endpoint.id in known:
            raise StartError(f"there is an endpoint {endpoint.id} already")
        if len(known) >= LIMIT_ENDPOINTS:
            raise StartError(f"there are {LIMIT_ENDPOINTS} endpoints already")
        await opened.endpoints.add(endpoint)
    say(f"{endpoint.id}  {secret}")


async def show(settings: Settings, *, say: Say) -> None:
    """Say all endpoints, a line each, and how they fare.

    Raises:
        StartError: Redis cannot be reached.
    """
    async with _opened(settings) as opened:
        found = await opened.known()
        states = await opened.endpoints.states(found)
        for endpoint, state in zip(found.values(), states, strict=True):
            waiting, dead = await opened.queues.sizes(endpoint.id)
            say(
                f"{endpoint.id}  {endpoint.place}  {','.join(endpoint.types)}"
                f"  {endpoint.rooms}  {_fares(state)}"
                f"  {waiting} waiting  {dead} given up"
            )


def _fares(state: dict[str, str]) -> str:
    if state.get("disabled"):
        return f"disabled ({state['disabled']})"
    if state.get("failingSince"):
        why = state.get("lastError", "?")
        return f"failing since {_moment(state['failingSince'])} ({why})"
    return "well"


def _moment(unix_ms: str) -> str:
    return datetime.fromtimestamp(int(unix_ms) / 1000, UTC).isoformat(
        timespec="seconds"
    )


async def delete(settings: Settings, *, hook_id: str, say: Say) -> None:
    """Delete an endpoint, and what waits for it.

    Raises:
        StartError: There is none that a command made.
    """
    async with _opened(settings) as opened:
        if any(each.id == hook_id for each in opened.of_file):
            raise StartError(f"{hook_id} is of CHATROOM_HOOKS_FILE: take it out there")
        was_there = await opened.endpoints.remove(hook_id)
    if not was_there:
        raise _there_is_none(hook_id)
    say(f"Deleted {hook_id}.")


async def enable(settings: Settings, *, hook_id: str, say: Say) -> None:
    """Go on with an endpoint that was disabled.

    Raises:
        StartError: There is no such endpoint, or it is not disabled.
    """
    async with _opened(settings) as opened:
        await opened.require(hook_id)
        if not await opened.endpoints.enable(hook_id):
            raise StartError(f"{hook_id} is not disabled")
    say(f"Enabled {hook_id}.")


async def test(settings: Settings, *, hook_id: str, say: Say) -> None:
    """Have an endpoint told of a test.

    Raises:
        StartError: There is no such endpoint.
    """
    async with _opened(settings) as opened:
        await opened.require(hook_id)
        key = secrets.token_hex(8)
        told = told_events.made(TEST_TYPE, key, round(time.time() * 1000), {})
        event_id = told_events.event_id(hook_id, "", key)
        await opened.queues.enqueue(
            hook_id, event_id=event_id, kind=TEST_TYPE, room="", body=told.body
        )
    say(f"{event_id} is queued; `chatroom hook list` says how {hook_id} fares.")


async def dead(settings: Settings, *, hook_id: str, say: Say) -> None:
    """Say what was given up, a line each, the oldest first.

    Raises:
        StartError: There is no such endpoint.
    """
    async with _opened(settings) as opened:
        await opened.require(hook_id)
        after = ""
        while page := await opened.queues.dead(hook_id, after=after, limit=PAGE):
            after = page[-1].entry
            for each in page:
                say(
                    f"{each.event_id}  {each.type}  {each.room}  {each.why}"
                    f"  {each.tries} tries  {_moment(each.entry.split('-')[0])}"
                )


async def replay(
    settings: Settings, *, hook_id: str, event_id: str | None, say: Say
) -> None:
    """Have what was given up told again: one event, or all.

    Raises:
        StartError: There is no such endpoint, or no such event.
    """
    async with _opened(settings) as opened:
        await opened.require(hook_id)
        after, replayed = "", 0
        # Not those that are given up meanwhile.
        _, left = await opened.queues.sizes(hook_id)
        while left > 0 and (
            page := await opened.queues.dead(hook_id, after=after, limit=PAGE)
        ):
            after = page[-1].entry
            left -= len(page)
            for each in page:
                if event_id in (None, each.event_id):
                    replayed += await opened.queues.replay(hook_id, each.entry)
    if event_id is not None and not replayed:
        raise StartError(f"there is no {event_id} among what was given up")
    say(f"Replayed {replayed}.")
