"""README's example does what it says, and where it cannot, it says why."""

import asyncio
import re

import pytest

from tests.kit.javascript import ROOT, WEB, require_node
from tests.kit.nodes import run_nodes
from tests.kit.waiting import DEADLINE_SECONDS

URL = "http://localhost:5000/chat"
AUTH = 'auth: { user: "alice" }'
# A port of this machine that nobody listens on: it is not for users.
NOBODY = "http://127.0.0.1:9/chat"
CASES = {
    "as it stands": (URL, URL, "ok: true"),
    "no server": (URL, NOBODY, "ECONNREFUSED"),
    "no auth": (AUTH, "auth: {}", "connect with auth {user}"),
    "no namespace": ("/chat", "/", "Invalid namespace"),
    "a foreign origin": (
        AUTH,
        AUTH + ', extraHeaders: { Origin: "https://elsewhere.example" }',
        "Origin is not accepted",
    ),
}


def example() -> str:
    """Return the program in README.md."""
    found = re.search(r"```js\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found
    assert URL in found[1]
    assert AUTH in found[1]
    return found[1]


@pytest.mark.parametrize("case", CASES)
async def test_the_example_says_how_it_went(redis_url: str, case: str) -> None:
    """Whoever runs it sees the ack of a message, or the reason why there is none."""
    require_node()
    old, new, expected = CASES[case]
    async with run_nodes(1, redis_url) as (node,):
        program = example().replace(old, new).replace(URL[:-5], node.url)
        # Its folder: there it finds the packages.
        process = await asyncio.create_subprocess_exec(
            *("node", "--input-type=module", "--eval", program),
            cwd=WEB,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        assert process.stdout
        said = b""
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                while expected.encode() not in said:
                    chunk = await process.stdout.read(4096)
                    assert chunk, f"it ended with {said.decode()!r}"
                    said += chunk
        finally:
            process.kill()
            await process.wait()
