"""``chatroom key``: made, listed and revoked while nodes run."""

import subprocess
import sys

import pytest
from redis.asyncio import Redis

from realtime.store import keys


def chatroom(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "realtime", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# Six processes, one after the other.
@pytest.mark.timeout(120)
async def test_a_key_is_shown_once_and_kept_as_a_digest(
    redis_url: str, redis_client: Redis
) -> None:
    """Its id, name, scopes and rooms are listed; its secret is nowhere."""
    # An address is enough: the images' folder is not asked for.
    at = ("--redis-url", redis_url, "--data-dir", "/nowhere")
    scopes = ("--scopes", "read,users:act", "--rooms", "team-*")
    made = chatroom("key", "create", "crm", *scopes, *at)
    prefix, key_id, secret = made.stdout.strip().split("_", 2)
    assert (prefix, made.returncode) == ("ck", 0)
    listed = chatroom("key", "list", *at).stdout
    assert listed.split()[:4] == [key_id, "crm", "read,users:act", "team-*"]
    kept = await redis_client.hget(keys.API_KEYS, key_id)
    assert kept is not None
    assert secret not in f"{kept!r}{listed}"
    # Another one of the name would be the same sender: only if that is wanted.
    twin = chatroom("key", "create", "crm", *scopes, *at)
    assert (twin.returncode, twin.stdout) == (1, "")
    assert "--rotate" in twin.stderr
    assert chatroom("key", "create", "crm", "--rotate", *at).returncode == 0
    assert chatroom("key", "revoke", key_id, *at).returncode == 0
    assert key_id not in chatroom("key", "list", *at).stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "A name"), "1 to 32 of a-z 0-9 -"),
        (("create", "crm", "--scopes", "all"), "read, write, rooms"),
        (("revoke", "0123"), "there is no key 0123"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    redis_url: str, arguments: tuple[str, ...], said: str
) -> None:
    """With an exit code, without a traceback."""
    done = chatroom("key", *arguments, "--redis-url", redis_url)
    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
