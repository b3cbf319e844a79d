"""To a balancer the workers are one server: ready while one of them is."""

import aiohttp
import pytest

from tests.kit.redis_server import RedisServer
from tests.kit.waiting import wait_until
from tests.workers.crew import Crew, crew

pytestmark = [pytest.mark.timeout(180), pytest.mark.long]


async def readiness(two: Crew) -> tuple[int, dict[str, object]]:
    """Return what ``/readyz`` says, asked over a connection of its own."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{two.url}/readyz", headers={"Connection": "close"}) as answer,
    ):
        return answer.status, await answer.json()


async def test_readiness_is_that_of_all(redis_server: RedisServer) -> None:
    """Without Redis none is ready, and it is told; with it all are again."""
    with crew(redis_server.url, 2) as two:
        for _ in range(8):
            assert await readiness(two) == (200, {"ready": True})
        redis_server.pause()
        try:

            async def is_red() -> bool:
                status, said = await readiness(two)
                return status == 503 and "Redis" in str(said["reasons"])

            await wait_until(is_red, "it is not ready")
        finally:
            redis_server.resume()

        async def is_green() -> bool:
            return await readiness(two) == (200, {"ready": True})

        await wait_until(is_green, "it is ready again")
        for _ in range(8):
            assert await readiness(two) == (200, {"ready": True})
