"""A node with a list of words: what is sent is denied or masked by it."""

from pathlib import Path
from typing import Any

import pytest

from tests.kit.hook_server import hook_server
from tests.kit.members import all_see, member, text_of
from tests.kit.metrics import labelled
from tests.kit.nodes import run_nodes


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """A list of two words."""
    path = tmp_path / "words.txt"
    path.write_text("# not here\nfool\n바보\n")
    return path


async def test_a_word_is_denied(redis_url: str, words: Path) -> None:
    """On every node; what has none goes its way, in its order."""
    async with (
        run_nodes(2, redis_url, words_file=words) as nodes,
        member(nodes[0], "ann", "42") as ann,
        member(nodes[1], "bob", "42") as bob,
    ):
        await ann.send("foolish")
        for view, text in ((ann, "you FOOL"), (bob, "이런 바보야")):
            error = await view.refused("send", text_of(text))
            assert (error["code"], error["reason"]) == ("forbidden", "denied")
        await bob.send("sorry")
        await all_see([ann, bob], ["foolish", "sorry"])
        counts = labelled(nodes[0], "chatroom_moderated_total")
        assert counts["word_denied"] == 1


async def test_a_word_is_masked(redis_url: str, words: Path) -> None:
    """Everybody sees the same, the sender as well."""
    settings: dict[str, Any] = {"words_file": words, "words_action": "mask"}
    async with (
        run_nodes(2, redis_url, **settings) as nodes,
        member(nodes[0], "ann", "42") as ann,
        member(nodes[1], "bob", "42") as bob,
    ):
        await ann.send("you fool")
        await all_see([ann, bob], ["you ****"])
        # Composed it would be too long: no part of it is shown instead.
        error = await bob.refused("send", text_of("fool " + "\u0958" * 3_000))
        assert error["reason"] == "denied"


async def test_what_was_stored_is_answered(redis_url: str, words: Path) -> None:
    """A node whose list is stricter answers a repeat of what another one stored."""
    async with (
        run_nodes(1, redis_url) as (free,),
        run_nodes(1, redis_url, words_file=words) as (strict,),
        member(free, "ann", "42") as ann,
        member(strict, "ann", "42") as again,
    ):
        await ann.send("you fool", client_id="c1")
        assert (await again.send("you fool", client_id="c1"))["duplicate"]
        await all_see([ann, again], ["you fool"])


async def test_edits_have_no_such_word_either(redis_url: str, words: Path) -> None:
    """What is refused in a message is not brought into it later."""
    async with (
        run_nodes(1, redis_url, words_file=words) as (node,),
        member(node, "ann", "42") as ann,
    ):
        await ann.send("you")
        edit = {"room": "42", "message": 1, "clientId": "e1", "text": "you fool"}
        assert (await ann.refused("edit", edit))["reason"] == "denied"
        await ann.do("edit", edit | {"text": "you all"})


async def test_words_come_before_the_hook(redis_url: str, words: Path) -> None:
    """The application is not asked about what is denied, and sees what is masked."""
    async with hook_server() as app:
        for action in ("deny", "mask"):
            settings = app.settings | {"words_file": words, "words_action": action}
            async with (
                run_nodes(1, redis_url, **settings) as (node,),
                member(node, "ann", "42") as ann,
            ):
                await ann.ask("send", text_of("you fool"))
        assert app.texts == ["you ****"]


@pytest.fixture
def unreadable(words: Path) -> Path:
    """A list that is not in UTF-8."""
    words.write_bytes(b"\xff")
    return words


async def test_a_list_that_cannot_be_used(redis_url: str, unreadable: Path) -> None:
    """The node does not start without it."""
    with pytest.raises(ValueError, match="CHATROOM_WORDS_FILE: "):
        async with run_nodes(1, redis_url, words_file=unreadable):
            pass
