"""The scripts' headers say what the scripts do: they are the only documentation."""

import re
from importlib.resources import files

import pytest

from realtime.redis.script import Script
from realtime.store import scripts

DECLARED = re.compile(r"^-- (KEYS|ARGV)\[(\d+)\] - \S", re.MULTILINE)
USED = re.compile(r"\b(KEYS|ARGV)\[(\d+)\]")
COMMAND = re.compile(r"redis\.call\(\s*([^,)]+)(?:,\s*([^,)]+))?")
KEYLESS = {"'TIME'"}


def body(script: Script) -> str:
    """Return the code without comments."""
    return re.sub(r"--[^\n]*", "", script.source)


@pytest.fixture(params=scripts.ALL, ids=lambda script: script.name)
def script(request: pytest.FixtureRequest) -> Script:
    """Each script in turn."""
    found: Script = request.param
    return found


def test_the_keys_and_arguments_are_those_documented(script: Script) -> None:
    """Each one used is described, each one described is used, numbered from 1."""
    declared = DECLARED.findall(script.source)
    assert sorted(set(USED.findall(body(script)))) == sorted(declared)
    for kind in ("KEYS", "ARGV"):
        numbers = [int(number) for name, number in declared if name == kind]
        assert numbers == list(range(1, len(numbers) + 1))


def test_the_header_says_what_is_done_and_returned(script: Script) -> None:
    """One sentence first, then the parameters, then what comes back."""
    lines = script.source.splitlines()
    assert re.fullmatch(r"-- [A-Z].*\.", lines[0])
    assert re.search(r"^-- Returns \S", script.source, re.MULTILINE)


def test_every_key_comes_through_keys(script: Script) -> None:
    """No key is built inside a script: Redis Cluster must know them all."""
    code = body(script)
    names = set(re.findall(r"local ([\w, ]+?) =\s*([^\n]*KEYS[^\n]*)", code))
    local = {
        name.strip()
        for left, right in names
        for name, value in zip(left.split(","), right.split(","), strict=False)
        if "KEYS" in value
    }
    for command, key in COMMAND.findall(code):
        if command in KEYLESS or command in {"publish", "ARGV[3]", "ARGV[5]"}:
            continue
        assert key.strip() in local | {"KEYS[1]"}, f"{command} reaches {key}"


def test_no_script_file_is_forgotten() -> None:
    """All scripts are loaded when a connection is made."""
    found = {
        each.name.removesuffix(".lua")
        for each in files("realtime.store.scripts").iterdir()
        if each.name.endswith(".lua")
    }
    assert {each.name for each in scripts.ALL} == found
