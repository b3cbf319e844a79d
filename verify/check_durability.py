"""Check of acks: each says how safe its message is, and that is what was asked for."""

from collections.abc import Iterator, Sequence

from verify.final_log import Violation
from verify.history import Answered, History, Outcome, of_kind


def check_durability(
    histories: Sequence[History], room: str, durability: str
) -> Iterator[Violation]:
    """Look for acks that tell another durability than the nodes' own.

    Args:
        histories: Of all clients.
        room: Room id.
        durability: What the nodes are set to.
    """
    for history in histories:
        for ack in of_kind(history.records, Answered):
            is_ack = ack.room == room and ack.outcome is Outcome.ACKED
            if is_ack and ack.durability != durability:
                text = (
                    f"{ack.client_id} of {history.user} was acknowledged as"
                    f" {ack.durability or 'nothing'}, not as {durability}"
                )
                yield Violation("durability", room, text)
