"""Calls one endpoint: signed requests, and how the endpoint fares."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple, TypeVar

import aiohttp

from realtime.addresses import Network
from realtime.errors import ChatError
from realtime.outbound.breaker import Breaker
from realtime.outbound.session import OutboundSession
from realtime.outbound.signature import signed_headers
from realtime.store.endpoints import Endpoint, Endpoints
from realtime.store.hook_queues import HookQueues
from realtime.store.scripts import QueueEntry
from realtime.webhooks.numbers import WebhookNumbers
from realtime.webhooks.told_events import WORDED, message_of, without_words

# Requests to an endpoint under way.
CALLS: Final = 16

# Deadline of a call with all that belongs to it; Standard Webhooks advises 15 to 30.
CALL_SECONDS: Final = 15.0

# Bytes of an answer that are read, so that the connection can be used again.
ANSWER_BYTES: Final = 4_096

# An endpoint that never answered for so long is told nothing any more.
FAILING_SECONDS: Final = 5 * 24 * 3_600

# An application may ask for a pause, but not for one without an end.
PAUSE_MOST_SECONDS: Final = 3_600.0

# Statuses with which one does: it is not about the event.
BUSY: Final = frozenset({429, 502, 503, 504})

# With this one it says that it wants nothing any more.
GONE: Final = 410

# Only these are dialled where the networks that are allowed do not say more.
PORTS: Final = frozenset({443, 8443})

# After Redis was away.
SETTLE_SECONDS: Final = 0.5

T = TypeVar("T")

_logger = logging.getLogger(__name__)


class Ways(NamedTuple):
    """What deliveries need, of all endpoints.

    Attributes:
        queues: Where what is to be told waits.
        endpoints: Where it is kept how endpoints fare.
        allowed: Networks that may be dialled besides the public ones; ``http`` is
            spoken with these only.
        numbers: What is counted.
    """

    queues: HookQueues
    endpoints: Endpoints
    allowed: Sequence[Network]
    numbers: WebhookNumbers


async def settle(ask: Callable[[], Awaitable[T]]) -> T:
    """Return what Redis answers, however long it is away."""
    while True:
        try:
            return await ask()
        except ChatError:
            await asyncio.sleep(SETTLE_SECONDS)


class Calls:
    """Calls an endpoint when it may be called.

    Args:
        endpoint: Whom.
        ways: With what.
        failing_since: Since when it fails, in Unix ms; 0: it does not.
        recovered: Called when it answers again after it was left alone.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        ways: Ways,
        failing_since: int,
        recovered: Callable[[], None],
    ) -> None:
        self._id = endpoint.id
        self._http = OutboundSession(
            endpoint.url, allowed=ways.allowed, connections=CALLS, ports=PORTS
        )
        self._keys = endpoint.signing_keys
        self._ways = ways
        self._numbers = ways.numbers
        self._failing_since = failing_since
        self._recovered = recovered
        self._breaker = Breaker(time.monotonic, trial_seconds=CALL_SECONDS)
        self._slots = asyncio.Semaphore(CALLS)
        self._stopped = False

    async def run(self) -> None:
        """Hold the connections until cancelled."""
        await self._http.run()

    async def call(self, entry: QueueEntry) -> bool:
        """Tell the endpoint when it may be called; return whether it has it now."""
        wait_seconds = self._breaker.wait_seconds()
        while wait_seconds:
            await asyncio.sleep(wait_seconds)
            wait_seconds = self._breaker.wait_seconds()
        if self._stopped:
            # Until this node is told that it is not to deliver any more.
            await asyncio.Event().wait()
        async with self._slots:
            return await self._judged(await self._as_it_is_now(entry))

    async def _as_it_is_now(self, entry: QueueEntry) -> QueueEntry:
        """Return an event without the words of a message that was deleted since."""
        if entry.type not in WORDED:
            return entry
        message = message_of(entry.body)
        if not await settle(lambda: self._ways.queues.is_deleted(entry.room, message)):
            return entry
        return entry._replace(body=without_words(entry.body))

    async def _judged(self, entry: QueueEntry) -> bool:
        """Make one call, and note what came of it."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(CALL_SECONDS):
                status, pause_seconds = await self._post(entry)
        except TimeoutError:
            await self._failed("timeout", f"no answer in {CALL_SECONDS:g} s")
            return False
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Not its text: that names the address, which may hold a secret.
            await self._failed("unreachable", type(error).__name__)
            return False
        finally:
            self._numbers.observe(time.monotonic() - began)
        if 200 <= status < 300:
            await self._answered()
            return True
        await self._failed("refused", f"status {status}")
        if status == GONE:
            await self._stop("gone")
        elif pause_seconds:
            self._breaker.hold(pause_seconds)
        return False

    async def _post(self, entry: QueueEntry) -> tuple[int, float]:
        """Return the status of one POST, and the seconds of pause that it asks for."""
        headers = signed_headers(
            *self._keys,
            message_id=entry.event_id,
            timestamp=int(time.time()),
            body=entry.body,
        )
        async with self._http.post(entry.body, headers) as response:
            await response.content.read(ANSWER_BYTES)
            if response.status not in BUSY:
                return response.status, 0.0
            return response.status, pause_of(response.headers.get("Retry-After"))

    async def _answered(self) -> None:
        self._numbers.outcomes["delivered"] += 1
        if self._breaker.is_open:
            self._recovered()
        self._breaker.succeeded()
        if self._failing_since:
            self._failing_since = 0
            _logger.warning("Endpoint %s answers again", self._id)
            await self._note(self._ways.endpoints.fares_well(self._id))

    async def _failed(self, outcome: str, why: str) -> None:
        self._numbers.outcomes[outcome] += 1
        was_open = self._breaker.is_open
        self._breaker.failed()
        now = round(time.time() * 1000)
        # Another call may succeed while this is noted.
        since = self._failing_since or now
        if not self._failing_since:
            self._failing_since = now
            _logger.warning("Endpoint %s fails: %s", self._id, why)
            await self._note(self._ways.endpoints.failing(self._id, now, why))
        elif self._breaker.is_open and not was_open:
            _logger.error("Endpoint %s does not answer: %s", self._id, why)
        if now - since > FAILING_SECONDS * 1000:
            await self._stop("failing")

    async def _stop(self, why: str) -> None:
        """Tell the endpoint nothing any more."""
        if self._stopped:
            return
        self._stopped = True
        _logger.error(
            "Endpoint %s is disabled (%s); `chatroom hook enable %s` goes on with it",
            self._id,
            why,
            self._id,
        )
        await settle(lambda: self._ways.endpoints.disable(self._id, why))

    async def _note(self, written: Awaitable[None]) -> None:
        """Write how the endpoint fares; while Redis is away only the log says so."""
        try:
            await written
        except ChatError as error:
            _logger.debug("Endpoint %s: %s", self._id, error.message)


def pause_of(retry_after: str | None) -> float:
    """Return the seconds that a ``Retry-After`` asks for, 0 for none."""
    if retry_after is None:
        return 0.0
    try:
        seconds = float(retry_after)
    except ValueError:
        seconds = _seconds_until(retry_after)
    # Not a number, for one, is none.
    return min(seconds, PAUSE_MOST_SECONDS) if seconds > 0 else 0.0


def _seconds_until(date: str) -> float:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return 0.0
    return moment.timestamp() - time.time()
