"""An ack whose content is decided in the very step that writes it."""

from collections.abc import Callable


class DeferredAck:
    """What a handler returns when its ack and a change of state belong together.

    A session that joins a room must get the ack before the room's first live event,
    and no event may fall between the two. The server calls :meth:`resolve` and writes
    its result without suspending in between, so that the state changed by ``resolve``
    (the session enters the fan-out) and the ack are one step to the event loop.

    Args:
        resolve: Returns the ack's value. It must not raise and cannot suspend.
    """

    __slots__ = ("_resolve",)

    def __init__(self, resolve: Callable[[], object]) -> None:
        self._resolve = resolve

    def resolve(self) -> object:
        """Carry out the step and return the ack's value; called exactly once."""
        return self._resolve()
