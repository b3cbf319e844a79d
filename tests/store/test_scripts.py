"""The scripts' headers say what the scripts do: they are the only documentation."""

import re
from collections.abc import Sequence
from importlib.resources import files
from inspect import Parameter, signature

import pytest

from realtime.redis.connection import Argument
from realtime.redis.script import Script
from realtime.store import scripts

# The last one may be a list, `KEYS[8..]`, which `unpack(KEYS, 8)` returns.
DECLARED = re.compile(r"^-- (KEYS|ARGV)\[(\d+)(?:\.\.)?\] (\w+) - \S", re.MULTILINE)
USED = re.compile(r"\b(KEYS|ARGV)(?:\[|, )(\d+)[\])]")
SHARED = re.compile(r"^local function \w+\(([^)]*)\)", re.MULTILINE)
COMMAND = re.compile(r"redis\.call\(\s*([^,)]+)(?:,\s*([^,)]+))?")
KEYLESS = {"'TIME'"}


def body(script: Script) -> str:
    """Return the code without comments."""
    return re.sub(r"--[^\n]*", "", script.source)


class PassedError(Exception):
    """A script's function passed its arguments on."""


class Recorder:
    """Takes down what is passed on, and runs nothing."""

    publish_command = "SPUBLISH"
    script: Script
    keys: Sequence[str]
    args: Sequence[Argument]

    async def run_script(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument]
    ) -> None:
        """Take a call down."""
        self.script, self.keys, self.args = script, keys, args
        raise PassedError


def marked(parameter: Parameter, place: int) -> object:
    """Return a value of the parameter's type that no other one has."""
    if parameter.annotation in (str, int | str):
        return parameter.name
    if parameter.annotation is bytes:
        return parameter.name.encode()
    if parameter.annotation == Sequence[str]:
        return (f"{parameter.name} one", f"{parameter.name} two")
    # The only truth value must not be taken for the number one.
    return True if parameter.annotation is bool else 1000 + place


@pytest.fixture(params=scripts.ALL, ids=lambda script: script.name)
def script(request: pytest.FixtureRequest) -> Script:
    """Each script in turn."""
    found: Script = request.param
    return found


def test_the_keys_and_arguments_are_those_documented(script: Script) -> None:
    """Each one used is described, each one described is used, numbered from 1."""
    declared = [found[:2] for found in DECLARED.findall(script.source)]
    assert sorted(set(USED.findall(body(script)))) == sorted(declared)
    for kind in ("KEYS", "ARGV"):
        numbers = [int(number) for name, number in declared if name == kind]
        assert numbers == list(range(1, len(numbers) + 1))


async def test_each_has_a_function_with_these_parameters(script: Script) -> None:
    """Named and ordered as in the header, each one passed on in its place."""
    function = getattr(scripts, script.name)
    parameters = [*signature(function).parameters.values()][1:]
    names = [name for _, _, name in DECLARED.findall(script.source)]
    own = [name for name in names if name != "publish_command"]
    assert [each.name for each in parameters] == own
    assert {each.kind for each in parameters} == {Parameter.KEYWORD_ONLY}
    values = {each.name: marked(each, place) for place, each in enumerate(parameters)}
    redis = Recorder()
    with pytest.raises(PassedError):
        await function(redis, **values)
    values["publish_command"] = redis.publish_command
    passed = [*redis.keys, *redis.args]
    expected: list[object] = []
    for name in names:
        value = values[name]
        expected += value if isinstance(value, tuple) else [value]
    assert (redis.script, passed) == (script, expected)
    many = script.source.count("..] ")
    assert len(redis.keys) == script.source.count("-- KEYS[") + many


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
    # What scripts share is handed the keys.
    shared = {name for found in SHARED.findall(code) for name in found.split(", ")}
    for command, key in COMMAND.findall(code):
        if command in KEYLESS or command == "publish" or command.startswith("ARGV"):
            continue
        # `each` and `key` are of a list of keys that it is handed.
        known = local | shared | {"KEYS[1]", "each", "key"}
        assert key.strip() in known, f"{command} reaches {key}"


def test_no_script_file_is_forgotten() -> None:
    """All scripts are loaded when a connection is made."""
    found = {
        each.name.removesuffix(".lua")
        for each in files("realtime.store.scripts").iterdir()
        if each.name.endswith(".lua")
    }
    assert {each.name for each in scripts.ALL} == found


def test_what_scripts_share_is_used() -> None:
    """Each definition of ``lib`` stands in a script; files say what they are for."""
    for each in files("realtime.store.scripts").joinpath("lib").iterdir():
        source = each.read_text(encoding="utf-8")
        assert re.match(r"-- [A-Z]\w+", source), each.name
        for line in re.findall("^local .*", source, re.MULTILINE):
            assert any(line in script.source for script in scripts.ALL), line


def test_a_script_has_only_what_it_uses() -> None:
    """Redis makes each function anew at every call, used or not."""
    for script in scripts.ALL:
        code = body(script)
        for name in re.findall(r"^local function (\w+)", code, re.MULTILINE):
            assert len(re.findall(rf"\b{name}\b", code)) > 1, (script.name, name)
