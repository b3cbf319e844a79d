"""Asks the application whether a message may be stored: one POST, one attempt."""

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import aiohttp
import orjson

from realtime.addresses import Network
from realtime.errors import UnavailableError
from realtime.moderation.answers import Answer, Kind, parse_answer
from realtime.moderation.numbers import ModerationNumbers
from realtime.outbound.breaker import Breaker
from realtime.outbound.session import OutboundSession
from realtime.outbound.signature import signed_headers

# Deadline of a call in milliseconds, with all that belongs to it, the look-up of the
# name as well. What was sent after the message waits for it, 2 s at most
# (``handlers.send_order.AHEAD_SECONDS``).
CALL_MS: Final = 1_500

# Calls under way at a node: some 4,000 messages a second at an answer in 50 ms.
CALLS: Final = 200

# Of one user among them: what a connection may ask at a time. A user with many
# connections must not take the places of all, or decide when nobody is asked.
USER_CALLS: Final = 32

# Of an answer; a longer one has no text that could be sent.
ANSWER_BYTES: Final = 65_536

# When to try again what could not be asked about, in milliseconds.
RETRY_MS: Final = 1_000

_logger = logging.getLogger(__name__)


class Hook:
    """The application's before-send hook.

    Args:
        url: Where it is.
        key: What its requests are signed with.
        allowed: Networks that it may be in, besides the public ones; ``http`` is
            spoken with these only.
        fail_open: Whether messages pass that it could not be asked about.
        numbers: What is counted.
        limited: How often a limit was met.
    """

    def __init__(
        self,
        url: str,
        key: bytes,
        *,
        allowed: Sequence[Network],
        fail_open: bool,
        numbers: ModerationNumbers,
        limited: Counter[str],
    ) -> None:
        self._http = OutboundSession(url, allowed=allowed, connections=CALLS)
        self._key = key
        self._fail_open = fail_open
        self._numbers = numbers
        self._limited = limited
        self._breaker = Breaker(time.monotonic)
        self._own: Counter[str] = Counter()

    @property
    def under_way(self) -> int:
        """Calls that wait for their answer."""
        return self._own.total()

    async def run(self) -> None:
        """Hold the connections until cancelled; nothing is asked before."""
        await self._http.run()

    async def ask(
        self, user: str, kind: Kind, data: Mapping[str, object]
    ) -> Answer | None:
        """Return what the hook decides; None: it could not be asked, so it may pass.

        Args:
            user: Whose message it is.
            kind: Whether it is sent or edited.
            data: The message, as far as it is known.

        Raises:
            UnavailableError: The hook could not be asked, and nothing is to pass then;
                or the user has too many messages that it is asked about.
        """
        if self._own[user] >= USER_CALLS:
            raise UnavailableError(
                "Too many of your messages are being checked; try again.",
                retry_after_ms=RETRY_MS,
                limit="hook_user_calls",
            )
        if self.under_way >= CALLS:
            self._limited["hook_calls"] += 1
            self._require_open("busy", RETRY_MS)
            return None
        wait_seconds = self._breaker.wait_seconds()
        if wait_seconds:
            retry_ms = max(RETRY_MS, int(wait_seconds * 1000))
            self._require_open("open_circuit", retry_ms)
            return None
        with self._place(user):
            outcome, answer = await self._call(kind, data)
        if answer is None:
            self._require_open(outcome, RETRY_MS)
        else:
            self._numbers.outcomes[outcome] += 1
        return answer

    def _require_open(self, outcome: str, retry_after_ms: int) -> None:
        """Let a message pass that could not be asked about, if it may."""
        self._numbers.outcomes[outcome] += 1
        if not self._fail_open:
            raise UnavailableError(
                "Messages cannot be checked now; try again.",
                retry_after_ms=retry_after_ms,
            )

    @contextmanager
    def _place(self, user: str) -> Iterator[None]:
        self._own[user] += 1
        try:
            yield
        finally:
            self._own[user] -= 1
            if not self._own[user]:
                del self._own[user]

    async def _call(
        self, kind: Kind, data: Mapping[str, object]
    ) -> tuple[str, Answer | None]:
        """Return the outcome, and the answer if there is one."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(CALL_MS / 1000):
                body = await self._post(kind, data)
        except TimeoutError:
            self._failed(f"no answer in {CALL_MS} ms")
            return "timeout", None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Not its text: that names the address, which may hold a secret.
            self._failed(str(error) if type(error) is ValueError else repr(type(error)))
            return "failed", None
        finally:
            self._numbers.observe(time.monotonic() - began)
        if self._breaker.is_open:
            _logger.warning("The hook answers again")
        self._breaker.succeeded()
        try:
            answer = parse_answer(body, kind)
        except ValueError as error:
            # It was quick to say so, and the next message may fare better.
            _logger.warning("The hook's answer cannot be used: %s", error)
            return "unusable", None
        done = {"allow": "allowed", "deny": "denied", "replace": "replaced"}
        return done[answer.action], answer

    async def _post(self, kind: Kind, data: Mapping[str, object]) -> bytes:
        """Return the body of the answer to one POST.

        Raises:
            ValueError: It is no answer with success, or too long; or the node goes
                down.
        """
        now = datetime.now(UTC)
        body = orjson.dumps(
            {
                "type": kind,
                "timestamp": now.isoformat(timespec="milliseconds"),
                "data": data,
            }
        )
        headers = signed_headers(
            self._key,
            # Of this attempt: a message that is sent again may be another one.
            message_id=f"msg_{secrets.token_hex(16)}",
            timestamp=int(now.timestamp()),
            body=body,
        )
        async with self._http.post(body, headers) as response:
            if not 200 <= response.status < 300:
                raise ValueError(f"status {response.status}")
            answer = bytearray()
            async for chunk in response.content.iter_any():
                answer += chunk
                if len(answer) > ANSWER_BYTES:
                    raise ValueError(f"more than {ANSWER_BYTES} bytes")
            return bytes(answer)

    def _failed(self, why: str) -> None:
        was_open = self._breaker.is_open
        self._breaker.failed()
        _logger.warning("The hook failed: %s", why)
        if self._breaker.is_open and not was_open:
            passes = "pass unseen" if self._fail_open else "are refused"
            _logger.error("The hook is not asked for a while; messages %s", passes)
