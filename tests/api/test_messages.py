"""Messages over HTTP: the same room, the same rules, side by side with sockets."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import ClientSession

from tests.kit.backend import SECRET, Backend, backend, user_token
from tests.kit.hook_server import hook_server
from tests.kit.members import all_see, member
from tests.kit.nodes import Node, run_nodes


async def test_a_key_sends_as_the_system_and_sockets_see_it(
    nodes: list[Node], http: ClientSession
) -> None:
    """It has a number and a place in the order, over nodes; a repeat is the first."""
    async with member(nodes[1], "ann", "42", token=user_token("ann")) as ann:
        await ann.send("before")
        crm = await backend(http, nodes[0], "write")
        said = {"type": "system", "text": "Your order left."}
        status, sent, _ = await crm.ask(
            "POST", "/chats/42/message", said, **{"Idempotency-Key": "order-7"}
        )
        assert (status, sent["message"], sent["duplicate"]) == (201, 2, False)
        status, again, answer = await crm.ask(
            "POST", "/chats/42/message", said, **{"Idempotency-Key": '"order-7"'}
        )
        assert (status, again["message"]) == (200, 2)
        assert answer.headers["Idempotent-Replayed"] == "true"
        await all_see([ann], ["before", "Your order left."])
        shown = ann.seen["42"][-1]
        assert (shown["user"], shown["type"]) == ("$crm", "system")
        assert (await ann.do("rooms"))["rooms"][0]["unread"] == 1


async def test_a_user_sends_and_reads_by_token(
    nodes: list[Node], http: ClientSession
) -> None:
    """Who belongs to the room; it counts as read for them."""
    async with member(nodes[1], "ann", "42", token=user_token("ann")) as ann:
        asks = Backend(http, nodes[0], user_token("ann"))
        status, sent, _ = await asks.ask("POST", "/chats/42/message", {"text": "hi"})
        assert (status, sent["message"]) == (201, 1)
        await all_see([ann], ["hi"])
        await ann.send("two")
        _, page, _ = await asks.ask("GET", "/chats/42/messages?limit=1&before=2")
        assert [each["text"] for each in page["messages"]] == ["hi"]
        _, mark, _ = await asks.ask("PUT", "/chats/42/read", {"message": 2})
        assert mark == {"lastReadMessage": 2, "unread": 0}
        _, listed, _ = await asks.ask("GET", "/me/chats")
        assert [each["room"] for each in listed["rooms"]] == ["42"]
        stranger = Backend(http, nodes[0], user_token("eve"))
        for method, path, body in (
            ("POST", "/chats/42/message", {"text": "x"}),
            ("GET", "/chats/42/messages", None),
        ):
            status, problem, _ = await stranger.ask(method, path, body)
            assert (status, problem["code"]) == (403, "forbidden")


async def test_a_key_acts_as_a_user_by_that_user_s_rights(
    nodes: list[Node], http: ClientSession
) -> None:
    """With the scope for it, and no further than the user may go."""
    async with member(nodes[1], "ann", "42", token=user_token("ann")) as ann:
        crm = await backend(http, nodes[0], "write", "users:act")
        as_ann, as_eve = {"X-Chat-User": "ann"}, {"X-Chat-User": "eve"}
        once = {"Idempotency-Key": "mail-1"}
        said = {"text": "from the mail"}
        status, *_ = await crm.ask("POST", "/chats/42/message", said, **as_ann, **once)
        assert status == 201
        await all_see([ann], ["from the mail"])
        assert ann.seen["42"][0]["user"] == "ann"
        status, problem, _ = await crm.ask(
            "POST", "/chats/42/message", said, **as_eve, **once
        )
        assert (status, problem["code"]) == (403, "forbidden")
        status, *_ = await crm.ask(
            "POST", "/chats/42/message", {**said, "type": "system"}, **as_ann, **once
        )
        assert status == 400
        for nobody in ("\u202eann", "$crm", "x" * 129):
            status, problem, _ = await crm.ask(
                "POST", "/chats/42/message", said, **{"X-Chat-User": nobody}
            )
            assert (status, [*problem["fields"]]) == (400, ["X-Chat-User"])


async def test_a_key_is_held_to_its_scopes_rooms_and_life(
    nodes: list[Node], http: ClientSession
) -> None:
    """Each refusal says what is missing; a revoked key is refused at once."""
    async with member(nodes[1], "ann", "42", token=user_token("ann")):
        reader = await backend(http, nodes[0], "read", rooms="4*")
        path = "/chats/42/message"
        status, problem, _ = await reader.ask("POST", path, {"text": "x"})
        assert (status, problem["reason"]) == (403, "scope")
        status, problem, _ = await reader.ask("GET", "/chats/7/messages")
        assert (status, problem["reason"]) == (403, "rooms")
        status, *_ = await reader.ask("GET", "/chats/42/messages")
        assert status == 200
        status, problem, _ = await reader.ask(
            "GET", "/chats/42/messages", Origin="https://a.example"
        )
        assert (status, problem["reason"]) == (403, "origin")
        (key,) = await nodes[1].parts.api_keys.all()
        assert await nodes[1].parts.api_keys.revoke(key.id)
        status, problem, answer = await reader.ask("GET", "/chats/42/messages")
        assert (status, problem["reason"]) == (401, "key_invalid")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


async def test_a_key_makes_no_room(nodes: list[Node], http: ClientSession) -> None:
    """A typo in a room's id is told, and leaves nothing behind."""
    crm = await backend(http, nodes[0], "write")
    status, problem, _ = await crm.ask(
        "POST", "/chats/typo/message", {"text": "x"}, **{"Idempotency-Key": "k"}
    )
    assert (status, problem["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("POST", "/chats/42/message", {}, 400, "text"),
        ("POST", "/chats/42/message", {"text": "x", "room": "7"}, 400, "room"),
        ("POST", "/chats/42/message", {"text": "x", "clientId": "7"}, 400, "clientId"),
        ("POST", "/chats/42/message", {"text": "x", "type": "system"}, 400, "type"),
        ("POST", "/chats/42/message", ["x"], 400, "body"),
        ("POST", "/chats/4%202/message", {"text": "x"}, 400, "room"),
        ("GET", "/chats/42/messages?before=x", None, 400, "before"),
        ("GET", "/chats/42/messages?before=1&before=2", None, 400, "before"),
        ("GET", "/chats/42/messages?wat=1", None, 400, "wat"),
        ("PUT", "/chats/42/read", {"message": -1}, 400, "message"),
    ],
)
async def test_what_is_wrong_is_named(
    nodes: list[Node],
    http: ClientSession,
    method: str,
    path: str,
    body: object,
    status: int,
    field: str,
) -> None:
    """As a problem of RFC 9457 with the field's name, the same as over a socket."""
    asks = Backend(http, nodes[0], user_token("ann"))
    found, problem, answer = await asks.ask(method, path, body)
    assert (found, problem["code"], problem["status"]) == (status, "invalid", status)
    assert answer.content_type == "application/problem+json"
    assert field in problem["fields"]


async def test_what_is_no_request_is_a_problem_too(
    nodes: list[Node], http: ClientSession
) -> None:
    """No route, no such method, no JSON, too much of it, nobody who asks."""
    asks = Backend(http, nodes[0], user_token("ann"))
    status, problem, _ = await asks.ask("GET", "/nowhere")
    assert (status, problem["code"]) == (404, "not_found")
    status, problem, answer = await asks.ask("DELETE", "/chats/42/message")
    assert (status, answer.headers["Allow"]) == (405, "POST")
    status, problem, _ = await asks.ask(
        "POST", "/chats/42/message", {"text": "x" * 70_000}
    )
    assert (status, problem["code"]) == (413, "too_large")
    url = f"{nodes[0].url}/api/chats/42/message"
    async with http.post(url, data="text=x", headers=asks.headers) as refused:
        assert refused.status == 400
    async with http.post(url, json={"text": "x"}) as refused:
        assert (refused.status, (await refused.json(content_type=None))["reason"]) == (
            401,
            "token_missing",
        )


async def test_pages_of_an_allowed_origin_may_ask_with_a_token(
    redis_url: str, http: ClientSession
) -> None:
    """Those of others get no header by which their script could read the answer."""
    origins = ("https://app.example",)
    async with run_nodes(
        1, redis_url, jwt_secret=SECRET, allowed_origins=origins
    ) as nodes:
        url = f"{nodes[0].url}/api/me/chats"
        for origin, allowed in (
            ("https://app.example", True),
            ("https://x.example", 0),
        ):
            headers = {"Origin": origin, "Authorization": f"Bearer {user_token('ann')}"}
            async with http.options(url, headers={"Origin": origin}) as preflight:
                assert ("Access-Control-Allow-Headers" in preflight.headers) == allowed
            async with http.get(url, headers=headers) as answer:
                found = answer.headers.get("Access-Control-Allow-Origin")
                assert found == (origin if allowed else None)


async def test_a_repeat_that_races_is_stored_once(
    nodes: list[Node], http: ClientSession
) -> None:
    """Twenty at once with one key over two nodes: one message."""
    async with member(nodes[1], "ann", "42", token=user_token("ann")) as ann:
        asks = [Backend(http, node, user_token("ann")) for node in nodes]
        answers = await asyncio.gather(
            *(
                asks[number % 2].ask(
                    "POST",
                    "/chats/42/message",
                    {"text": "once"},
                    **{"Idempotency-Key": "k"},
                )
                for number in range(20)
            )
        )
        assert {sent["message"] for _, sent, _ in answers} == {1}
        assert [status for status, *_ in answers].count(201) == 1
        await ann.send("end")
        await all_see([ann], ["once", "end"])


async def test_a_key_is_the_application_and_is_not_asked_about(
    redis_url: str, http: ClientSession, tmp_path: Path
) -> None:
    """The hook hears of no message of a key, for a user as well; words are for all."""
    words = tmp_path / "words.txt"
    words.write_text("fool")
    said = [{"text": "deny me"}, {"text": "you fool"}]
    async with (
        hook_server() as app,
        run_nodes(
            2, redis_url, jwt_secret=SECRET, words_file=words, **app.settings
        ) as nodes,
        member(nodes[1], "ann", "42", token=user_token("ann")) as ann,
    ):
        app.decide = lambda _data: {"action": "deny"}
        crm = await backend(http, nodes[0], "write", "users:act")
        for headers in ({}, {"X-Chat-User": "ann"}):
            answers = [
                await crm.ask(
                    "POST",
                    "/chats/42/message",
                    body,
                    **headers,
                    **{"Idempotency-Key": body["text"].replace(" ", "-")},
                )
                for body in said
            ]
            assert [status for status, *_ in answers] == [201, 403]
            assert answers[1][1]["reason"] == "denied"
        assert app.asked == []
        by_token = Backend(http, nodes[0], user_token("ann"))
        status, _, _ = await by_token.ask("POST", "/chats/42/message", said[0])
        assert status == 403
        assert len(app.asked) == 1
        await all_see([ann], ["deny me", "deny me"])


async def test_an_idempotency_key_has_an_end(
    nodes: list[Node], http: ClientSession
) -> None:
    """One that is too long is refused by its name, and nothing is stored."""
    crm = await backend(http, nodes[0], "write")
    body = {"type": "system", "text": "hi"}
    status, said, _ = await crm.ask(
        "POST", "/chats/42/message", body, **{"Idempotency-Key": "x" * 256}
    )
    assert (status, list(said["fields"])) == (400, ["Idempotency-Key"])
