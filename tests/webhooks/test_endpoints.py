"""Which endpoints there are, what each is told, and where it may be."""

import json
from pathlib import Path

import pytest
from redis.asyncio import Redis

from realtime.store.endpoints import Endpoint, Endpoints, parse_endpoint
from realtime.webhooks.registry import parse_file
from tests.kit.hook_receiver import LOOPBACK, SECRET, HookReceiver
from tests.kit.members import member, text_of
from tests.kit.metrics import labelled
from tests.kit.nodes import Node, run_nodes
from tests.kit.store_fixtures import LinkMaker
from tests.kit.waiting import wait_until

GOOD = {"id": "app", "url": "https://example.org/hooks", "secrets": [SECRET]}
OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": "An app"}, "id: Must be 1 to 32"),
        ({"url": "ftp://example.org/"}, "url: Must be an address"),
        ({"url": "https://user:word@example.org/"}, "url: Must be an address"),
        ({"secrets": []}, "secrets: Must have one"),
        ({"secrets": ["whsec_c2hvcnQ="]}, "secrets.0: Must be whsec_"),
        ({"types": ["message.lost"]}, "types.0: There is no such type"),
        ({"rooms": "a b"}, "rooms: Must be"),
        ({"colour": "red"}, "colour: There is no such field"),
    ],
)
def test_an_endpoint_that_cannot_be_one(change: dict[str, object], said: str) -> None:
    """It is said what is wrong, by its path."""
    with pytest.raises(ValueError, match=said) as caught:
        parse_endpoint(GOOD | change)
    assert "c2hvcnQ" not in str(caught.value)


def test_a_file_of_endpoints() -> None:
    """One table each; ids are unique; most has a default."""
    url = "https://a.example/"
    table = f'[[hook]]\nid = "a"\nurl = "{url}"\nsecrets = ["{SECRET}"]\n'
    (found,) = parse_file(table.encode())
    assert found.wants("message.created", "42")
    assert not found.wants("push.due", "42")
    with pytest.raises(ValueError, match="same id"):
        parse_file((table + table).encode())
    with pytest.raises(ValueError, match="tables"):
        parse_file(b"hook = 1")


def test_what_an_endpoint_wants() -> None:
    """By patterns of types and of rooms."""
    endpoint = Endpoint("a", "https://a.example", (SECRET,), ("member.*",), "team-?")
    assert endpoint.wants("member.left", "team-1")
    assert not endpoint.wants("member.left", "team-10")
    assert not endpoint.wants("message.created", "team-1")


async def test_a_setting_that_cannot_be_used_keeps_a_node_from_starting(
    redis_url: str, tmp_path: Path
) -> None:
    """By its name, and without the secret."""
    path = tmp_path / "hooks.toml"
    path.write_text(f'[[hook]]\nid = "a"\nsecrets = ["{SECRET}"]\nurl = 1\n')
    with pytest.raises(ValueError, match=r"CHATROOM_HOOKS_FILE: a: url") as caught:
        async with run_nodes(1, redis_url, hooks_file=path):
            pass
    assert SECRET not in str(caught.value)


async def test_endpoints_that_are_made_while_nodes_run(
    app: HookReceiver, redis_url: str, make_link: LinkMaker
) -> None:
    """Told from then on, of what they want; deleted, of nothing."""
    async with (
        run_nodes(2, redis_url, hook_allow=LOOPBACK) as nodes,
        member(nodes[0], "ann", "42") as ann,
        make_link() as link,
    ):
        endpoints = Endpoints(link)
        await wait_until(
            lambda: not any(node.parts.outbox.active for node in nodes), "none is told"
        )
        await ann.send("before")
        made = GOOD | {"url": app.url, "rooms": "4*", "types": ["message.created"]}
        await endpoints.add(parse_endpoint(made))
        await wait_until(
            lambda: all(node.parts.outbox.active for node in nodes), "all nodes know"
        )
        await ann.send("hello")
        await ann.do("join", {"room": "elsewhere"})
        await ann.do("send", text_of("not told", "elsewhere"))
        await ann.do(
            "edit", {"room": "42", "message": 2, "clientId": "e", "text": "Hello"}
        )
        await ann.send("and on")
        await wait_until(lambda: len(app.accepted) == 2, "it is told")
        assert app.texts() == ["hello", "and on"]
        assert {each.type for each in app.accepted} == {"message.created"}
        await endpoints.remove("app")
        await wait_until(
            lambda: not any(node.parts.outbox.active for node in nodes), "none is told"
        )
        await ann.send("after")
        assert len(app.accepted) == 2


async def test_where_nobody_is_told_nothing_is_noted(
    redis_url: str, redis_client: Redis
) -> None:
    """No mark, no position, no queue: a send costs what it did."""
    async with run_nodes(1, redis_url) as (node,):
        await wait_until(lambda: not node.parts.outbox.active, "nobody is told")
        async with member(node, "ann", "42") as ann:
            await ann.send("hello")
    assert await redis_client.exists("chatroom:outbox") == 0
    assert not {"passed", "passedBy"} & {
        *await redis_client.hgetall("{chatroom-42}:meta")
    }


async def test_a_room_is_marked_once_in_a_while(
    two: list[Node], app: HookReceiver, redis_client: Redis
) -> None:
    """Many messages cost one mark; what all is passed on of is forgotten."""
    async with member(two[0], "ann", "42") as ann:
        await ann.send("first")
        marked = await redis_client.zscore("chatroom:outbox", "42")
        assert marked is not None
        await ann.send("second")
        assert await redis_client.zscore("chatroom:outbox", "42") == marked

        async def forgotten() -> bool:
            return await redis_client.zscore("chatroom:outbox", "42") is None

        await wait_until(forgotten, "the room is forgotten")
    assert app.texts() == ["first", "second"]


async def test_both_secrets_sign_while_they_change(
    app: HookReceiver, redis_url: str, tmp_path: Path
) -> None:
    """Whoever verifies with the old one or with the new one succeeds."""
    path = tmp_path / "hooks.toml"
    path.write_text(app.file(secrets=[OTHER_SECRET, SECRET]))
    async with (
        run_nodes(1, redis_url, hooks_file=path, hook_allow=LOOPBACK) as (node,),
        member(node, "ann", "42") as ann,
    ):
        await ann.send("with both")
        await wait_until(lambda: app.accepted, "the old one verifies")
        app.secret = OTHER_SECRET
        await ann.send("again")
        await wait_until(lambda: len(app.accepted) == 2, "the new one verifies")
    assert len(app.accepted[0].headers["webhook-signature"].split(" ")) == 2


@pytest.mark.parametrize(
    ("url", "allow"),
    [
        ("http://127.0.0.1:{port}/hooks", "none"),
        ("http://127.0.0.1:{port}/hooks", "10.0.0.0/8"),
        ("http://localhost:{port}/hooks", "none"),
        ("https://127.0.0.1:{port}/hooks", "none"),
        ("http://[::ffff:127.0.0.1]:{port}/hooks", "none"),
    ],
)
async def test_what_is_inside_is_not_called(
    app: HookReceiver, redis_url: str, tmp_path: Path, url: str, allow: str
) -> None:
    """By name or by number, unless its network is named: judged when it is dialled."""
    path = tmp_path / "hooks.toml"
    inside = url.format(port=app.port)
    path.write_text(app.file().replace(json.dumps(app.url), json.dumps(inside)))
    async with (
        run_nodes(1, redis_url, hooks_file=path, hook_allow=allow) as (node,),
        member(node, "ann", "42") as ann,
    ):
        await ann.send("hello")

        def refused() -> int:
            counts = labelled(node, "chatroom_webhook_events_total")
            return int(counts["unreachable"])

        await wait_until(refused, "it is not dialled")
    assert app.tried == []
