"""A turnstile: a few in each turn of the event loop, the others after them in order.

What comes in thousands at once (connects after a node died, the requests of one user
who floods) would otherwise make one turn of the loop long, and delay everybody else.
Callers wait only for turns of the loop, never for each other's work.
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
        self._entered: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def try_enter(self, kind: Hashable = None) -> bool:
        """Enter at once if this turn has a place; else :meth:`enter` waits for one."""
        entered = self._entered.get(kind, 0)
        if entered >= self._each or kind in self._waiting:
            return False
        if not self._entered and not self._waiting:
            asyncio.get_running_loop().call_soon(self._next_turn)
        self._entered[kind] = entered + 1
        return True

    async def enter(self, kind: Hashable = None) -> None:
        """Return in a turn that has a place, after all of the kind that came before."""
        if self.try_enter(kind):
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(kind, deque()).append(place)
        await place

    def _next_turn(self) -> None:
        self._entered.clear()
        for kind, places in list(self._waiting.items()):
            if not places:
                # Not in the turn that took the last ones: they have been woken, but
                # go on only now, and who came meanwhile must not get ahead of them.
                del self._waiting[kind]
            while places and self._entered.get(kind, 0) < self._each:
                place = places.popleft()
                # Whoever waited for it may have been cancelled.
                if not place.done():
                    place.set_result(None)
                    self._entered[kind] = self._entered.get(kind, 0) + 1
        if self._entered or self._waiting:
            asyncio.get_running_loop().call_soon(self._next_turn)
