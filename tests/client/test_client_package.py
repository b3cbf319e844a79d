"""The client package as others get it: packed, installed, run, bundled and compiled."""

import asyncio
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from realtime.redis.valkey_process import die_with_parent
from tests.kit.javascript import CLIENT, NODE_MODULES, require_node
from tests.kit.members import all_see, member
from tests.kit.nodes import run_nodes
from tests.kit.waiting import DEADLINE_SECONDS

# A compiler on a busy machine.
pytestmark = pytest.mark.timeout(90)
# What an application pays, gzipped, without socket.io-client; the hooks come on top.
MOST_BYTES = 14_000
MOST_BYTES_OF_HOOKS = 2_000
ROOM = "general"


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty application that has installed the packed package."""
    require_node()
    folder = tmp_path_factory.mktemp("application")
    run("npm", "pack", "--pack-destination", str(folder), cwd=CLIENT)
    modules = folder / "node_modules"
    modules.mkdir()
    with tarfile.open(next(folder.glob("*.tgz"))) as packed:
        packed.extractall(folder, filter="data")
    (folder / "package").rename(modules / "chatroom-client")
    # What npm would fetch beside it.
    for dependency in NODE_MODULES.iterdir():
        if dependency.name != "chatroom-client" and dependency.name[0] != ".":
            (modules / dependency.name).symlink_to(dependency)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def run(*command: str, cwd: Path) -> str:
    """Run a program that must succeed and return what it said."""
    done = subprocess.run(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_holds_what_is_built_and_its_documents(application: Path) -> None:
    """No sources, no tests; every entry has its code and its types."""
    package = application / "node_modules" / "chatroom-client"
    names = {each.name for each in package.iterdir()}
    assert names == {"dist", "LICENSE", "README.md", "package.json"}
    assert (package / "LICENSE").read_text() == (
        CLIENT.parents[1] / "LICENSE"
    ).read_text()
    for entry in json.loads((package / "package.json").read_text())["exports"].values():
        assert (package / entry["types"]).is_file()
        assert (package / entry["default"]).is_file()


async def test_the_first_program_of_its_readme(
    application: Path, redis_url: str
) -> None:
    """It joins, sends, and shows what comes."""
    program = (CLIENT / "README.md").read_text().split("```js\n")[1].split("```")[0]
    async with run_nodes(1, redis_url) as (node,), member(node, "bob", ROOM) as bob:
        address = "http://localhost:5000"
        assert address in program
        (application / "first.mjs").write_text(program.replace(address, node.url))
        first = await asyncio.create_subprocess_exec(
            *("node", str(application / "first.mjs")),
            stdout=asyncio.subprocess.PIPE,
            preexec_fn=die_with_parent(),
        )
        try:
            await all_see([bob], ["Hello"], ROOM)
            await bob.send("Welcome", ROOM)
            assert first.stdout is not None
            async with asyncio.timeout(DEADLINE_SECONDS):
                await first.stdout.readuntil(b"bob: Welcome\n")
        finally:
            first.kill()
            await first.communicate()


def test_the_react_example_of_its_readme_is_bundled(application: Path) -> None:
    """As an application's build does it: all that it imports is there."""
    example = (CLIENT / "README.md").read_text().split("```jsx\n")[1].split("```")[0]
    (application / "conversation.jsx").write_text(example)
    esbuild = str(NODE_MODULES / "esbuild" / "bin" / "esbuild")
    options = ("--bundle", "--jsx=automatic", "--format=esm", "--log-limit=0")
    said = run(esbuild, "conversation.jsx", *options, cwd=application)
    assert "useSyncExternalStore" in said


def test_what_an_application_pays_for_it(application: Path) -> None:
    """As little as the README says."""
    shutil.copy(CLIENT / "size.mjs", application / "node_modules" / "chatroom-client")
    script = str(application / "node_modules" / "chatroom-client" / "size.mjs")
    sizes = json.loads(run("node", script, cwd=application))
    assert max(sizes["web"], sizes["reactNative"]) <= MOST_BYTES, sizes
    assert sizes["react"] <= MOST_BYTES_OF_HOOKS, sizes


@pytest.mark.parametrize("resolution", ["nodenext", "bundler"])
def test_a_strict_compiler_takes_what_uses_it(
    application: Path, resolution: str
) -> None:
    """With the types of every entry, and refuses what they do not allow."""
    shutil.copy(CLIENT / "test" / "consumer.ts", application)
    compiler = str(NODE_MODULES / "typescript" / "bin" / "tsc")
    module = "nodenext" if resolution == "nodenext" else "esnext"
    options = {
        "target": "es2022",
        "module": module,
        "moduleResolution": resolution,
        "strict": True,
        # Those of others take longer than all else.
        "skipLibCheck": True,
        "noEmit": True,
        "types": [],
    }
    settings = {"compilerOptions": options, "files": ["consumer.ts"]}
    (application / "tsconfig.json").write_text(json.dumps(settings))
    run("node", compiler, "-p", ".", cwd=application)
