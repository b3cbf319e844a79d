"""``chatroom hook``: make, list, try out and delete endpoints of webhooks."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from realtime.addresses import parse_networks
from realtime.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    StartError,
    TooLargeError,
)
from realtime.node.opened_redis import opened_redis
from realtime.node.settings import Settings
from realtime.store.endpoints import Endpoints
from realtime.store.hook_queues import HookQueues
from realtime.webhooks.administration import PAGE, HookAdministration
from realtime.webhooks.registry import parse_file

Say = Callable[[str], None]


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[HookAdministration]:
    """Reach the endpoints.

    Raises:
        StartError: Redis cannot be reached, the file cannot be used, or what is asked
            cannot be done.
    """
    async with opened_redis(settings, "the endpoints cannot be reached") as (redis, _):
        of_file = (
            parse_file(settings.hooks_file.read_bytes())
            if settings.hooks_file is not None
            else ()
        )
        queues = HookQueues(redis, limit_bytes=settings.hook_queue_bytes)
        allowed = parse_networks(settings.hook_allow)
        try:
            yield HookAdministration(Endpoints(redis), queues, of_file, allowed)
        except NotFoundError as error:
            said = f"{error.message} `chatroom hook list` has all."
            raise StartError(said) from None
        except (ConflictError, InvalidError, TooLargeError) as error:
            raise StartError(error.message) from None


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
    async with _opened(settings) as hooks:
        made = await hooks.create(url=url, hook_id=hook_id, types=types, rooms=rooms)
    say(f"{made.id}  {made.secrets[0]}")


async def show(settings: Settings, *, say: Say) -> None:
    """Say all endpoints, a line each, and how they fare.

    Raises:
        StartError: Redis cannot be reached.
    """
    async with _opened(settings) as hooks:
        for each in await hooks.all():
            endpoint = each.endpoint
            say(
                f"{endpoint.id}  {endpoint.place}  {','.join(endpoint.types)}"
                f"  {endpoint.rooms}  {_fares(each.state)}"
                f"  {each.waiting} waiting  {each.dead} given up"
            )


def _fares(state: Mapping[str, str]) -> str:
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
    async with _opened(settings) as hooks:
        await hooks.delete(hook_id)
    say(f"Deleted {hook_id}.")


async def pause(settings: Settings, *, hook_id: str, say: Say) -> None:
    """Tell an endpoint nothing, what happens meanwhile neither.

    Raises:
        StartError: There is no such endpoint.
    """
    async with _opened(settings) as hooks:
        await hooks.pause(hook_id)
    say(f"Paused {hook_id}.")


async def enable(settings: Settings, *, hook_id: str, say: Say) -> None:
    """Go on with an endpoint that was disabled.

    Raises:
        StartError: There is no such endpoint, or it is not disabled.
    """
    async with _opened(settings) as hooks:
        if not await hooks.enable(hook_id):
            raise StartError(f"{hook_id} is not disabled")
    say(f"Enabled {hook_id}.")


async def test(settings: Settings, *, hook_id: str, say: Say) -> None:
    """Have an endpoint told of a test.

    Raises:
        StartError: There is no such endpoint.
    """
    async with _opened(settings) as hooks:
        event_id = await hooks.test(hook_id)
    say(f"{event_id} is queued; `chatroom hook list` says how {hook_id} fares.")


async def dead(settings: Settings, *, hook_id: str, say: Say) -> None:
    """Say what was given up, a line each, the oldest first.

    Raises:
        StartError: There is no such endpoint.
    """
    async with _opened(settings) as hooks:
        after = ""
        while page := await hooks.dead(hook_id, after=after, limit=PAGE):
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
    async with _opened(settings) as hooks:
        replayed, _ = await hooks.replay(hook_id, event_id=event_id)
    if event_id is not None and not replayed:
        raise StartError(f"there is no {event_id} among what was given up")
    say(f"Replayed {replayed}.")
