"""What repeats get, and what whoever asks too often is told."""

from aiohttp import ClientSession

from tests.kit.backend import SECRET, Backend, backend, user_token
from tests.kit.members import all_see, member, text_of
from tests.kit.nodes import Node, run_nodes


async def test_a_key_of_another_request_is_told(
    nodes: list[Node], http: ClientSession
) -> None:
    """The same key with other words is 422; nothing is stored, at any node."""
    async with member(nodes[1], "ann", "42", token=user_token("ann")) as ann:
        once = {"Idempotency-Key": "k"}
        asks = [Backend(http, node, user_token("ann")) for node in nodes]
        await asks[0].do("POST", "/chats/42/message", {"text": "one"}, **once)
        for body in ({"text": "two"}, {"text": "one", "mentions": ["bob"]}):
            status, problem, _ = await asks[1].ask(
                "POST", "/chats/42/message", body, **once
            )
            assert (status, problem["code"]) == (422, "key_reused")
            assert [*problem["fields"]] == ["Idempotency-Key"]
        change = "/chats/42/messages/1"
        status, problem, _ = await asks[0].ask("PATCH", change, {"text": "x"}, **once)
        assert (status, problem["code"]) == (422, "key_reused")
        edited = {"Idempotency-Key": "e"}
        await asks[0].do("PATCH", change, {"text": "won"}, **edited)
        await asks[1].do("PATCH", change, {"text": "won"}, **edited)
        status, problem, _ = await asks[1].ask("PATCH", change, {"text": "x"}, **edited)
        assert (status, problem["code"]) == (422, "key_reused")
        # Over a socket the first one counts.
        again = await ann.do("send", text_of("two", "42", "k"))
        assert (again["message"], again["duplicate"]) == (1, True)
        await ann.send("end")
        await all_see([ann], ["won", "end"])


async def test_a_key_that_made_another_room_is_told(
    nodes: list[Node], http: ClientSession
) -> None:
    """With other settings or members; not where the room is named and the key new."""
    crm = await backend(http, nodes[0], "rooms", "read")
    first, other = {"Idempotency-Key": "k"}, {"Idempotency-Key": "l"}
    asked = {"kind": "private", "name": "Order 7", "users": ["ann"]}
    made = await crm.do("POST", "/chats", asked, **first)
    for body in (
        {**asked, "name": "Order 8"},
        {**asked, "users": ["bob"]},
        {"kind": "public"},
    ):
        status, problem, _ = await crm.ask("POST", "/chats", body, **first)
        assert (status, problem["code"]) == (422, "key_reused")
    status, same, _ = await crm.ask("POST", "/chats", asked, **first)
    assert (status, same["room"]) == (200, made["room"])
    info = await crm.do("GET", f"/chats/{made['room']}")
    assert (info["name"], info["memberCount"]) == ("Order 7", 1)
    named = {"kind": "public", "room": "news"}
    await crm.do("POST", "/chats", named, **first)
    status, *_ = await crm.ask("POST", "/chats", {**named, "name": "News"}, **other)
    assert status == 200
    status, *_ = await crm.ask("POST", "/chats", {**named, "name": "News"}, **first)
    assert status == 422


async def test_what_is_left_of_a_rate_is_told(
    redis_url: str, http: ClientSession
) -> None:
    """Where little is left, and when to come back where nothing is."""
    rates = "user=0.1/10,history=0.5/2"
    token = user_token("ann")
    async with (
        run_nodes(1, redis_url, jwt_secret=SECRET, rates=rates) as nodes,
        member(nodes[0], "ann", "42", token=token),
    ):
        asks = Backend(http, nodes[0], token)
        told = []
        for number in range(10):
            status, _, answer = await asks.ask(
                "POST", "/chats/42/message", {"text": f"{number}"}
            )
            assert status == 201
            told.append(answer.headers.get("RateLimit"))
        assert told[:8] == [None] * 8
        assert told[8:] == ['"user";r=1;t=90', '"user";r=0;t=100']
        status, problem, answer = await asks.ask(
            "POST", "/chats/42/message", {"text": "x"}
        )
        assert (status, problem["violated-policies"]) == (429, ["user"])
        wait = int(answer.headers["Retry-After"])
        assert answer.headers["RateLimit"] == f'"user";r=0;t={wait}'
        assert 0 < wait <= 10
        for _ in range(3):
            status, problem, _ = await asks.ask("GET", "/chats/42/messages")
        assert (status, problem["violated-policies"]) == (429, ["history"])
        crm = await backend(http, nodes[0], "read")
        for _ in range(5):
            await crm.do("GET", "/chats/42/messages")
