"""A poll that is sent again behind the client's back."""

from tests.kit.serving import Served, serve


async def poll(served: Served, sid: str, t: str) -> str:
    """Poll as clients do, with a parameter that is new each time."""
    async with served.http.get(served.url(sid=sid) + f"&t={t}") as response:
        return await response.text()


async def test_a_repeated_poll_gets_the_same_answer_once_more() -> None:
    """A browser repeats a GET whose connection broke; the answer must not be lost."""
    async with serve() as served:
        sid = await served.open_polling()
        served.eio.write(sid, "one")
        assert await poll(served, sid, "a") == "4one"
        served.eio.write(sid, "two")
        assert await poll(served, sid, "a") == "4one"
        assert await poll(served, sid, "b") == "4two"


async def test_only_the_last_poll_can_be_repeated() -> None:
    """What was answered before the last poll has arrived: the client polled again."""
    async with serve() as served:
        sid = await served.open_polling()
        for number, t in enumerate("abc"):
            served.eio.write(sid, str(number))
            assert await poll(served, sid, t) == f"4{number}"
        served.eio.write(sid, "next")
        assert await poll(served, sid, "a") == "4next"
