"""``chatroom key``: made, listed and revoked while nodes run."""

import pytest
from redis.asyncio import Redis

from realtime.store import keys
from tests.kit.command import chatroom


async def test_a_key_is_shown_once_and_kept_as_a_digest(
    redis_url: str, redis_client: Redis
) -> None:
    """Its id, name, scopes and rooms are listed; its secret is nowhere."""
    # An address is enough: the images' folder is not asked for.
    at = ("--redis-url", redis_url, "--data-dir", "/nowhere")
    scopes = ("--scopes", "read,users:act", "--rooms", "team-*")
    status, made = await chatroom("key", "create", "crm", *scopes, *at)
    prefix, key_id, secret = made.strip().split("_", 2)
    assert (prefix, status) == ("ck", 0)
    _, listed = await chatroom("key", "list", *at)
    assert listed.split()[:4] == [key_id, "crm", "read,users:act", "team-*"]
    kept = await redis_client.hget(keys.API_KEYS, key_id)
    assert kept is not None
    assert secret not in f"{kept!r}{listed}"
    # Another one of the name would be the same sender: only if that is wanted.
    status, said = await chatroom("key", "create", "crm", *scopes, *at)
    assert status == 1
    assert "--rotate" in said
    assert "ck_" not in said
    status, twin = await chatroom("key", "create", "crm", "--rotate", *at)
    assert (status, twin[:3]) == (0, "ck_")
    assert (await chatroom("key", "revoke", key_id, *at))[0] == 0
    _, listed = await chatroom("key", "list", *at)
    assert [line.split()[0] for line in listed.splitlines()] == [twin.split("_")[1]]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "A name"), "1 to 32 of a-z 0-9 -"),
        (("create", "erased"), "stands for users who were erased"),
        (("create", "crm", "--scopes", "all"), "read, write, rooms"),
        (("revoke", "0123"), "there is no key 0123"),
    ],
)
async def test_what_cannot_be_done_is_said_in_one_sentence(
    redis_url: str, arguments: tuple[str, ...], said: str
) -> None:
    """With an exit code, without a traceback."""
    status, output = await chatroom("key", *arguments, "--redis-url", redis_url)
    assert status != 0
    assert said in output
    assert "Traceback" not in output
