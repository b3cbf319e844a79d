"""The secret that nodes share: one for all of them, whatever Redis forgets."""

from typing import Any

import pytest
from redis.asyncio import Redis

from realtime.errors import UnavailableError
from realtime.redis.client import RedisClient
from realtime.store import shared_secret
from realtime.store.keys import SHARED_SECRET
from realtime.store.shared_secret import SECRET_BYTES, SharedSecret
from tests.kit.redis_server import RedisServer
from tests.kit.running import running
from tests.kit.waiting import MS, wait_until


async def test_all_nodes_have_the_one_that_the_first_made(link: RedisClient) -> None:
    """Until it is known nothing is signed with another one."""
    first, second = SharedSecret(link), SharedSecret(link)
    with pytest.raises(UnavailableError):
        _ = first.value
    await first.fetch()
    await second.fetch()
    assert first.value == second.value
    assert len(first.value) == SECRET_BYTES


async def test_one_that_is_lost_while_it_is_looked_at_stays_known(
    link: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next look would make another one, and end all addresses."""
    secret = SharedSecret(link)
    await secret.fetch()
    known = secret.value
    call = link.call

    def lose(*command: Any) -> Any:
        if command[0] == "GET":
            _gone = call("DEL", SHARED_SECRET)
        return call(*command)

    monkeypatch.setattr(link, "call", lose)
    await secret.fetch()
    monkeypatch.undo()
    await secret.fetch()
    assert secret.value == known


async def test_one_that_redis_lost_is_put_back(
    link: RedisClient,
    redis_client: Redis,
    redis_server: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Addresses that were given out stay valid; an outage ends nothing."""
    monkeypatch.setattr(shared_secret, "LOOK_SECONDS", 20 * MS)
    secret = SharedSecret(link)
    await secret.fetch()
    known = secret.value
    async with running(secret.run()):
        redis_server.kill()
        await wait_until(lambda: not link.connected, "Redis is away")
        redis_server.start()
        await redis_client.delete(SHARED_SECRET)

        async def is_back() -> bool:
            return bool(await redis_client.exists(SHARED_SECRET))

        await wait_until(is_back, "it is in Redis again")
    assert redis_server.admin.get(SHARED_SECRET) == known
    assert secret.value == known
