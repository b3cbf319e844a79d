"""What an installed server consists of, as ``setup.cfg`` declares it."""

import configparser
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHIPPED = ("realtime", "handlers", "schemas", "verify")


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


def test_the_lock_names_no_registry() -> None:
    """Any index or mirror can serve the install."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()

    assert lines
    assert all("==" in line and "://" not in line for line in lines)


def test_what_is_deprecated_fails_in_other_processes_too() -> None:
    """Nodes that tests start are as strict as the tests themselves."""
    program = "import warnings; warnings.warn('old', DeprecationWarning)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True)

    assert ended.returncode == 1
    assert b"DeprecationWarning: old" in ended.stderr
