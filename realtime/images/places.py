"""How many processes may decode images, and who says so where nodes share a machine."""

from typing import Final, Protocol

# Processes, started when they are first needed. Where images of one user come one after
# another, a user with slow ones leaves the second to the others.
DECODERS: Final = 2


class DecoderPlaces(Protocol):
    """The places for decoders of a whole machine; one that runs has taken one."""

    async def take(self) -> bool:
        """Return when a place is taken; False: nobody here takes one any more."""

    def give(self) -> None:
        """Give a place back."""

    def close(self) -> None:
        """Have all that wait here for a place be told that there is none."""
