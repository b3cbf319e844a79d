"""The final logs are read in full, whatever the node's limits are."""

from tests.kit.members import all_see, member
from tests.kit.nodes import run_nodes
from verify.final_logs import PAGE_MESSAGES, read_history
from verify.harness.tokens import development_auth


async def test_a_long_history_is_read_at_the_pace_that_is_granted(
    redis_url: str,
) -> None:
    """A page too soon is put off, and is no failure of the deployment."""
    count = 4 * PAGE_MESSAGES + 1
    texts = [f"m{number}" for number in range(1, count + 1)]
    async with run_nodes(1, redis_url, rates="send=9999/9999,history=20/1") as (node,):
        async with member(node, "ann", "42") as ann:
            for text in texts:
                await ann.send(text)
            await all_see([ann], texts)
        log = await read_history(node.url, development_auth("ann"), "42")
    assert [entry.message for entry in log.messages] == list(range(1, count + 1))
