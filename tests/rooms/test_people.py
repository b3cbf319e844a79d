"""Who may be in a room, and who may do what there: over two nodes, by role."""

from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from socketio.exceptions import ConnectionError as RefusedError

from realtime.store import keys
from schemas.permissions import PERMISSIONS, ROLES, Act, may, table
from tests.kit.members import Member, all_see, member, members, text_of
from tests.kit.nodes import Node, run_nodes
from tests.kit.waiting import wait_until

Payload = dict[str, Any]


def of(who: Member, name: str) -> list[Payload]:
    """Return what somebody was told by an event of this name."""
    return [payload for event, payload in who.timeline if event == name]


async def told(who: Member, name: str) -> Payload:
    """Return the first event of a name, as soon as it is there."""
    await wait_until(lambda: of(who, name), f"{who.user} is told {name}")
    return of(who, name)[0]


async def refused(who: Member, event: str, payload: Payload) -> Payload:
    """Return the error of a request that is to be refused."""
    answer = await who.ask(event, payload)
    assert not answer["ok"], (event, answer)
    error: Payload = answer["error"]
    return error


async def test_the_first_one_owns_the_room_and_ownership_passes_on(
    two: list[Node],
) -> None:
    """Others are members; who quits last as owner leaves it to a moderator."""
    async with members(two, ["ann", "bob", "cho"], "42") as (ann, bob, cho):
        roles = {
            each["user"]: each["role"]
            for each in (await cho.do("members", {"room": "42"}))["members"]
        }
        assert roles == {"ann": "owner", "bob": "member", "cho": "member"}
        await ann.do("member_set", {"room": "42", "user": "cho", "role": "moderator"})
        assert (await told(bob, "member_changed"))["role"] == "moderator"
        await ann.do("quit", {"room": "42"})
        found = (await bob.do("members", {"room": "42"}))["members"]
        assert {each["user"]: each["role"] for each in found} == {
            "bob": "member",
            "cho": "owner",
        }


async def test_who_is_put_out_is_out_at_all_nodes_at_once(two: list[Node]) -> None:
    """All their devices are told and hear nothing more; the others learn of it."""
    async with (
        members(two, ["ann", "bob"], "42") as (ann, bob),
        member(two[0], "bob", "42") as second,
    ):
        done = await ann.do(
            "member_remove", {"room": "42", "user": "bob", "banSeconds": 3600}
        )
        assert done["removed"] is True
        for device in (bob, second):
            await told(device, "membership_ended")
        await ann.send("without bob")
        left = await told(ann, "member_left")
        assert (left["user"], left["by"], left["reason"]) == ("bob", "ann", "banned")
        assert [
            each["user"]
            for each in (await ann.do("members", {"room": "42"}))["members"]
        ] == ["ann"]
        error = await refused(bob, "join", {"room": "42"})
        assert (error["code"], error["reason"]) == ("forbidden", "banned")
        assert error["until"] > 0
        assert (await refused(bob, "history", {"room": "42"}))["code"] == "forbidden"
        assert (await bob.do("rooms"))["rooms"] == []
        await ann.do("unban", {"room": "42", "user": "bob"})
        await bob.join("42")
        assert bob.texts("42") == ["without bob"]


async def test_a_private_room_is_for_its_members(two: list[Node]) -> None:
    """A stranger is told what they would be told of no room; who is added hears."""
    async with (
        member(two[0], "ann") as ann,
        member(two[1], "bob") as bob,
        member(two[1], "eve") as eve,
    ):
        asked = {
            "kind": "private",
            "name": "가족 ♥",
            "clientId": "c1",
            "users": ["bob"],
        }
        room = (await ann.do("room_create", asked))["room"]
        again = await ann.do("room_create", asked)
        assert (again["room"], again["duplicate"]) == (room, True)
        joined = await bob.join(room)
        assert (joined["name"], joined["kind"], joined["role"]) == (
            "가족 ♥",
            "private",
            "member",
        )
        assert (await bob.do("rooms"))["rooms"][0]["name"] == "가족 ♥"
        error = await refused(eve, "join", {"room": room})
        assert error == await refused(eve, "history", {"room": room})
        added = {"room": room, "users": ["eve", "bob"]}
        assert (await refused(bob, "members_add", added))["reason"] == "role"
        assert (await ann.do("members_add", added))["added"] == ["eve"]
        assert (await told(bob, "member_joined"))["user"] == "eve"
        await ann.join(room)
        await ann.send("welcome", room)
        await all_see([bob], ["welcome"], room)


async def test_newcomers_see_what_the_room_lets_them(two: list[Node]) -> None:
    """With `history: joined` nothing from before, by no cursor of an earlier life."""
    async with members(two, ["ann", "bob"], "42") as (ann, bob):
        await ann.send("early")
        await all_see([bob], ["early"])
        cursor = bob.cursors["42"]
        await ann.do("room_set", {"room": "42", "history": "joined"})
        await bob.do("quit", {"room": "42"})
        await ann.send("between")
        back = await bob.join("42")
        assert (back["events"], back["since"]) == ([], 3)
        answer = await bob.join("42", cursor)
        assert (answer["recovered"], answer["events"]) == (False, [])
        edit = {"room": "42", "message": 1, "text": "the early words", "clientId": "e"}
        assert (await refused(ann, "edit", edit))["reason"] == "newcomers"
        await ann.send("late")
        await wait_until(lambda: bob.texts("42") == ["late"], "bob sees what is new")


async def leave_traces(who: Member, room: str) -> None:
    """Have something of each kind in a room's keys."""
    for text in ("one", "two"):
        await who.send(text, room)
    await who.do("react", {"room": room, "message": 2, "key": "x", "on": True})
    await who.do("delete", {"room": room, "message": 1})
    await who.do("report", {"room": room, "message": 2, "reason": "just so"})


async def lives_of(redis_client: Redis, room: str) -> dict[str, int]:
    """Return the seconds that each key of a room has left, -1 for ever, by its part."""
    prefix = f"{{chatroom-{room}}}:"
    found = [each async for each in redis_client.scan_iter(f"{prefix}*")]
    return {
        each.removeprefix(prefix): await redis_client.ttl(each)
        for each in found
        if not each.startswith(f"{prefix}sent:")
    }


async def test_of_a_deleted_room_nothing_is_left(
    two: list[Node], redis_client: Redis
) -> None:
    """Who makes a room of its id some day finds no reports and no pins there."""
    async with member(two[0], "ann", "42") as ann:
        await leave_traces(ann, "42")
        await ann.do("pin", {"room": "42", "message": 2, "on": True})
        await ann.do("invite_create", {"room": "42"})
        await ann.do("member_remove", {"room": "42", "user": "bob", "ban": True})
        await ann.do("room_delete", {"room": "42"})
        await told(ann, "membership_ended")
    assert (await lives_of(redis_client, "42")).keys() == {"meta", "quits"}


async def test_a_room_ends_whole_and_a_room_of_two_comes_back_whole(
    two: list[Node], redis_client: Redis
) -> None:
    """Reports outlive no room; what was deleted stays so in one that goes on."""
    made = {"kind": "direct", "users": ["bob"], "clientId": "c"}
    async with members(two, ["ann", "bob"]) as (ann, bob):
        room = (await ann.do("room_create", made))["room"]
        for who in (ann, bob):
            await who.join(room)
        await leave_traces(ann, room)
        week = two[0].running.settings.empty_room_seconds
        for who in (ann, bob):
            await who.do("quit", {"room": room})
        lives = await lives_of(redis_client, room)
        assert {"audit", "deleted", "reactions", "reactors", "reports"} <= lives.keys()
        assert all(0 < left <= week for left in lives.values()), lives
        await ann.do("room_create", made)
        lives = await lives_of(redis_client, room)
        kept = ("log", "messages", "meta", "deleted", "reactions", "reactors")
        assert {part: lives[part] for part in kept} == dict.fromkeys(kept, -1)


async def test_frozen_muted_and_slow(two: list[Node]) -> None:
    """Each refusal says which it is; what was stored before keeps its answer."""
    async with members(two, ["ann", "bob"], "42") as (ann, bob):
        first = await bob.send("first", client_id="one")
        said = {"room": "42", "type": "text", "text": "x", "clientId": "two"}
        await ann.do("room_set", {"room": "42", "writers": "moderators"})
        assert (await refused(bob, "send", said))["reason"] == "frozen"
        await ann.send("I may")
        await ann.do("room_set", {"room": "42", "writers": "members", "slow": 60})
        await bob.send("slowly")
        error = await refused(bob, "send", said)
        assert error["code"] == "rate_limited"
        assert 0 < error["retryAfter"] <= 60_000
        await ann.do("room_set", {"room": "42", "slow": 0})
        muted = await ann.do(
            "member_set", {"room": "42", "user": "bob", "muteSeconds": 60}
        )
        error = await refused(bob, "send", said)
        assert (error["reason"], error["until"]) == ("muted", muted["mutedUntil"])
        again = await bob.send("first", client_id="one")
        assert (again["message"], again["duplicate"]) == (first["message"], True)
        await ann.do("member_set", {"room": "42", "user": "bob", "muteSeconds": 0})
        await bob.do("send", said)


async def test_who_enters_is_told_the_settings_and_their_version(
    two: list[Node],
) -> None:
    """All of them, and by `rv` that no change up to there is newer, live or missed."""
    async with members(two, ["ann", "bob"]) as (ann, bob):
        asked = {"kind": "private", "clientId": "c", "users": ["bob"], "name": "n"}
        room = (await ann.do("room_create", asked))["room"]
        ack = await bob.do("join", {"room": room})
        assert (ack["name"], ack["data"], ack["rv"]) == ("n", None, 1)
        await ann.do("room_set", {"room": room, "data": {"a": [1]}, "slow": 5})
        changed = await told(bob, "room_changed")
        missed = await bob.do("join", {"room": room, "cursor": ack["cursor"]})
        assert missed["rv"] == changed["offset"] == missed["events"][-1][1]["offset"]
        assert (missed["data"], missed["slow"], missed["name"]) == ({"a": [1]}, 5, "n")


def filled(value: Any, people: dict[str, str]) -> Any:
    """Put users in the places of the roles that they have."""
    if isinstance(value, list):
        return [filled(each, people) for each in value]
    return people.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize("act", PERMISSIONS, ids=lambda act: act.what)
async def test_each_role_may_what_the_table_says(two: list[Node], act: Act) -> None:
    """Each cell, asked at another node than where the role was given."""
    people = {"{member}": "victim", "{moderator}": "staff", "{owner}": "boss"}
    payload = {name: filled(value, people) for name, value in act.payload.items()}
    for role in ROLES:
        room = f"r-{role}"
        async with members(two, ["boss", "staff", "victim"], room) as (boss, *_):
            give = {"room": room, "user": "staff", "role": "moderator"}
            await boss.do("member_set", give)
            async with member(two[1], "actor") as actor:
                if role != "stranger":
                    await actor.join(room)
                    await boss.do("member_set", {**give, "user": "actor", "role": role})
                answer = await actor.ask(act.request, {"room": room, **payload})
                assert answer["ok"] is may(role, act.least), (role, answer)
                if not answer["ok"]:
                    assert answer["error"]["code"] == "forbidden"


def test_the_protocol_document_prints_the_table() -> None:
    """As the table is that the test above walks."""
    page = Path(__file__).parents[2] / "docs" / "protocol.md"
    assert table() in page.read_text(encoding="utf-8")


async def test_a_deleted_room_is_gone_at_all_nodes_and_stays_so(
    two: list[Node], redis_client: Redis
) -> None:
    """Its last event tells so; nobody attends it; a late join does not make it anew."""
    async with members(two, ["ann", "bob"], "42") as (ann, bob):
        await bob.send("hello")
        await ann.do("room_delete", {"room": "42"})
        for each in (ann, bob):
            deleted = await told(each, "room_deleted")
            assert (deleted["by"], deleted["after"]) == ("ann", 1)
            await told(each, "membership_ended")
            assert (await refused(each, "join", {"room": "42"}))["code"] == "forbidden"
        error = await refused(bob, "send", text_of("x"))
        assert error["code"] == "not_attending"
        assert (await bob.do("rooms"))["rooms"] == []
        assert not await redis_client.sismember(keys.user_rooms("bob"), "42")
        again = {"kind": "public", "room": "42", "clientId": "c"}
        assert (await refused(bob, "room_create", again))["code"] == "conflict"
    assert await redis_client.keys("*chatroom-42}:messages") == []


async def test_an_invite_lets_so_many_in_as_it_says(two: list[Node]) -> None:
    """Into a private room, until it is used up or revoked, and no banned user."""
    users = ["ann", "bob", "cho", "dan"]
    async with members(two, users) as (ann, bob, cho, dan):
        room = (await ann.do("room_create", {"kind": "private", "clientId": "c"}))[
            "room"
        ]
        await ann.join(room)
        made = await ann.do("invite_create", {"room": room, "uses": 1})
        asked = {"room": room, "invite": made["invite"]}
        wrong = await refused(bob, "join", {**asked, "invite": "A" * 22})
        assert wrong["code"] == "forbidden"
        assert (await bob.do("join", asked))["role"] == "member"
        assert (await refused(cho, "join", asked)) == wrong, "it is used up"
        ban = {"room": room, "user": "dan", "ban": True}
        assert (await ann.do("member_remove", ban))["removed"] is False
        more = await ann.do("invite_create", {"room": room})
        asked["invite"] = more["invite"]
        assert (await refused(dan, "join", asked))["reason"] == "banned"
        await cho.do("join", asked)
        await ann.do("invite_revoke", asked)
        await ann.do("unban", {"room": room, "user": "dan"})
        assert (await refused(dan, "join", asked)) == wrong
        acts = [each["act"] for each in (await ann.do("audit", {"room": room}))["acts"]]
        assert acts == [
            "member_unbanned",
            "invite_revoked",
            "invite_created",
            "member_left",
            "invite_created",
            "room_created",
        ]


async def test_rooms_are_made_by_request_only_where_it_is_set(redis_url: str) -> None:
    """A join makes none then; those that are there are joined as before."""
    async with (
        run_nodes(2, redis_url, open_rooms=False) as nodes,
        members(nodes, ["ann", "bob"]) as (ann, bob),
    ):
        assert (await refused(ann, "join", {"room": "42"}))["code"] == "forbidden"
        made = {"kind": "public", "room": "42", "clientId": "c"}
        assert (await ann.do("room_create", made))["room"] == "42"
        assert (await bob.do("join", {"room": "42"}))["role"] == "member"


async def test_no_user_has_the_id_of_a_key(two: list[Node]) -> None:
    """Ids that begin with `$` are those of API keys."""
    with pytest.raises(RefusedError):
        async with member(two[0], "$key"):
            pass


@pytest.mark.parametrize(
    ("event", "payload", "field"),
    [
        ("room_create", {"kind": "secret", "clientId": "c"}, "kind"),
        ("room_create", {"kind": "public", "name": "\u200b", "clientId": "c"}, "name"),
        ("room_create", {"kind": "direct", "clientId": "c"}, "users"),
        ("room_set", {"room": "42"}, "payload"),
        ("room_set", {"room": "42", "data": [[[[[[1]]]]]]}, "data"),
        ("room_set", {"room": "42", "name": "x" * 101}, "name"),
        ("member_set", {"room": "42", "user": "bob"}, "payload"),
        ("member_set", {"room": "42", "user": "bob", "role": "god"}, "role"),
        ("member_remove", {"room": "42", "user": "bob", "banSeconds": 0}, "banSeconds"),
        ("members_add", {"room": "42", "users": ["a", "a"]}, "users.1"),
        ("members", {"room": "42", "limit": 0}, "limit"),
    ],
)
async def test_bad_input_is_named(
    two: list[Node], event: str, payload: Payload, field: str
) -> None:
    """By the field's name; nothing was done."""
    async with member(two[0], "ann", "42") as ann:
        error = await refused(ann, event, payload)
        assert error["code"] == "invalid"
        assert field in error["fields"]


async def test_a_newcomer_resumes_though_others_react_to_what_was_before(
    two: list[Node],
) -> None:
    """What they missed tells of a message that they may not see, without its words."""
    async with members(two, ["ann", "bob"]) as (ann, bob):
        asked = {"kind": "private", "history": "joined", "clientId": "c"}
        room = (await ann.do("room_create", asked))["room"]
        await ann.join(room)
        await ann.send("before", room)
        await ann.do("members_add", {"room": room, "users": ["bob"]})
        cursor = (await bob.join(room))["cursor"]
        await bob.do("leave", {"room": room})
        await ann.do("react", {"room": room, "message": 1, "key": "+1", "on": True})
        await ann.send("after", room)
        missed = await bob.join(room, cursor)
        assert missed["recovered"]
        assert [name for name, _ in missed["events"]] == ["reaction", "message"]
        assert bob.texts(room) == ["after"]
