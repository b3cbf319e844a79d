"""Public keys from a JSON Web Key Set (RFC 7517), fetched and remembered.

The set is fetched when it is first needed, again when it is old, and again (not more
often than every few seconds) when a token names a key that is not in it. While the
key server fails the keys of the last success stay in use, for a bounded time: else
whoever can cut it off would keep a revoked key in use for ever.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp
import jwt

from realtime.auth.keys import VerifyKey, algorithm_of
from realtime.errors import UnavailableError

# Deadline of one fetch as a whole; a client that connects waits no longer.
FETCH_SECONDS: Final = 5.0

# Age after which the set is fetched again: a revoked key is refused this soon.
FRESH_SECONDS: Final = 600.0

# A day: longer than most failures of a key server, and soon enough for a key that was
# revoked meanwhile.
STALE_SECONDS: Final = 86_400.0

# Least time between two fetches, so that tokens with made-up key ids cannot turn this
# server against the key server.
PAUSE_SECONDS: Final = 5.0

# Largest key set read; common ones have 2-10 KB.
LIMIT_BYTES: Final = 256 * 1024

# Keys of a set that are looked at; common ones have 2-10.
LIMIT_KEYS: Final = 100

_logger = logging.getLogger(__name__)


class JwksKeys:
    """The keys of one JWKS URL.

    Args:
        url: Where the set is; ``http`` or ``https``.
        stale_seconds: Time for which keys serve that cannot be fetched anew.
        clock: Returns seconds that never go back.
    """

    def __init__(
        self,
        url: str,
        *,
        stale_seconds: float = STALE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._stale_seconds = stale_seconds
        self._clock = clock
        self._keys: dict[str | None, VerifyKey] | None = None
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, header: Mapping[str, object]) -> VerifyKey | None:
        """Return the key that the header's ``kid`` names, if the set has it.

        Without a ``kid`` it is the only key, if there is only one. Old keys answer at
        once, while the set is fetched anew beside it.

        Raises:
            UnavailableError: The set could never be fetched, or not for too long.
        """
        if self._keys is None or self._is_stale():
            await self._fetch_soon()
            if self._is_stale():
                raise UnavailableError(
                    "Tokens cannot be verified now; try again.",
                    limit="jwks_stale_seconds",
                )
        elif self._clock() - self._fetched_at > FRESH_SECONDS:
            self._start_fetch()
        key = self._lookup(header)
        if key is None and self._keys is not None and self._may_fetch():
            await self._fetch_soon()
            key = self._lookup(header)
        if self._keys is None:
            raise UnavailableError("Tokens cannot be verified now; try again.")
        return key

    async def aclose(self) -> None:
        """Stop a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    def _is_stale(self) -> bool:
        age_seconds = self._clock() - self._fetched_at
        return self._keys is not None and age_seconds > self._stale_seconds

    def _lookup(self, header: Mapping[str, object]) -> VerifyKey | None:
        keys = self._keys or {}
        kid = header.get("kid")
        if kid is None and len(keys) == 1:
            return next(iter(keys.values()))
        return keys.get(kid) if isinstance(kid, str) else None

    def _may_fetch(self) -> bool:
        return self._clock() - self._tried_at >= PAUSE_SECONDS

    def _start_fetch(self) -> None:
        """Begin a fetch, unless one is under way or was tried just now."""
        if self._fetching is None and self._may_fetch():
            self._tried_at = self._clock()
            self._fetching = asyncio.create_task(self._fetch(), name="jwks-fetch")

    async def _fetch_soon(self) -> None:
        """Wait for the fetch under way, or a new one; many may wait for the same."""
        self._start_fetch()
        if self._fetching is not None:
            await asyncio.shield(self._fetching)

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(FETCH_SECONDS):
                text = await self._download()
            self._keys = parse_key_set(text)
            self._fetched_at = self._clock()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            kept = "keeping the old keys" if self._keys else "no keys yet"
            _logger.warning("Key set could not be fetched (%r), %s", error, kept)
        except Exception:
            # Beside old keys nobody waits for it. It is tried again like any other.
            _logger.exception("Key set could not be read")
        finally:
            self._fetching = None

    async def _download(self) -> bytes:
        async with (
            # By HTTPS_PROXY and NO_PROXY: the only way out of some networks.
            aiohttp.ClientSession(trust_env=True) as http,
            http.get(self._url, max_redirects=3) as response,
        ):
            response.raise_for_status()
            text = bytearray()
            async for chunk in response.content.iter_any():
                text += chunk
                if len(text) > LIMIT_BYTES:
                    raise ValueError(f"more than {LIMIT_BYTES} bytes")
            return bytes(text)


def parse_key_set(text: bytes) -> dict[str | None, VerifyKey]:
    """Return the usable keys of a set by ``kid``; others are left out.

    Raises:
        ValueError: It is not a key set, or none of its keys can be used.
    """
    try:
        document = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("not a key set")
    found: dict[str | None, VerifyKey] = {}
    for entry in entries[:LIMIT_KEYS]:
        key = _parse_key(entry)
        if key is not None:
            kid = entry.get("kid")
            found.setdefault(kid if isinstance(kid, str) else None, key)
    if not found:
        raise ValueError("no key for RS256, ES256 or EdDSA")
    return found


def _parse_key(entry: Any) -> VerifyKey | None:
    """Return the key of one entry, None unless it is a public signature key."""
    if not isinstance(entry, dict) or entry.get("kty") not in ("RSA", "EC", "OKP"):
        return None
    if entry.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(entry).key
        algorithm = algorithm_of(key)
    except Exception:  # noqa: BLE001 - the libraries raise anything on odd keys
        return None
    if entry.get("alg", algorithm) not in (algorithm, "Ed25519"):
        return None
    return VerifyKey(key, algorithm)
