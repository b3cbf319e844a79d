"""Invites, reports, the audit list and blocks: who may, at whichever node they ask."""

import json
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from realtime.store import invites, keys, reports
from realtime.store.people import direct_id
from tests.kit.members import Member, member, text_of
from tests.kit.nodes import Node

ROOM = "42"
DAY_MS = 24 * 3_600 * 1_000


@pytest.fixture
async def people(
    three: list[Node], redis_client: Redis
) -> AsyncIterator[dict[str, Member]]:
    """A moderator and two members of a room, at three nodes, and a stranger."""
    async with (
        member(three[0], "mod", ROOM) as mod,
        member(three[1], "ann", ROOM) as ann,
        member(three[2], "bob", ROOM) as bob,
        member(three[0], "eve") as eve,
    ):
        await be(redis_client, "mod", "moderator")
        await be(redis_client, "ann", "member")
        yield {each.user: each for each in (mod, ann, bob, eve)}


async def be(redis: Redis, user: str, role: str, **more: int) -> None:
    """Write a member's record."""
    record = {"role": role, "joinedAt": 1, "joined": 0, **more}
    await redis.hset(keys.members(ROOM), user, json.dumps(record).replace(" ", ""))


async def test_a_moderator_invites_and_sees_all_invites(
    people: dict[str, Member], redis_client: Redis
) -> None:
    """Where the room lets members invite, they see and end their own only."""
    error = await people["ann"].refused("invite_create", {"room": ROOM})
    assert (error["code"], error["reason"]) == ("forbidden", "role")
    made = await people["mod"].do("invite_create", {"room": ROOM, "uses": 2})
    assert (made["usesLeft"], made["by"]) == (2, "mod")
    assert made["expiresAt"] - made["at"] == 7 * DAY_MS
    await redis_client.hset(keys.meta(ROOM), "invite", "members")
    own = await people["ann"].do(
        "invite_create", {"room": ROOM, "expiresSeconds": 10**9}
    )
    assert own["usesLeft"] is None
    assert own["expiresAt"] - own["at"] == 30 * DAY_MS, "it is held to 30 days"

    def listed(answer: dict[str, object]) -> set[str]:
        return {each["invite"] for each in answer["invites"]}  # type: ignore[attr-defined]

    everything = await people["mod"].do("invites", {"room": ROOM})
    assert listed(everything) == {made["invite"], own["invite"]}
    assert listed(await people["ann"].do("invites", {"room": ROOM})) == {own["invite"]}
    assert listed(await people["bob"].do("invites", {"room": ROOM})) == set()
    other = {"room": ROOM, "invite": made["invite"]}
    assert (await people["ann"].refused("invite_revoke", other))["reason"] == "role"
    for _ in range(2):
        await people["ann"].do("invite_revoke", {"room": ROOM, "invite": own["invite"]})
    await people["mod"].do("invite_revoke", other)
    assert listed(await people["mod"].do("invites", {"room": ROOM})) == set()


async def test_invites_are_few_and_end(
    people: dict[str, Member], redis_client: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One too many is refused; those that have ended make room, and are not listed."""
    monkeypatch.setattr(invites, "ROOM_INVITES", 2)
    for _ in range(2):
        await people["mod"].do("invite_create", {"room": ROOM})
    assert (await people["mod"].refused("invite_create", {"room": ROOM}))["code"] == (
        "too_large"
    )
    (first, *_) = (await people["mod"].do("invites", {"room": ROOM}))["invites"]
    await redis_client.hset(keys.invites(ROOM), first["invite"], "1 -1 1 mod")
    left = (await people["mod"].do("invites", {"room": ROOM}))["invites"]
    assert first["invite"] not in {each["invite"] for each in left}
    await people["mod"].do("invite_create", {"room": ROOM})
    assert await redis_client.hlen(keys.invites(ROOM)) == 2


async def test_a_report_keeps_the_words(
    people: dict[str, Member], redis_client: Redis
) -> None:
    """Moderators read it with the message as it was, also after it is gone."""
    sent = await people["bob"].send("buy this")
    spam = {"room": ROOM, "message": sent["message"], "reason": "spam"}
    await people["ann"].do("report", spam)
    await people["ann"].do("report", {"room": ROOM, "user": "bob", "reason": "rude"})
    await redis_client.hdel(keys.messages(ROOM), str(sent["message"]))
    assert (await people["ann"].refused("reports", {"room": ROOM}))["reason"] == "role"
    page = await people["mod"].do("reports", {"room": ROOM})
    rude, kept = page["reports"]
    assert (rude["user"], rude["by"], rude["reason"]) == ("bob", "ann", "rude")
    assert "copy" not in rude
    assert (kept["user"], kept["message"]) == ("bob", sent["message"])
    assert kept["copy"]["text"] == "buy this"
    assert page["more"] is False
    first = await people["mod"].do("reports", {"room": ROOM, "limit": 1})
    assert (first["reports"], first["more"]) == ([rude], True)
    rest = {"room": ROOM, "limit": 1, "before": rude["id"]}
    assert (await people["mod"].do("reports", rest))["reports"] == [kept]


async def test_only_what_one_may_see_can_be_reported(
    people: dict[str, Member], redis_client: Redis
) -> None:
    """A report brings no word out: not of older messages, nor of deleted ones."""
    await people["bob"].send("for few")
    await be(redis_client, "ann", "member", since=2)
    report = {"room": ROOM, "message": 1, "reason": "x"}
    for message in (1, 2):
        error = await people["ann"].refused("report", {**report, "message": message})
        assert error["code"] == "not_found"
    state = json.loads(await redis_client.hget(keys.messages(ROOM), "1") or "")
    await redis_client.hset(
        keys.messages(ROOM), "1", json.dumps({**state, "type": "deleted"})
    )
    assert (await people["bob"].refused("report", report))["code"] == "not_found"
    assert (await people["mod"].do("reports", {"room": ROOM}))["reports"] == []


async def test_reports_are_counted_at_all_nodes_together(
    people: dict[str, Member], three: list[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One too many of a user is told when to come back; others still report."""
    monkeypatch.setattr(reports, "USER_REPORTS", 2)
    report = {"room": ROOM, "user": "bob", "reason": "rude"}
    await people["ann"].do("report", report)
    async with member(three[0], "ann", ROOM) as phone:
        await phone.do("report", report)
        error = await phone.refused("report", report)
    assert error["code"] == "rate_limited"
    assert 0 < error["retryAfter"] <= DAY_MS
    assert (await people["ann"].refused("report", report))["code"] == "rate_limited"
    await people["mod"].do("report", report)
    assert len((await people["mod"].do("reports", {"room": ROOM}))["reports"]) == 3


async def test_the_audit_list_says_who_did_what(people: dict[str, Member]) -> None:
    """The newest first, for moderators."""
    made = await people["mod"].do("invite_create", {"room": ROOM})
    revoked = {"room": ROOM, "invite": made["invite"]}
    await people["mod"].do("invite_revoke", revoked)
    assert (await people["ann"].refused("audit", {"room": ROOM}))["reason"] == "role"
    acts = (await people["mod"].do("audit", {"room": ROOM}))["acts"]
    assert [each["act"] for each in acts[:2]] == ["invite_revoked", "invite_created"]
    assert {each["by"] for each in acts[:2]} == {"mod"}


async def test_the_audit_list_has_the_deletions_of_others_messages(
    people: dict[str, Member],
) -> None:
    """Who deleted whose, once; what people do to their own is nobody's business."""
    for _ in range(2):
        await people["ann"].send("a")
    await people["mod"].send("m")
    for user, message in (("ann", 1), ("mod", 2), ("mod", 2), ("mod", 3)):
        gone = {"room": ROOM, "message": message, "reason": "spam"}
        await people[user].do("delete", gone)
    acts = (await people["mod"].do("audit", {"room": ROOM}))["acts"]
    deletions = [each for each in acts if each["act"] == "message_deleted"]
    assert [(each["by"], each["details"]) for each in deletions] == [
        ("mod", {"message": 2, "user": "ann", "reason": "spam"})
    ]


async def test_who_blocks_ends_the_talk_of_two(
    three: list[Node], redis_client: Redis
) -> None:
    """Neither writes in their direct room until both unblock; others are as before."""
    room = direct_id("ann", "bob")
    await redis_client.hset(keys.meta(room), "kind", "direct")
    for user in ("ann", "bob"):
        record = '{"role":"member","joinedAt":1,"joined":0}'
        await redis_client.hset(keys.members(room), user, record)
    async with (
        member(three[0], "ann", room, ROOM) as ann,
        member(three[1], "bob", room, ROOM) as bob,
    ):
        first = text_of("hello", room)
        await bob.do("send", first)
        for _ in range(2):
            await ann.do("block", {"user": "bob", "on": True})
        assert (await ann.do("blocks"))["users"] == ["bob"]
        assert (await bob.do("blocks"))["users"] == []
        for each in (ann, bob):
            error = await each.refused("send", text_of("hi", room))
            assert (error["code"], error["reason"]) == ("forbidden", "blocked")
            await each.send("here I may", ROOM)
        assert (await bob.do("send", first))["duplicate"], "what was stored stays so"
        await bob.do("block", {"user": "ann", "on": True})
        await ann.do("block", {"user": "bob", "on": False})
        assert (await ann.refused("send", text_of("hi", room)))["reason"] == "blocked"
        await bob.do("block", {"user": "ann", "on": False})
        await ann.send("hi again", room)
        assert (await ann.do("blocks"))["users"] == []


async def test_whom_one_may_block(people: dict[str, Member]) -> None:
    """Anybody but oneself."""
    error = await people["ann"].refused("block", {"user": "ann", "on": True})
    assert error["fields"] == {"user": ["Is you."]}


@pytest.mark.parametrize(
    ("event", "payload", "wrong"),
    [
        ("invite_create", {"room": ROOM, "expiresSeconds": 59}, "expiresSeconds"),
        ("invite_create", {"room": ROOM, "uses": 0}, "uses"),
        ("invite_revoke", {"room": ROOM, "invite": "short"}, "invite"),
        ("report", {"room": ROOM, "reason": "x"}, "message"),
        ("report", {"room": ROOM, "message": 1, "user": "a", "reason": "x"}, "message"),
        ("report", {"room": ROOM, "message": 1, "reason": "x" * 501}, "reason"),
        ("report", {"room": ROOM, "message": 1, "reason": " "}, "reason"),
        ("reports", {"room": ROOM, "before": "7"}, "before"),
        ("audit", {"room": ROOM, "limit": 0}, "limit"),
        ("block", {"user": "", "on": True}, "user"),
        ("block", {"user": "bob"}, "on"),
        ("blocks", {"user": "bob"}, "user"),
    ],
)
async def test_what_is_malformed_is_said(
    people: dict[str, Member], event: str, payload: dict[str, object], wrong: str
) -> None:
    """`invalid`, with the field."""
    error = await people["mod"].refused(event, payload)
    assert (error["code"], [*error["fields"]]) == ("invalid", [wrong])


async def test_an_invite_ends_with_the_right_of_who_made_it(
    people: dict[str, Member],
) -> None:
    """Who was put out does not come back by it, and brings nobody else in."""
    mod, eve = people["mod"], people["eve"]
    asked = {"kind": "private", "invite": "members", "clientId": "p"}
    room = (await mod.do("room_create", asked))["room"]
    await mod.do("members_add", {"room": room, "users": ["bob"]})
    invite = (await people["bob"].do("invite_create", {"room": room}))["invite"]
    await mod.do("member_remove", {"room": room, "user": "bob"})
    for who in ("bob", "eve"):
        error = await people[who].refused("join", {"room": room, "invite": invite})
        assert error["code"] == "forbidden"
    await mod.do("members_add", {"room": room, "users": ["bob"]})
    await mod.do("room_set", {"room": room, "invite": "moderators"})
    assert await eve.refused("join", {"room": room, "invite": invite})
    await mod.do("room_set", {"room": room, "invite": "members"})
    await eve.do("join", {"room": room, "invite": invite})


async def test_a_new_moderator_reads_no_words_from_before_they_came(
    people: dict[str, Member],
) -> None:
    """They are told that there was a report, without the copy of the message."""
    mod, ann = people["mod"], people["ann"]
    asked = {"kind": "private", "history": "joined", "clientId": "p"}
    room = (await mod.do("room_create", asked))["room"]
    await mod.do("members_add", {"room": room, "users": ["ann"]})
    await mod.join(room)
    await mod.send("secret", room)
    await ann.do("report", {"room": room, "message": 1, "reason": "rude"})
    added = {"room": room, "users": ["bob"], "role": "moderator"}
    await mod.do("members_add", added)
    (own,) = (await mod.do("reports", {"room": room}))["reports"]
    (seen,) = (await people["bob"].do("reports", {"room": room}))["reports"]
    assert own["copy"]["text"] == "secret"
    assert seen == {name: own[name] for name in own if name != "copy"}


async def test_members_give_no_reason_for_what_they_delete(
    people: dict[str, Member],
) -> None:
    """Who is muted would speak by it."""
    ann, bob = people["ann"], people["bob"]
    await ann.send("one")
    muted = {"room": ROOM, "user": "ann", "muteSeconds": 60}
    await people["mod"].do("member_set", muted)
    await ann.do("delete", {"room": ROOM, "message": 1, "reason": "I speak"})
    told = await bob.next("message_deleted")
    assert "reason" not in told
    assert told["by"] == "ann"
