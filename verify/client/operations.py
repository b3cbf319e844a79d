"""What clients ask for besides messages: drawn by chance, what is refused as well."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from verify.client.client import Position

# Keys of reactions: few, so that several users choose the same one.
KEYS = ("+1", "heart")

# Messages back to which an operation goes.
BACK = 6

# Messages from one that is reacted to and pinned to the next: several do so to each.
APART = 20

# Range of a ban's and a mute's length, in whole seconds: runs are short.
OUT_SECONDS = (1, 3)

# How often something is set; else it is taken back.
ON_SHARE = 0.7


@dataclass(frozen=True, slots=True)
class Chooser:
    """Who chooses, and of what.

    Attributes:
        position: Where the client is in the room.
        is_owner: Whether the room is theirs.
        others: Users who may be put out of it.
        eagerness: How many times as often as usual they ask.
        rng: Source of the decisions.
    """

    position: Position
    is_owner: bool
    others: Sequence[str]
    eagerness: float
    rng: random.Random

    def draw(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the requests that go with one message, and their payloads."""
        for (name, share), make in _OPERATIONS.items():
            is_due = self.rng.random() < share * self.eagerness
            if is_due and (args := make(self)) is not None:
                yield name, args

    def recent(self) -> dict[str, Any] | None:
        """Choose one of the newest messages; None: there is none yet."""
        number = self.position.last_message - self.rng.randrange(BACK)
        return {"message": number} if number > 0 else None

    def own(self) -> dict[str, Any] | None:
        """Choose one of the client's own."""
        own = self.position.own[-BACK:]
        return {"message": self.rng.choice(own)} if own else None

    def switched(self, **more: object) -> dict[str, Any] | None:
        """Choose a message, and whether something of it is set or taken back."""
        last = self.position.last_message
        number = max(1, last - last % APART)
        on = self.rng.random() < ON_SHARE
        return {"message": number, **more, "on": on} if last else None

    def other(self, seconds: str = "") -> dict[str, Any] | None:
        """Choose one of the others, and a time if it is called anything."""
        if not self.others:
            return None
        length = {seconds: self.rng.randint(*OUT_SECONDS)} if seconds else {}
        return {"user": self.rng.choice(self.others), **length}


Make = Callable[[Chooser], dict[str, Any] | None]

# Requests, with how often one goes with a message. Of members those below the line are
# refused, for their role. The owner alone bans: a shorter ban of somebody else could
# take the place of a longer one.
_OPERATIONS: dict[tuple[str, float], Make] = {
    ("edit", 0.15): Chooser.own,
    ("delete", 0.06): lambda by: by.recent() if by.is_owner else by.own(),
    ("react", 0.2): lambda by: by.switched(key=by.rng.choice(KEYS)),
    # ---
    ("pin", 0.04): Chooser.switched,
    ("room_set", 0.03): lambda _: {},
    ("member_set", 0.03): lambda by: by.other("muteSeconds"),
    ("member_remove", 0.03): Chooser.other,
    ("member_remove", 0.02): lambda by: by.other("banSeconds") if by.is_owner else None,
    ("unban", 0.01): lambda by: by.other() if by.is_owner else None,
}
