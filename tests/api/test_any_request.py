"""Whatever is asked, every answer is as documented, and none is a defect's."""

import asyncio
import shutil
import sysconfig
from pathlib import Path

import pytest
from aiohttp import ClientSession

from realtime.webhooks import registry
from schemas.routes import Scope
from tests.kit.backend import backend, user_token
from tests.kit.members import member
from tests.kit.nodes import Node

CONFIG = Path(__file__).parent / "schemathesis.toml"
PROGRAM = shutil.which("schemathesis", path=sysconfig.get_path("scripts"))
# No node learns in that time of an endpoint that is made, and calls it.
NEVER_SECONDS = 600.0
# Of each kind of credentials; what a slow machine does not get to is left out.
RUN_SECONDS = 20
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "ignored_auth",
)


@pytest.fixture(autouse=True)
def no_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "REFRESH_SECONDS", NEVER_SECONDS)


@pytest.mark.long
@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["key", "token"])
async def test_each_answer_is_as_documented(
    nodes: list[Node], http: ClientSession, tmp_path: Path, kind: str
) -> None:
    """Asked by a program that reads the document and bends what it says."""
    token = user_token("ann")
    scopes = [each for each in Scope if each is not Scope.USERS_ACT]
    async with member(nodes[0], "ann", "42", token=token) as ann:
        await ann.send("hello")
        asks = await backend(http, nodes[0], *scopes)
        # The one that the document's examples name; requests may delete it.
        assert (await asks.ask("GET", "/chats/42"))[0] == 200, "it is asked of nothing"
        shown = asks.headers["Authorization"] if kind == "key" else f"Bearer {token}"
        assert PROGRAM is not None
        running = await asyncio.create_subprocess_exec(
            *(PROGRAM, "--config-file", str(CONFIG), "run"),
            f"{nodes[0].url}/api/openapi.json",
            *("--header", f"Authorization: {shown}", "--checks", ",".join(CHECKS)),
            *("--phases", "coverage,fuzzing", "--max-examples", "10", "--no-color"),
            *("--max-time", str(RUN_SECONDS), "--generation-deterministic"),
            "--continue-on-failure",
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await running.communicate()
        assert running.returncode == 0, said.decode()
        ann.problems.clear()
        ann.faults.clear()
