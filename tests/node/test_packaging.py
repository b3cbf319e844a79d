"""What an installed server consists of, as ``setup.cfg`` declares it."""

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.javascript import WEB, cannot_run

ROOT = Path(__file__).parents[2]
SHIPPED = ("chat_client", "realtime", "handlers", "schemas", "verify")


def _declared() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_package_is_installed() -> None:
    """A folder with code that is not declared would be missing after an install."""
    packages = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for top in SHIPPED
        for path in (ROOT / top).rglob("__init__.py")
    }

    assert set(_declared()["options"]["packages"].split()) == packages


def test_the_scripts_for_redis_are_installed() -> None:
    """The Lua files go along, and there are some."""
    assert "*.lua" in _declared()["options.package_data"]["realtime.store.scripts"]
    assert list((ROOT / "realtime" / "store" / "scripts").glob("*.lua"))


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_the_lock_pins_by_hash_and_names_no_registry(name: str) -> None:
    """Any index or mirror can serve the install, but no other files than were meant."""
    text = re.sub(r"^(#.*)?\n", "", (ROOT / name).read_text(), flags=re.MULTILINE)
    entries = re.split(r"\n(?=\S)", text.strip())

    assert entries
    for entry in entries:
        assert re.fullmatch(r"[a-z0-9.-]+==\S+( \\\n    --hash=sha256:\w{64})+", entry)


def test_the_locks_agree() -> None:
    """Tests run with the versions that are served."""
    served, tested = (
        set(re.findall(r"^\S+==\S+", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements.lock", "requirements-dev.lock")
    )
    assert served < tested


def test_what_is_deprecated_fails_in_other_processes_too() -> None:
    """Nodes that tests start are as strict as the tests themselves."""
    program = "import warnings; warnings.warn('old', DeprecationWarning)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True)

    assert ended.returncode == 1
    assert b"DeprecationWarning: old" in ended.stderr


def test_the_page_brings_the_notices_of_what_is_in_it() -> None:
    """The packages' licences want their notices to go with every copy."""
    assets = WEB / "dist" / "assets"
    if not assets.is_dir():
        cannot_run("the page is not built: run `make page`")
    text = (assets / "licenses.txt").read_text()

    for package in ("socket.io-client", "engine.io-client", "socket.io-parser"):
        assert f"{package} " in text
    notices = ("Permission is hereby granted", "END OF TERMS AND CONDITIONS")
    assert sum(map(text.count, notices)) == text.count("---\n\n") + 1
    [script] = assets.glob("app-*.js")
    assert script.read_text().startswith("/*! Licences: licenses.txt */")
    assert f'src="./assets/{script.name}"' in (WEB / "dist/index.html").read_text()


def test_installing_runs_no_code_of_packages_and_nothing_as_root() -> None:
    """Install scripts are off; what Debian lacks is named, and installed in CI."""
    makefile = (ROOT / "Makefile").read_text()
    assert "npm ci" in makefile
    assert "npm ci\n" not in makefile.replace("npm ci --ignore-scripts\n", "")
    for script in ("make-venv", "install-browser"):
        assert '"${CI:-}"' in (ROOT / ".ci" / script).read_text()
