"""Pure: finds the words of a list in a text, in time that grows with the text alone.

Words and texts are compared in Unicode's composed form (NFC) and case-folded, with any
blanks between the words of a phrase taken for one space. Where a script has spaces only
whole words count, so that a list of four letters spares Scunthorpe; in scripts without
(Han, Kana, Thai and their kind), and in Hangul, where particles are glued to words, a
word counts wherever it stands.
"""

import re
import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

# A node of the automaton takes some 300 bytes, and each letter of a word may need one.
LIMIT_WORDS: Final = 10_000
LIMIT_WORD_CHARACTERS: Final = 64
LIMIT_FILE_BYTES: Final = 262_144

MASK: Final = "*"

_BLANKS: Final = re.compile(r"\s+")

# Thai to Khmer, Jamo, Kana, Bopomofo, Han, Hangul and their compatibility forms.
_GLUED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u318f"
    "\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff"
    "\uf900-\ufaff\uff66-\uffdc\U0001aff0-\U0001b16f\U00020000-\U000323af]"
)


class WordFilter:
    """The automaton of Aho and Corasick: all words at once, each character once.

    Args:
        words: Words and phrases, as people write them.

    Raises:
        ValueError: They are too many, or one is too long.
    """

    def __init__(self, words: Iterable[str]) -> None:
        folded = {_fold(word).strip() for word in words} - {""}
        if len(folded) > LIMIT_WORDS:
            raise ValueError(f"more than {LIMIT_WORDS} words")
        self._next: list[dict[str, int]] = [{}]
        # Lengths of the words that end where a state is.
        self._ends: list[tuple[int, ...]] = [()]
        for word in folded:
            if len(word) > LIMIT_WORD_CHARACTERS:
                raise ValueError(
                    f"a word of more than {LIMIT_WORD_CHARACTERS} characters"
                )
            self._add(word)
        self._fail = [0] * len(self._next)
        self._link()
        self._count = len(folded)

    def __len__(self) -> int:
        return self._count

    def has(self, text: str) -> bool:
        """Return whether one of the words is in a text."""
        return any(self._spans(_fold(text)))

    def mask(self, text: str) -> str:
        """Return a text with ``*`` for each character of the words in it.

        A text without them is returned as it is, another in its composed form.
        """
        folded = _fold(text)
        hidden = bytearray(len(folded))
        for start, end in self._spans(folded):
            hidden[start:end] = b"\1" * (end - start)
        if not any(hidden):
            return text
        shown: list[str] = []
        place, was_blank = 0, False
        for character in unicodedata.normalize("NFC", text):
            blank = character.isspace()
            # Of several blanks only the first one has a place in the folded text.
            taken = int(not was_blank) if blank else len(character.casefold())
            covered = not blank and 1 in hidden[place : place + taken]
            shown.append(MASK if covered else character)
            place, was_blank = place + taken, blank
        return "".join(shown)

    def _add(self, word: str) -> None:
        state = 0
        for character in word:
            known = self._next[state].get(character)
            if known is None:
                known = self._next[state][character] = len(self._next)
                self._next.append({})
                self._ends.append(())
            state = known
        self._ends[state] = (len(word),)

    def _link(self) -> None:
        """Note for each state the longest shorter one that ends alike."""
        pending = deque(self._next[0].values())
        while pending:
            state = pending.popleft()
            for character, child in self._next[state].items():
                fail = self._fail[state]
                while fail and character not in self._next[fail]:
                    fail = self._fail[fail]
                self._fail[child] = self._next[fail].get(character, 0)
                self._ends[child] += self._ends[self._fail[child]]
                pending.append(child)

    def _spans(self, folded: str) -> Iterator[tuple[int, int]]:
        """Yield where words begin and end: the longest one of those that end alike."""
        following, fails, ends = self._next, self._fail, self._ends
        state = 0
        for end, character in enumerate(folded, 1):
            while (then := following[state].get(character)) is None and state:
                state = fails[state]
            state = then or 0
            if ends[state] and _is_gap(folded, end):
                for length in ends[state]:
                    if _is_gap(folded, end - length):
                        yield end - length, end
                        break


def parse_words(data: bytes) -> list[str]:
    """Return the words of a file: one a line; lines that begin with ``#`` are none.

    Raises:
        ValueError: It is too large, or not in UTF-8.
    """
    if len(data) > LIMIT_FILE_BYTES:
        raise ValueError(f"more than {LIMIT_FILE_BYTES} bytes")
    # Some editors begin a file with a mark.
    lines = data.decode("utf-8-sig").splitlines()
    return [line for line in map(str.strip, lines) if line and line[0] != "#"]


def _fold(text: str) -> str:
    return _BLANKS.sub(" ", unicodedata.normalize("NFC", text).casefold())


def _is_gap(folded: str, place: int) -> bool:
    """Whether a word may begin or end at a place, between two characters."""
    return not (
        0 < place < len(folded)
        and _is_letter(folded[place - 1])
        and _is_letter(folded[place])
    )


def _is_letter(character: str) -> bool:
    """Whether a word of a script with spaces goes on with it."""
    return (
        character.isalnum() or unicodedata.category(character)[0] == "M"
    ) and not _GLUED.match(character)
