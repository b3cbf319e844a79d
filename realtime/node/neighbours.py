"""What a node shares with other nodes of its machine: nothing, where it is alone.

Several processes may serve one port together (:mod:`realtime.workers`). Each is a node,
and to whoever looks from outside they are one.
"""

from collections.abc import Sequence

from realtime.elsewhere import ALONE, Elsewhere
from realtime.images.places import DecoderPlaces


class Neighbours:
    """What a node that is alone has of them.

    Attributes:
        sid_mark: What ids of connections have in them, so that others know whose they
            are; None: nobody has to.
        elsewhere: What the others hold.
        decoders: Places for processes that decode images; None: as many as it likes.
    """

    sid_mark: int | None = None
    elsewhere: Elsewhere = ALONE
    decoders: DecoderPlaces | None = None

    def trouble(self) -> str | None:
        """Return why nothing can be stored, if the others know."""
        return None

    def not_ready(self, own: Sequence[str]) -> Sequence[str]:
        """Return why nobody should come, given what keeps this node from serving."""
        return own

    def warnings(self, own: Sequence[str]) -> Sequence[str]:
        """Return what does not work and keeps nobody away."""
        return own

    async def metrics(self, own: bytes) -> bytes:
        """Return the numbers of all, given this node's."""
        return own
