"""Endpoints that an application makes and manages over HTTP."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from tests.kit.backend import SECRET as TOKENS
from tests.kit.backend import Backend, backend, user_token
from tests.kit.hook_receiver import LOOPBACK, SECRET, HookReceiver
from tests.kit.members import member
from tests.kit.nodes import Node, run_nodes
from tests.kit.waiting import wait_until

MANAGE = "hooks:manage"


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


@pytest.fixture
async def node(redis_url: str, tmp_path: Path) -> AsyncIterator[Node]:
    """A node with one endpoint of the file, which is told nothing that happens here."""
    path = tmp_path / "hooks.toml"
    path.write_text(
        f'[[hook]]\nid = "of-file"\nurl = "https://a.example/x"\nrooms = "none"\n'
        f'secrets = ["{SECRET}"]\n'
    )
    settings = {"jwt_secret": TOKENS, "hook_allow": LOOPBACK, "hooks_file": path}
    async with run_nodes(1, redis_url, **settings) as (made,):
        yield made


async def refused(asks: Backend, method: str, path: str, body: object = None) -> Any:
    """Return status and code of what is refused, and the fields that are wrong."""
    status, problem, _ = await asks.ask(method, path, body)
    return status, problem["code"], [*problem.get("fields", {})]


async def test_an_endpoint_from_its_making_to_its_end(
    node: Node, http: ClientSession, app: HookReceiver
) -> None:
    """Told by the secret that was shown once; paused, changed, rotated, deleted."""
    ops = await backend(http, node, MANAGE)
    asked = {"id": "crm", "url": app.url, "types": ["message.created"]}
    made = await ops.do("POST", "/hooks", asked)
    app.secret = made.pop("secret")
    assert made == {
        "id": "crm",
        "url": app.url,
        "types": ["message.created"],
        "rooms": "*",
        "secrets": 1,
        "publicKeys": [],
        "ofFile": False,
        "enabled": True,
        "disabled": None,
        "failingSince": None,
        "lastError": None,
        "waiting": 0,
        "givenUp": 0,
    }
    assert await refused(ops, "POST", "/hooks", asked) == (409, "conflict", [])
    listed = (await ops.do("GET", "/hooks"))["hooks"]
    assert [each["id"] for each in listed] == ["crm", "of-file"]
    assert app.secret not in f"{listed}"
    sent = (await ops.do("POST", "/hooks/crm/test"))["event"]
    await wait_until(lambda: app.accepted, "the test comes")
    assert (app.accepted[0].type, app.accepted[0].id) == ("hook.test", sent)
    async with member(node, "ann", "42", token=user_token("ann")) as ann:
        await ann.send("one")
        await wait_until(lambda: app.texts() == ["one"], "it is told")
        paused = await ops.do("PATCH", "/hooks/crm", {"enabled": False})
        assert (paused["enabled"], paused["disabled"]) == (False, "paused")
        listening = node.parts.webhooks.held
        await wait_until(lambda: not listening()["hook_events"], "it is paused")
        changes = {"rooms": "4*", "types": ["message.*", "room.changed"]}
        changed = await ops.do("PATCH", "/hooks/crm", {**changes, "enabled": True})
        assert changed["enabled"] is True
        assert {name: changed[name] for name in changes} == changes
        # Two sign; then the newer one alone.
        rotated = await ops.do("POST", "/hooks/crm/secrets", {})
        assert rotated["secrets"] == 2
        only = await ops.do("DELETE", "/hooks/crm/secrets")
        assert only["secrets"] == 1
        app.secret = rotated["secret"]
        given = await ops.do("POST", "/hooks/crm/secrets", {"secret": SECRET})
        assert given == {"secret": SECRET, "secrets": 2}
        await ann.send("two")
        await wait_until(lambda: "two" in app.texts(), "it is told by both")
    await ops.do("DELETE", "/hooks/crm")
    assert await refused(ops, "GET", "/hooks/crm") == (404, "not_found", [])


async def test_what_was_given_up_is_told_again(
    node: Node, http: ClientSession, app: HookReceiver
) -> None:
    """One by its id, or all; in pages."""
    ops = await backend(http, node, MANAGE)
    app.decide = lambda event: 500 if event.type != "hook.test" else 204
    made = await ops.do("POST", "/hooks", {"url": app.url, "types": ["message.*"]})
    app.secret, at = made["secret"], f"/hooks/{made['id']}"
    await ops.do("POST", f"{at}/test")
    await wait_until(lambda: app.accepted, "the node knows")
    async with member(node, "ann", "42", token=user_token("ann")) as ann:
        for text in ("one", "two"):
            await ann.send(text)
        outcomes = node.parts.webhook_numbers.outcomes
        await wait_until(lambda: outcomes["given_up"] == 2, "they are given up")
        first = await ops.do("GET", f"{at}/dead?limit=1")
        (event,) = first["events"]
        assert (event["type"], event["room"], first["more"]) == (
            "message.created",
            "42",
            True,
        )
        rest = await ops.do("GET", f"{at}/dead?after={first['next']}")
        assert (len(rest["events"]), rest["more"]) == (1, False)
        app.decide = lambda _event: 204
        again = await ops.do("POST", f"{at}/replay", {"id": event["id"]})
        assert again == {"replayed": 1, "more": False}
        await wait_until(lambda: app.texts() == ["one"], "it is told")
        gone = await refused(ops, "POST", f"{at}/replay", {"id": event["id"]})
        assert gone[0] == 404
        assert (await ops.do("POST", f"{at}/replay", {}))["replayed"] == 1
        await wait_until(lambda: app.texts() == ["one", "two"], "all is told")


async def test_what_cannot_be_is_refused(node: Node, http: ClientSession) -> None:
    """By the field; inside addresses by the setting; the file's in the file."""
    ops = await backend(http, node, MANAGE)
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"url": "http://10.0.0.1/"}, "url"),
        ({"url": "https://[::ffff:169.254.169.254]/"}, "url"),
        ({"url": "https://8.8.8.8:22/"}, "url"),
        ({"url": "http://8.8.8.8/"}, "url"),
        ({"url": "https://a.example:99999/"}, "url"),
        ({"url": "ftp://a.example/"}, "url"),
        ({"types": ["message.lost"]}, "types.0"),
        ({"rooms": "a b"}, "rooms"),
        ({"id": "A"}, "id"),
    )
    for change, field in wrong:
        body = {"url": "https://a.example/", **change}
        assert await refused(ops, "POST", "/hooks", body) == (400, "invalid", [field])
    status, problem, _ = await ops.ask("POST", "/hooks", {"url": "https://127.0.0.2/"})
    assert (status, "CHATROOM_HOOK_ALLOW" in problem["detail"]) == (400, True)
    weak = {"secret": "whsec_" + "=" * 2 + "A" * 32}
    assert (await refused(ops, "POST", "/hooks/of-file/secrets", weak))[0] == 400
    await ops.do("PATCH", "/hooks/of-file", {"enabled": False})
    for method, path, change in (
        ("DELETE", "/hooks/of-file", {}),
        ("PATCH", "/hooks/of-file", {"rooms": "*"}),
        ("POST", "/hooks/of-file/secrets", {}),
        ("DELETE", "/hooks/of-file/secrets", {}),
    ):
        assert (await refused(ops, method, path, change))[:2] == (409, "conflict")
    await ops.do("POST", "/hooks", {"id": "b", "url": "https://a.example/"})
    assert (await refused(ops, "PATCH", "/hooks/b", {}))[0] == 400
    for _ in range(2):
        await ops.do("POST", "/hooks/b/secrets", {})
    assert (await refused(ops, "POST", "/hooks/b/secrets", {}))[:2] == (
        413,
        "too_large",
    )


async def test_who_may_not(node: Node, http: ClientSession) -> None:
    """Neither users, nor keys of other scopes or of some rooms, acting or not."""
    users = Backend(http, node, user_token("ann"))
    other = await backend(http, node, "read", "rooms", "users")
    acting = await backend(http, node, "users:act")
    acting.headers["X-Chat-User"] = "ann"
    some = await backend(http, node, MANAGE, rooms="team-*")
    for asks, reason in (
        *((users, "scope"), (other, "scope"), (acting, "scope")),
        (some, "rooms"),
    ):
        for method, path, body in (
            ("GET", "/hooks", None),
            ("POST", "/hooks", {"url": "https://a.example/"}),
            ("DELETE", "/hooks/of-file", None),
        ):
            status, problem, _ = await asks.ask(method, path, body)
            assert (status, problem["reason"]) == (403, reason)
