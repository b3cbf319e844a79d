"""Attempts to be let in, paced over all who make them until they have succeeded."""

import asyncio
from collections import Counter, deque
from typing import Final

# Attempts that come to nothing, a second in the long run and at once: a handshake with
# its CONNECT, or one more CONNECT. Each costs about a millisecond, so that strangers
# have some 15 % of the event loop. One that succeeds is given back: thousands who come
# after a node died do not wait for it.
ATTEMPTS_A_SECOND: Final = 100.0
ATTEMPTS_AT_ONCE: Final = 500

# Longest wait for one's turn; less than clients wait for an answer.
ATTEMPT_SECONDS: Final = 10.0


class Attempts:
    """How many attempts there may be; further ones wait, one address after the other.

    Args:
        rate: A second in the long run, and at once; None: any number.
        limited: Counts those that had to wait.
    """

    def __init__(self, rate: tuple[float, int] | None, limited: Counter[str]) -> None:
        self._rate = rate
        self._limited = limited
        self._left: float = 0 if rate is None else rate[1]
        self._at = 0.0
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    async def enter(self, name: str) -> bool:
        """Return once an address may make an attempt; False if that took too long."""
        if self._rate is None:
            return True
        if not self._waiting:
            self._refill(self._rate)
            if self._left >= 1:
                self._left -= 1
                return True
        self._limited["attempts"] += 1
        place = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(name, deque()).append(place)
        self._serve()
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                await place
        except TimeoutError:
            return False
        finally:
            self._leave(name, place)
        return True

    def give_back(self) -> None:
        """Count an attempt no more: it has succeeded."""
        if self._rate is not None:
            self._left = min(self._left + 1, self._rate[1])
            self._serve()

    def _leave(self, name: str, place: asyncio.Future[None]) -> None:
        places = self._waiting.get(name)
        if places is not None and place in places:
            places.remove(place)
            if not places:
                del self._waiting[name]

    def _refill(self, rate: tuple[float, int]) -> None:
        now = asyncio.get_running_loop().time()
        self._left = min(rate[1], self._left + (now - self._at) * rate[0])
        self._at = now

    def _serve(self) -> None:
        """Let in who may come in now, and come again for the others."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._rate is None or not self._waiting:
            return
        self._refill(self._rate)
        while self._waiting and self._left >= 1:
            # The address that was served goes to the end of the line.
            name = next(iter(self._waiting))
            places = self._waiting.pop(name)
            place = places.popleft()
            if places:
                self._waiting[name] = places
            if not place.done():
                place.set_result(None)
                self._left -= 1
        if self._waiting:
            wait = max(0.0, 1 - self._left) / self._rate[0]
            self._timer = asyncio.get_running_loop().call_later(wait, self._serve)
