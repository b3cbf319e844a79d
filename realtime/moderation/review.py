"""What a message goes through before it is stored: the list of words, then the hook."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar

from realtime.errors import ForbiddenError
from realtime.moderation.answers import Kind
from realtime.moderation.hook import Hook
from realtime.moderation.marked_rooms import MarkedRooms
from realtime.moderation.numbers import ModerationNumbers
from realtime.moderation.words import WordFilter
from schemas.field_types import TEXT_CHARACTERS

# Why a word or the hook refuses a message; the ``reason`` of the error.
DENIED: Final = "denied"

# What :meth:`Moderation.held` returns where there is no moderation.
NOTHING_HELD: Final = {"hook_calls": 0, "hook_rooms": 0}

T = TypeVar("T")


class Moderation:
    """Looks at messages for a node; a node without it looks at none.

    Args:
        words: The list of words; None: there is none.
        masks: Whether its words are masked, rather than the message denied.
        hook: The application's; None: there is none.
        marked: The rooms that it is for; None: all.
        numbers: What is counted.
    """

    def __init__(
        self,
        *,
        words: WordFilter | None,
        masks: bool,
        hook: Hook | None,
        marked: MarkedRooms | None,
        numbers: ModerationNumbers,
    ) -> None:
        self._words = words
        self._masks = masks
        self._hook = hook
        self._marked = marked
        self._numbers = numbers

    @property
    def waits(self) -> bool:
        """Whether a review may suspend, so that what is sent after it needs a place.

        Without a hook only a message that is denied is looked up.
        """
        return self._hook is not None

    def held(self) -> Mapping[str, int]:
        """Return what is held, counted by kind."""
        return {
            "hook_calls": 0 if self._hook is None else self._hook.under_way,
            "hook_rooms": 0 if self._marked is None else len(self._marked),
        }

    async def run(self) -> None:
        """Hold the hook's connections until cancelled."""
        if self._hook is not None:
            await self._hook.run()

    async def review(
        self,
        room: str,
        user: str,
        payload: dict[str, Any],
        *,
        client_id: str,
        repeated: Callable[[], Awaitable[T | None]],
        kind: Kind = Kind.SEND,
        is_by_key: bool = False,
    ) -> T | None:
        """Let a message pass, changed in place if need be, or refuse it.

        Args:
            room: Room id.
            user: Who sends or edits.
            payload: What is to be stored, or what the message is to become, valid by
                its schema; bytes are described, not in it.
            client_id: The idempotency key.
            repeated: Returns what became of this request before, None if nothing did.
                It is asked before anybody is, and before anything is refused: what is
                stored is stored.
            kind: Whether it is sent or edited.
            is_by_key: An API key is the application's own: the hook would ask it about
                what it has just said. The list of words is for all.

        Returns:
            What ``repeated`` found; None: the payload may be stored.

        Raises:
            ForbiddenError: A word or the hook denied it, reason ``denied``.
            UnavailableError: The hook could not be asked, and nothing is to pass then.
        """
        hook = None if is_by_key or not await self._is_hooked(room) else self._hook
        if hook is not None and (before := await repeated()) is not None:
            return before
        try:
            self._screen(payload)
        except ForbiddenError:
            if hook is None and (before := await repeated()) is not None:
                return before
            raise
        if hook is not None:
            about = {"room": room, "user": user, "clientId": client_id}
            answer = await hook.ask(user, kind, about | payload)
            if answer is not None and answer.action == "deny":
                said = answer.reason or "This message is not allowed here."
                raise ForbiddenError(said, reason=DENIED)
            if answer is not None:
                payload.update(answer.changes)
        return None

    async def _is_hooked(self, room: str) -> bool:
        if self._hook is None:
            return False
        return self._marked is None or await self._marked.has(room)

    def _screen(self, payload: dict[str, Any]) -> None:
        """Deny or mask the words of the list."""
        text = payload.get("text")
        if self._words is None or text is None:
            return
        if self._masks:
            masked = self._words.mask(text)
            if masked is text:
                return
            if len(masked) <= TEXT_CHARACTERS:
                self._numbers.outcomes["word_masked"] += 1
                payload["text"] = masked
                return
            # Composing makes a few rare signs longer.
        elif not self._words.has(text):
            return
        self._numbers.outcomes["word_denied"] += 1
        raise ForbiddenError(
            "This message has words that are not allowed here.", reason=DENIED
        )
