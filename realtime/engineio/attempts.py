"""What strangers may ask for, paced over all who ask until they are known."""

import asyncio
from collections import Counter, deque
from typing import Final

from aiohttp import web

# Attempts that come to nothing, a second in the long run and at once: a handshake with
# its CONNECT, or one more CONNECT. Each costs up to two milliseconds, so that strangers
# have some 12 % of the event loop. One that succeeds is given back: thousands who come
# after a node died do not wait for it.
ATTEMPTS_A_SECOND: Final = 60.0
ATTEMPTS_AT_ONCE: Final = 500

# HTTP requests of nobody known that cost as much as an attempt: 0.1 to 0.4 ms each.
REQUESTS_AN_ATTEMPT: Final = 5
REQUEST_COST: Final = 1 / REQUESTS_AN_ATTEMPT

# Bytes of a file that cost as much as an attempt.
BYTES_AN_ATTEMPT: Final = 262_144

# Connections that come to nothing, a second in the long run and at once: 0.1 ms each.
CONNECTIONS_A_SECOND: Final = 200.0
CONNECTIONS_AT_ONCE: Final = 3_000

# Between two looks at who waits: some come in together, for each waking of the event
# loop costs as much as a request.
BATCH_SECONDS: Final = 0.03

# Longest wait for one's turn; less than clients wait for an answer.
ATTEMPT_SECONDS: Final = 10.0


class Budget:
    """So much a second in the long run, and so much at once.

    Args:
        rate: Both; None: any amount.
    """

    def __init__(self, rate: tuple[float, int] | None) -> None:
        self.rate = rate
        self._left: float = 0 if rate is None else rate[1]
        self._at = 0.0

    def take(self, cost: float = 1.0) -> None:
        """Take, also what is not there: it is missing later."""
        if self.rate is not None:
            self.wait_seconds(cost)
            self._left -= cost

    def give_back(self, cost: float = 1.0) -> None:
        """Put back what was taken."""
        if self.rate is not None:
            self._left = min(self._left + cost, self.rate[1])

    def wait_seconds(self, cost: float = 1.0) -> float:
        """Return the seconds until as much can be taken; 0: now."""
        if self.rate is None:
            return 0.0
        now = asyncio.get_running_loop().time()
        self._left = min(self.rate[1], self._left + (now - self._at) * self.rate[0])
        self._at = now
        return max(0.0, cost - self._left) / self.rate[0]


class Attempts:
    """How many attempts there may be; further ones wait, one address after the other.

    Args:
        rate: A second in the long run, and at once; None: any number.
        limited: Counts those that had to wait.
    """

    def __init__(self, rate: tuple[float, int] | None, limited: Counter[str]) -> None:
        self._budget = Budget(rate)
        self._limited = limited
        self._waiting: dict[str, deque[tuple[float, asyncio.Future[bool]]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    async def enter(self, name: str, cost: float = 1.0) -> bool:
        """Return once an address may make an attempt; False if that took too long."""
        if self._closed:
            return False
        if not self._waiting and not self._budget.wait_seconds(cost):
            self._budget.take(cost)
            return True
        self._limited["attempts"] += 1
        place = cost, asyncio.get_running_loop().create_future()
        self._waiting.setdefault(name, deque()).append(place)
        self._serve()
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return bool(await place[1])
        except TimeoutError:
            return False
        finally:
            self._leave(name, place)

    def close(self) -> None:
        """Let nobody in any more: who waits is told so now."""
        self._closed = True
        for places in self._waiting.values():
            for _cost, place in places:
                if not place.done():
                    place.set_result(False)

    def charge(self, cost: float) -> None:
        """Count what somebody who was let in has cost beside."""
        self._budget.take(cost)

    def give_back(self, cost: float = 1.0) -> None:
        """Count an attempt no more: it has succeeded."""
        self._budget.give_back(cost)
        self._serve()

    def _leave(self, name: str, place: tuple[float, asyncio.Future[bool]]) -> None:
        places = self._waiting.get(name)
        if places is not None and place in places:
            places.remove(place)
            if not places:
                del self._waiting[name]

    def _serve(self) -> None:
        """Let in who may come in now, and come again for the others."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wait_seconds = 0.0
        while self._waiting:
            name = next(iter(self._waiting))
            cost, place = self._waiting[name][0]
            wait_seconds = self._budget.wait_seconds(cost)
            if wait_seconds:
                break
            # The address that was served goes to the end of the line.
            places = self._waiting.pop(name)
            places.popleft()
            if places:
                self._waiting[name] = places
            if not place.done():
                place.set_result(True)
                self._budget.take(cost)
        if self._waiting:
            loop = asyncio.get_running_loop()
            wait_seconds = max(wait_seconds, BATCH_SECONDS)
            self._timer = loop.call_later(wait_seconds, self._serve)


# Set in a request of somebody who is known: it took nothing from strangers.
PROVEN: Final = web.RequestKey("proven", bool)
# Where a plain HTTP request took its turn.
LINE: Final = web.RequestKey("line", Attempts)
