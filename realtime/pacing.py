"""A turnstile: so many in one turn of the event loop, the others after them in order.

What comes in thousands at once (connects after a node died, the requests of one user
who floods) would otherwise make a turn of the loop long, and everybody waits for that
several times a message. Nobody here waits for what another one does: only for turns.
"""

import asyncio
from collections import deque
from collections.abc import Hashable


class Turnstile:
    """Lets a few through in each turn of the loop, for each who comes.

    Args:
        each: How many of one kind may start in a turn.
    """

    def __init__(self, each: int) -> None:
        self._each = each
        self._passed: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def passes(self, kind: Hashable = None) -> bool:
        """Take a place in this turn if there is one; else :meth:`wait` is due."""
        passed = self._passed.get(kind, 0)
        if passed >= self._each or kind in self._waiting:
            return False
        if not self._passed and not self._waiting:
            asyncio.get_running_loop().call_soon(self._next_turn)
        self._passed[kind] = passed + 1
        return True

    async def wait(self, kind: Hashable = None) -> None:
        """Return in a turn that has a place, after all of the kind that came before."""
        if self.passes(kind):
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(kind, deque()).append(place)
        await place

    def _next_turn(self) -> None:
        self._passed.clear()
        for kind, places in list(self._waiting.items()):
            if not places:
                # Not in the turn that took the last ones: they have been woken, but
                # go on only now, and who came meanwhile must not get ahead of them.
                del self._waiting[kind]
            while places and self._passed.get(kind, 0) < self._each:
                place = places.popleft()
                # Whoever waited for it may have been cancelled.
                if not place.done():
                    place.set_result(None)
                    self._passed[kind] = self._passed.get(kind, 0) + 1
        if self._passed or self._waiting:
            asyncio.get_running_loop().call_soon(self._next_turn)
