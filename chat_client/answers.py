"""What the server says, read: its errors, and its notices about the connection."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from chat_client.view import visible

# Refusals of a connect that pass by themselves.
PASSING: Final = frozenset({"unavailable", "rate_limited"})


class RefusedError(Exception):
    """The server's definite no, as a sentence for the person.

    Attributes:
        code: The error's code; empty where the client itself refuses.
    """

    def __init__(self, said: str, code: str = "") -> None:
        super().__init__(said)
        self.code = code


def _service(fields: Mapping[str, Any]) -> str:
    if fields.get("available"):
        return "the server has its store again"
    return "the server is without its store: nothing is stored or told meanwhile"


NOTED: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "service": _service,
    "closing": lambda fields: f"the server closes ({visible(fields.get('reason'))})",
    "token_expired": lambda _fields: "the token has ended",
    "membership_ended": lambda fields: (
        f"you are no longer in {visible(fields.get('room'))}"
    ),
    "reload": lambda _fields: "what was shown may be wrong; these are the newest",
}


def error_of(ack: Mapping[str, Any]) -> dict[str, Any]:
    """Return an ack's error; empty if it has none."""
    error = ack.get("error")
    return error if isinstance(error, dict) else {}


def sentence(error: Mapping[str, Any]) -> str:
    """Return an error as the person is told it."""
    said = visible(error.get("message", "no reason was given"))
    reason = error.get("reason")
    return f"{said} ({visible(reason)})" if reason else said


def number(value: object) -> float:
    """Return a number of the wire; 0 if it is none."""
    return float(value) if isinstance(value, int | float) else 0.0
