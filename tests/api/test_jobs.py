"""A user is exported, or erased: everywhere, once, and whatever dies meanwhile."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientSession
from redis.asyncio import Redis

from realtime.jobs import erasure, running
from realtime.store import jobs, keys, user_traces
from tests.kit.backend import SECRET, Backend, backend, user_token
from tests.kit.members import member, text_of
from tests.kit.nodes import Node, run_nodes
from tests.kit.pictures import picture
from tests.kit.waiting import DEADLINE_SECONDS, MS, wait_until

DATA = "users:data"


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at two messages in one call, and save all the time."""
    monkeypatch.setattr(user_traces, "LOOKED_AT", 2)
    monkeypatch.setattr(running, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(erasure, "SETTLE_SECONDS", 100 * MS)
    monkeypatch.setattr(erasure, "DELETIONS_A_SECOND", 10_000)


async def ended(asks: Backend, job: str) -> dict[str, Any]:
    """Wait for a job's end; return what is known of it."""
    found: dict[str, Any] = {}

    async def is_over() -> bool:
        found.update(await asks.do("GET", f"/jobs/{job}"))
        return found["status"] in ("done", "failed")

    await wait_until(is_over, "the job ends")
    return found


async def lines(http: ClientSession, asks: Backend, node: Node, job: str) -> Any:
    """Return what an export made, by the one member of each line."""
    at = f"{node.url}/api/jobs/{job}/result"
    async with http.get(at, headers=asks.headers) as answer:
        assert answer.content_type == "application/x-ndjson"
        text = await answer.text()
    found: dict[str, list[Any]] = {}
    for line in text.splitlines():
        ((about, what),) = json.loads(line).items()
        found.setdefault(about, []).append(what)
    return found


async def fill(nodes: list[Node], user: str, crm: Backend) -> None:
    """Have a user leave traces in rooms of all kinds, and in one that they left."""
    tokens = {name: user_token(name) for name in (user, "bob")}
    async with (
        member(nodes[0], user, "42", "43", token=tokens[user]) as ann,
        member(nodes[1], "bob", "42", "43", token=tokens["bob"]) as bob,
    ):
        for number in range(5):
            await ann.send(f"ann {number}")
            await bob.send(f"bob {number}")
        image = {"room": "42", "clientId": "i", "type": "image"}
        await ann.do("send", {**image, "image": picture("PNG", (9, 9))})
        await ann.do("delete", {"room": "42", "message": 1})
        await ann.do("react", {"room": "42", "message": 2, "key": "👍", "on": True})
        await ann.do("react", {"room": "42", "message": 2, "key": "a:b", "on": True})
        await bob.do("react", {"room": "42", "message": 2, "key": "👍", "on": True})
        await ann.do("report", {"room": "42", "message": 2, "reason": "an ad"})
        await ann.do("invite_create", {"room": "42"})
        await ann.do("block", {"user": "eve", "on": True})
        await ann.do("room_mine", {"room": "42", "pinned": True})
        await ann.do("send", text_of("gone", "43"))
        await ann.do("quit", {"room": "43"})
        two = await ann.do(
            "room_create", {"kind": "direct", "users": ["bob"], "clientId": "d"}
        )
        await ann.join(two["room"])
        await ann.do("send", text_of("between us", two["room"]))
        await crm.do(
            "PUT", f"/chats/42/mutes/{quote(user, safe='')}", {"muteSeconds": 1}
        )


async def test_an_export_has_all_that_there_is(
    nodes: list[Node], http: ClientSession
) -> None:
    """By room, those that were left too; nothing of others; its images can be had."""
    crm = await backend(http, nodes[0], DATA, "moderate")
    await fill(nodes, "ann", crm)
    asked = await crm.do("POST", "/users/ann/export")
    assert (asked["kind"], asked["user"], asked["by"]) == ("export", "ann", "$crm")
    done = await ended(crm, asked["job"])
    assert (done["status"], done["rooms"], done["error"]) == ("done", 3, None)
    found = await lines(http, crm, nodes[1], asked["job"])
    assert [each["user"] for each in found["user"]] == ["ann"]
    assert found["block"] == [{"user": "eve"}]
    texts = [each.get("text") or each["type"] for each in found["message"]]
    own = [f"ann {number}" for number in range(1, 5)]
    assert sorted(texts) == sorted(["deleted", *own, "image", "gone", "between us"])
    assert done["messages"] == len(texts)
    memberships = {each["room"]: each for each in found["membership"]}
    assert {each["kind"] for each in memberships.values()} == {"public", "direct"}
    assert memberships["42"]["pinned"] is True
    assert "43" not in memberships
    reacted = {(each["message"], each["key"]) for each in found["reaction"]}
    assert reacted == {(2, "👍"), (2, "a:b")}
    assert [each["reason"] for each in found["report"]] == ["an ad"]
    assert {each["act"] for each in found["act"]} >= {"member_changed"}
    (image,) = (each["image"] for each in found["message"] if "image" in each)
    async with http.get(f"{nodes[0].url}{image['url']}") as answer:
        assert answer.status == 200
    await crm.do("DELETE", f"/jobs/{asked['job']}")
    status, *_ = await crm.ask("GET", f"/jobs/{asked['job']}/result")
    assert status == 404


async def test_who_is_erased_is_nowhere(
    nodes: list[Node], http: ClientSession, redis_client: Redis
) -> None:
    """Neither words nor id; others see it as it happens, and what is theirs stays."""
    user = 'a"n/ü'
    crm = await backend(http, nodes[0], DATA, "moderate", "read")
    await fill(nodes, user, crm)
    async with member(nodes[1], "bob", "42", token=user_token("bob")) as bob:
        asked = await crm.do("POST", f"/users/{quote(user, safe='')}/erase")
        again = await crm.do("POST", f"/users/{quote(user, safe='')}/erase")
        assert again["job"] == asked["job"]
        done = await ended(crm, asked["job"])
        assert (done["status"], done["messages"], done["reactions"]) == ("done", 7, 2)
        page = await bob.do("history", {"room": "42", "limit": 100})
        theirs = [each for each in page["messages"] if each["user"] != "bob"]
        assert {(each["user"], each["type"]) for each in theirs} == {
            ("$erased", "deleted")
        }
        bobs = [each["text"] for each in page["messages"] if each["user"] == "bob"]
        assert bobs == [f"bob {number}" for number in range(5)]
        assert page["messages"][1]["reactions"] == {"👍": 1}
        acts = (await crm.do("GET", "/chats/42/audit"))["acts"]
        assert "$erased" in {each["by"] for each in acts} | {
            each["details"].get("user") for each in acts
        }
        await bob.next("reactions")
    await crm.do("DELETE", f"/jobs/{asked['job']}")
    told = await left(redis_client, user)
    # Notes with an end of their own, logs whose words are shown to nobody, and images
    # that the next look gives up.
    ends = ("}:quits", "}:log", "chatroom:revoked", ":uses", ":bytes", "}:rate")
    of_user = keys.personal_log(keys.personal_channel(user))
    kept = [key for key in told if key.endswith(ends) or ":sent:" in key]
    assert sorted({*told} - {*kept}) == []
    assert of_user not in told


async def left(redis_client: Redis, user: str) -> list[str]:
    """Return the keys that name a user, or whose values do."""
    read: dict[str, Callable[[str], Awaitable[object]]] = {
        "string": redis_client.get,
        "hash": redis_client.hgetall,
        "set": redis_client.smembers,
        "zset": lambda key: redis_client.zrange(key, 0, -1),
        "stream": redis_client.xrange,
    }
    # As it is, and as it is in JSON and in names of keys.
    marks = (user, json.dumps(user, ensure_ascii=False)[1:-1], quote(user, safe=""))
    found = []
    for key in sorted({*map(str, await redis_client.keys("*"))} - {keys.SHARED_SECRET}):
        texts = [key]
        pending = [await read[str(await redis_client.type(key))](key)]
        while pending:
            value = pending.pop()
            if isinstance(value, dict):
                pending += [*value, *value.values()]
            elif isinstance(value, list | tuple | set):
                pending += value
            else:
                texts.append(str(value))
        if any(mark in text for mark in marks for text in texts):
            found.append(key)
    return found


async def test_a_job_goes_on_where_its_node_left_it(
    redis_url: str, http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another node takes it over; nothing is in the result twice, nothing missing."""
    monkeypatch.setattr(jobs, "LEASE_MS", round(300_000 * MS))
    async with run_nodes(2, redis_url, jwt_secret=SECRET) as nodes:
        token = user_token("ann")
        async with member(nodes[0], "ann", *"abcdef", token=token) as ann:
            for room in "abcdef":
                for number in range(5):
                    await ann.do("send", text_of(f"{room} {number}", room))
        crm = await backend(http, nodes[1], DATA)
        reached = running.RunningJob.reached
        stopped, goes_on, refused = asyncio.Event(), asyncio.Event(), asyncio.Event()
        owners: list[running.RunningJob] = []

        async def watched(job: running.RunningJob, **place: Any) -> None:
            """Stop the first node at a room until the second is past it, and waits."""
            if job not in owners:
                owners.append(job)
            try:
                await reached(job, **place)
            except running.LostError:
                refused.set()
                raise
            if job is owners[0] and place.get("room") == "c" and not stopped.is_set():
                stopped.set()
                await goes_on.wait()
            elif job is not owners[0] and place.get("room") == "d":
                goes_on.set()
                async with asyncio.timeout(DEADLINE_SECONDS):
                    await refused.wait()

        monkeypatch.setattr(running.RunningJob, "reached", watched)
        asked = await crm.do("POST", "/users/ann/export")
        done = await ended(crm, asked["job"])
        assert done["status"] == "done"
        found = await lines(http, crm, nodes[0], asked["job"])
        texts = [each["text"] for each in found["message"]]
        assert texts == [f"{room} {number}" for room in "abcdef" for number in range(5)]
        assert [each["room"] for each in found["membership"]] == [*"abcdef"]


async def test_who_may_not_and_what_is_not_there(
    nodes: list[Node], http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither users, nor keys of other scopes or of some rooms; a bound of jobs."""
    token, other = user_token("ann"), await backend(http, nodes[0], "users", "read")
    some = await backend(http, nodes[0], DATA, rooms="team-*")
    for asks, reason in (
        (Backend(http, nodes[0], token), "scope"),
        (other, "scope"),
        (some, "rooms"),
    ):
        for method, path in (
            ("POST", "/users/ann/export"),
            ("POST", "/users/ann/erase"),
            ("GET", f"/jobs/{'a' * 22}"),
            ("GET", f"/jobs/{'a' * 22}/result"),
            ("DELETE", f"/jobs/{'a' * 22}"),
        ):
            status, problem, _ = await asks.ask(method, path)
            assert (status, problem["reason"]) == (403, reason)
    crm = await backend(http, nodes[0], DATA)
    for method in ("GET", "DELETE"):
        status, problem, _ = await crm.ask(method, f"/jobs/{'a' * 22}")
        assert (status, problem["code"]) == (404, "not_found")
    status, *_ = await crm.ask("GET", "/jobs/none")
    assert status == 400
    status, *_ = await crm.ask("POST", "/users/%24crm/erase")
    assert status == 400
    monkeypatch.setattr(jobs, "KNOWN_JOBS", 1)
    erased = await crm.do("POST", "/users/nobody/erase")
    status, problem, _ = await crm.ask("POST", "/users/somebody/erase")
    assert (status, problem["code"]) == (413, "too_large")
    assert (await ended(crm, erased["job"]))["status"] == "done"
    status, *_ = await crm.ask("GET", f"/jobs/{erased['job']}/result")
    assert status == 409
    redis = nodes[0].parts.redis
    assert await redis.call("TTL", keys.job_state(erased["job"])) > 0
    await crm.do("DELETE", f"/jobs/{erased['job']}")
    await crm.do("POST", "/users/somebody/export")


async def test_what_is_too_large_fails(
    nodes: list[Node], http: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says so; what was made of it by then is none."""
    monkeypatch.setattr(running, "RESULT_BYTES", 200)
    async with member(nodes[0], "ann", "42", token=user_token("ann")) as ann:
        for _ in range(5):
            await ann.send("a text")
    crm = await backend(http, nodes[0], DATA)
    asked = await crm.do("POST", "/users/ann/export")
    done = await ended(crm, asked["job"])
    assert (done["status"], done["error"]) == ("failed", "too_large")
    status, *_ = await crm.ask("GET", f"/jobs/{asked['job']}/result")
    assert status == 409


async def test_a_node_that_goes_gives_its_jobs_back(
    redis_url: str,
    http: ClientSession,
    redis_client: Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another one takes them at once, and not when the lease ends."""
    monkeypatch.setattr(erasure, "SETTLE_SECONDS", 600.0)
    async with run_nodes(1, redis_url, jwt_secret=SECRET) as nodes:
        crm = await backend(http, nodes[0], DATA)
        asked = await crm.do("POST", "/users/ann/erase")
        runner = nodes[0].parts.jobs
        await wait_until(lambda: len(runner) == 1, "it runs")

        async def has_begun() -> bool:
            found = await crm.do("GET", f"/jobs/{asked['job']}")
            return bool(found["status"] == "running")

        await wait_until(has_begun, "it has begun")
    due = await redis_client.zscore(keys.JOBS_DUE, asked["job"])
    seconds, _ = await redis_client.time()
    assert due is not None
    assert due <= (seconds + 1) * 1000
