"""The list of words: what is found in a text, what is not, and what is shown then."""

import time
from itertools import cycle, islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.moderation.words import (
    LIMIT_FILE_BYTES,
    LIMIT_WORD_CHARACTERS,
    LIMIT_WORDS,
    WordFilter,
    parse_words,
)


@pytest.mark.parametrize(
    ("word", "text", "shown"),
    [
        ("ass", "what an ASS!", "what an ***!"),
        ("ass", "a class of assets", "a class of assets"),
        ("ass", "ass", "***"),
        ("ass", "an ass2", "an ass2"),
        ("ass", "an_ass_", "an_***_"),
        ("he", "she said he", "she said **"),
        ("shell", "she shell", "she *****"),
        ("big fool", "you  BIG \n fool.", "you  *** \n ****."),
        ("straße", "die STRASSE hier", "die ******* hier"),
        ("strasse", "die Straße hier", "die ****** hier"),
        ("café", "un cafe\u0301 ici", "un **** ici"),
        ("cafe", "un cafe\u0301 ici", "un cafe\u0301 ici"),
        ("바보", "이런 바보들아", "이런 **들아"),
        ("바보", "이런 \u1107\u1161\u1107\u1169들아", "이런 **들아"),
        ("ばか", "おばかさん", "お**さん"),
        ("笨蛋", "你这个笨蛋啊", "你这个**啊"),
        ("fool", "이런fool들", "이런****들"),
        ("@all", "hey @all", "hey ****"),
        ("дурак", "ДУРАК ты", "***** ты"),
        ("дурак", "дураками", "дураками"),
    ],
)
def test_a_word_is_found_where_it_is_one(word: str, text: str, shown: str) -> None:
    """By case and composition alike; whole words where a script has spaces."""
    words = WordFilter([word])
    assert words.mask(text) == shown
    assert words.has(text) == (shown != text)


def test_words_may_overlap() -> None:
    """Each of them is covered; a longer one that is none there hides no shorter one."""
    words = WordFilter(["ab cd", "cd ef", "ef", "efg h"])
    assert words.mask("ab cd ef x") == "** ** ** x"
    assert words.mask("ef efg hi") == "** efg hi"


def test_a_text_without_words_stays_as_it_is() -> None:
    """Not even composed anew: it is the sender's."""
    text = "cafe\u0301  \n ok"
    assert WordFilter(["fool"]).mask(text) is text


LETTERS = st.text("ab \u0301ß바보İ", max_size=12)


@given(st.lists(LETTERS, max_size=6), LETTERS)
def test_masking_hides_what_is_found_and_keeps_the_rest(
    words: list[str], text: str
) -> None:
    """A text is masked exactly if it has a word; its blanks stay where they were."""
    made = WordFilter(words)
    shown = made.mask(text)
    assert made.has(text) == ("*" in shown)
    if "*" not in shown:
        assert shown == text
    assert [c for c in shown if c.isspace()] == [c for c in text if c.isspace()]


def test_the_time_for_a_text_is_bounded() -> None:
    """A thousand words and the longest text, also one that is made to be slow."""
    words = [f"{'a' * (1 + number % 60)}{number}" for number in range(940)]
    words += ["a" * length for length in range(1, 61)]
    made = WordFilter(words)
    texts = ("a" * 4_000, "".join(islice(cycle("a" * 60 + " "), 4_000)))
    for text in (*texts, " ".join(words)[:4_000]):
        began = time.process_time()
        made.mask(text)
        # 2-6 ms here; quadratic work would take a second.
        assert time.process_time() - began < 0.1


def test_a_file_has_a_word_a_line() -> None:
    """Comments, blank lines and the mark of an editor are no words."""
    text = "\ufeff# of the office\nfool\r\n\n  big fool \n# end"
    assert parse_words(text.encode()) == ["fool", "big fool"]
    assert len(WordFilter(["fool", "FOOL", " "])) == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"x" * (LIMIT_FILE_BYTES + 1), "bytes"),
        (b"\xff\xfe", "utf-8"),
        (b"x" * (LIMIT_WORD_CHARACTERS + 1), "characters"),
        (b"\n".join(b"%d" % n for n in range(LIMIT_WORDS + 1)), "words"),
    ],
)
def test_a_file_that_is_too_much_is_refused(data: bytes, said: str) -> None:
    """When the node starts, not by a part of the list that does not hold."""
    with pytest.raises(ValueError, match=said):
        WordFilter(parse_words(data))
