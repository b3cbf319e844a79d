"""``chatroom tail``: what is published in a room, as it happens, fit to be read."""

import asyncio
from collections.abc import Callable, Collection
from typing import Final

import orjson

from chat_client.view import View, visible
from realtime.errors import StartError
from realtime.node.opened_redis import opened_redis
from realtime.node.settings import Settings
from realtime.redis.pubsub import Batch
from realtime.store import events, keys
from realtime.store.message_log import MessageLog
from realtime.tasks import TaskStack

Say = Callable[[str], None]

LOST: Final = "* The connection to Redis is lost; what is published now is not shown."
AGAIN: Final = "* Redis is heard again."


class _Listener:
    """Shows what a subscriber hears, once :meth:`begin` was called.

    Attributes:
        is_over: Whether nothing more is to be shown.
    """

    def __init__(self, show: Callable[[bytes], None], say: Say) -> None:
        self._show = show
        self._say = say
        self.is_over = False
        self._hears = self._heard = False
        # What came before that.
        self._waiting: list[bytes] | None = []

    def begin(self, shown: set[bytes]) -> None:
        """Show what came, but for what is shown already, and what comes."""
        waiting, self._waiting = self._waiting or [], None
        for payload in waiting:
            if payload not in shown:
                self._show(payload)

    def due(self) -> None:
        """Nothing waits for it."""

    def receive(self, batch: Batch) -> None:
        """Take a batch."""
        for _channel, payload in batch:
            if self._waiting is None:
                self._show(payload)
            else:
                self._waiting.append(payload)

    def lost(self, channels: Collection[str] | None = None) -> None:
        """Say that something may be missing."""
        if self._hears and not self.is_over:
            self._say(LOST)
        self._hears = False

    def ready(self, channels: Collection[str] | None = None) -> None:
        """What comes from now on is shown."""
        if self._heard and not self._hears:
            self._say(AGAIN)
        self._hears = self._heard = True


async def tail(
    settings: Settings, *, room: str, last: int, raw: bool, say: Say
) -> None:
    """Show a room until cancelled.

    Args:
        settings: Of the nodes.
        room: Its id.
        last: Messages of before that are shown first.
        raw: Show what is published as it is, JSON.
        say: Takes a line.

    Raises:
        StartError: Redis cannot be reached.
    """
    view = View(colours=False, url="")

    def show(payload: bytes) -> None:
        text = payload.decode(errors="backslashreplace")
        say(text if raw else _line(view, payload, text))

    async with (
        opened_redis(settings, "the room cannot be read") as (redis, site),
        TaskStack() as tasks,
    ):
        subscriber = site.subscriber(silence_seconds=settings.redis_silence_seconds)
        listener = _Listener(show, say)
        heard = subscriber.subscribe(keys.channel(room))
        tasks.start(subscriber.run(listener), "tail")
        try:
            async with asyncio.timeout(settings.redis_timeout_seconds):
                await heard
        except TimeoutError:
            raise StartError("Redis does not let this user hear the room.") from None
        shown: list[bytes] = []
        if last > 0:
            page = await MessageLog.reader(redis).history(room=room, limit=last)
            shown = [events.message_event(message) for message in page.messages]
        for payload in shown:
            show(payload)
        listener.begin(set(shown))
        try:
            await asyncio.Event().wait()
        finally:
            listener.is_over = True


def _line(view: View, payload: bytes, text: str) -> str:
    """Return what to show of a publication."""
    if events.is_control(payload):
        return f"* for the nodes: {visible(text)}"
    try:
        name, told, *_ = orjson.loads(payload)
        known = view.event(name, told)
    except (ValueError, TypeError, AttributeError):
        # Anybody may publish anything.
        known = None
    return known or f"* {visible(text)}"
