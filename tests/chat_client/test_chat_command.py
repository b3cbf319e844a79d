"""``chatroom chat`` on real nodes: at a terminal, in a pipe, through an outage."""

import shlex
import signal
from pathlib import Path

import pytest

from tests.chat_client.terminal import command, pipe, terminal
from tests.kit.nodes import Node, run_nodes, run_process
from tests.kit.redis_server import RedisServer
from tests.kit.waiting import wait_until

CTRL_C, CTRL_D = b"\x03", b"\x04"
# One row of each kind that a pipe carries out.
SESSION = """hello
/edit 1 bye
/react 1 +1
/pin 1
/reply 1 yes
/delete 1 oops
/read
/members
/rooms
/history 5
"""


async def test_a_pipe_sends_every_line_and_ends(three: list[Node]) -> None:
    """In order, each acknowledged and shown; exit code 0."""
    lines = [f"line {number}" for number in range(1, 21)]
    given = "\n".join([*lines, ""])
    code, out, errors = await pipe(given, *command(three[0], "r", "--user", "ann"))
    assert code == 0, errors
    shown = [line.partition(" ann: ")[2] for line in out.splitlines()]
    assert shown == lines
    history = command(three[1], "r", "--user", "bob")
    _, out, _ = await pipe("/history 100", *history)
    assert [line.partition(" ann: ")[2] for line in out.splitlines()] == lines


async def test_a_name_is_what_others_see(three: list[Node]) -> None:
    """Where tokens do not say it, the command does."""
    who = ("--user", "ann", "--name", "안나 Kim")
    code, out, errors = await pipe("hello\n", *command(three[0], "r", *who))
    assert code == 0, errors
    assert "안나 Kim" in out


async def test_a_pipe_carries_commands_out(three: list[Node]) -> None:
    """What they change is shown as the room's others see it."""
    code, out, errors = await pipe(SESSION, *command(three[0], "r", "--user", "ann"))
    assert code == 0, errors
    for text in (
        "#1 edited by ann: bye",
        "ann reacted with +1 to #1 (now 1)",
        "ann pinned #1",
        "(answers #1) yes",
        "#1 deleted by ann: oops",
        "ann owner, here",
        "last #2",
        "ann: (deleted)",
    ):
        assert text in out
    assert "read up to #2" in errors
    assert "\x1b" not in out + errors


async def test_what_is_refused_is_told_and_the_rest_is_sent(three: list[Node]) -> None:
    """One sentence for each; the exit code says that not all went well."""
    given = b"/nope\n/edit 9 x\n\xff\n/kick zoe\nlast\n"
    code, out, errors = await pipe(given, *command(three[0], "r", "--user", "ann"))
    assert code == 1
    assert "last" in out
    for text in ("no /nope", "/edit: ", "not UTF-8", "/kick: "):
        assert text in errors


async def test_a_file_is_read_as_a_pipe(three: list[Node], tmp_path: Path) -> None:
    """A file is no pipe to the system; it is sent all the same."""
    file = tmp_path / "lines"
    file.write_text("from a file")
    line = shlex.join(command(three[0], "r", "--user", "ann"))
    code, out, errors = await pipe("", "sh", "-c", f"{line} < {shlex.quote(str(file))}")
    assert (code, "ann: from a file" in out) == (0, True), errors


@pytest.mark.parametrize(
    ("room", "flags", "said"),
    [
        ("r", ("--token", "no.token.here"), "the server refuses you"),
        ("r", (), "who are you?"),
        ("r", ("--user", "a\x1bb"), "the server refuses you"),
        ("d-nobody", ("--user", "ann"), "room d-nobody: "),
        ("no room", ("--user", "ann"), "room no room: "),
        ("r", ("--user", "ann", "--url", "http://127.0.0.1:1"), "no server answers"),
        ("r", ("--user", "ann", "--url", "ftp://x"), "--url must begin"),
        ("r", ("--token", "t", "--name", "Ann"), "--name goes with --user"),
    ],
)
async def test_what_cannot_begin_says_why(
    three: list[Node], room: str, flags: tuple[str, ...], said: str
) -> None:
    """In one sentence, with exit code 1."""
    code, out, errors = await pipe("hi\n", *command(three[0], room, *flags))
    assert (code, out) == (1, "")
    assert said in errors
    assert errors.count("\n") == 1
    assert "\x1b" not in errors


async def test_two_people_talk_at_terminals(three: list[Node]) -> None:
    """Over two nodes, in colours; nobody's words command the other's terminal."""
    async with (
        terminal(three[0], "r", "ann") as ann,
        terminal(three[1], "r", "bob", NO_COLOR="1") as bob,
    ):
        await ann.shows("bob is here")
        ann.type("hello bob")
        await bob.shows("ann: hello bob")
        bob.type("/react 1 ok")
        await ann.shows("bob reacted with ok to #1")
        bob.type("\u202eturned")
        await ann.shows("<U+202E>turned")
        assert "\x1b[" in ann.raw
        assert "\x1b[" not in bob.raw
        bob.type("/join other")
        await ann.shows("bob went")
        await bob.shows("in other")
        ann.type("/ban bob 60")
        await ann.shows("bob left (banned by ann)")
        bob.type("/join r")
        await bob.shows("(banned)")
        bob.press(CTRL_D)
        assert await bob.ended() == 0
        ann.press(CTRL_C)
        assert await ann.ended() == 130


async def test_leaving_and_quitting(redis_url: str) -> None:
    """In no room nothing is sent, and that is said."""
    async with run_nodes(1, redis_url) as [node], terminal(node, "r", "ann") as ann:
        ann.type("/leave")
        await ann.shows("/leave: done")
        ann.type("lost")
        await ann.shows("you are in no room")
        ann.type("/join r")
        await wait_until(lambda: "* in r\r" in ann.text, "it is in the room again")
        ann.type("/quit")
        await ann.shows("/quit: done")
        ann.type("/exit")
        assert await ann.ended() == 0


async def test_an_outage_loses_and_doubles_nothing(redis_server: RedisServer) -> None:
    """A node that hangs takes a line and dies; another one comes in its place.

    What was said meanwhile is shown once, what was typed is stored once.
    """
    flags = ("--redis-url", redis_server.url)
    async with (
        run_process(*flags) as one,
        run_process(*flags) as two,
        terminal(one, "r", "ann") as ann,
    ):
        ann.type("before")
        await ann.shows("ann: before")
        one.signal(signal.SIGSTOP)
        ann.type("during")
        one.kill()
        await ann.shows("offline")
        await pipe("missed\n", *command(two, "r", "--user", "bob"))
        async with run_process(*flags, port=one.port):
            await ann.shows("online again")
            await ann.shows("bob: missed")
            await ann.shows("ann: during")
            ann.type("after")
            await ann.shows("ann: after")
            for text in ("ann: before", "bob: missed", "ann: during"):
                assert ann.text.count(text) == 1, ann.text
            _, out, _ = await pipe("/history", *command(two, "r", "--user", "bob"))
    words = [line.rpartition(": ")[2] for line in out.splitlines()]
    assert sorted(words) == ["after", "before", "during", "missed"]


async def test_ctrl_c_tells_what_is_not_acknowledged(redis_server: RedisServer) -> None:
    """Whoever ends it while the server is away knows what may be lost."""
    async with (
        run_process("--redis-url", redis_server.url) as node,
        terminal(node, "r", "ann") as ann,
    ):
        node.kill()
        await ann.shows("offline")
        ann.type("into the void")
        await ann.shows("kept until the server is back")
        ann.press(CTRL_C)
        assert await ann.ended() == 130
        assert "not acknowledged: into the void" in ann.text


async def test_who_reads_no_more_ends_it(three: list[Node]) -> None:
    """As in `chatroom chat r < lines | head -n 1`: quietly, and at once."""
    given = "".join(f"line {number}\n" for number in range(300))
    line = shlex.join(command(three[0], "r", "--user", "ann"))
    code, out, errors = await pipe(given, "bash", "-c", f"{line} | head -n 1")
    assert (code, out.count("\n")) == (0, 1)
    assert errors.count("\n") == 1
