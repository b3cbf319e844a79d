"""What is private to others and used all the same: all of it, and a test for each."""

import ast
import gc
import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import NamedTuple

import pytest

# All that ships is parsed, which takes a busy machine its time.
pytestmark = pytest.mark.timeout(120)

ROOT = Path(__file__).parents[2]
OURS = ("realtime", "handlers", "schemas", "verify")
PRIVATE = re.compile(r"_[a-zA-Z]\w*")
# Documented in spite of their underscore, and words of Socket.IO's protocol and of
# Prometheus's format.
PUBLIC = {"_asdict", "_bucket", "_deserialize", "_exit", "_placeholder", "_replace"}


class Use(NamedTuple):
    """A row of the table in ``CONTRIBUTING.md``, under "Private names of others"."""

    names: set[str]
    file: str
    test: str


def table() -> list[Use]:
    """Return the rows; several names may share one."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    section = text.partition("## Private names of others")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines()]
    return [
        Use(set(re.findall(r"`(\w+)`", names)), file.strip("`"), test.strip("`"))
        for names, file, _why, test in (row for row in rows if len(row) == 4)
        if file.startswith("`")
    ]


def modules() -> Iterator[tuple[str, ast.Module]]:
    """Yield each module that ships, by its path."""
    for path in sorted(each for top in OURS for each in (ROOT / top).rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), parsed(path)


@cache
def parsed(path: Path) -> ast.Module:
    """Parse a module, once; CPython 3.11 fails if it collects garbage meanwhile."""
    gc.disable()
    try:
        return ast.parse(path.read_text())
    finally:
        gc.enable()


def our_names(tree: ast.AST) -> Iterator[str]:
    """Yield what a module names itself."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self":
            yield from [node.attr] * isinstance(node.ctx, ast.Store)


def mentioned(tree: ast.AST) -> Iterator[str]:
    """Yield the names by which a module reaches into objects and other modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported = [*node.module.split("."), *(each.name for each in node.names)]
            if imported[0] not in OURS:
                yield from imported


def overridden(file: str) -> Iterator[str]:
    """Yield the methods of a module's classes that replace others' private ones."""
    path = file.removesuffix(".py").removesuffix("/__init__")
    module = importlib.import_module(path.replace("/", "."))
    for kind in vars(module).values():
        if isinstance(kind, type) and kind.__module__ == module.__name__:
            bases = [each for each in kind.__mro__ if not _is_ours(each)]
            for name, value in vars(kind).items():
                # A metaclass puts things there too.
                is_method = isinstance(value, FunctionType) and _is_ours(value)
                if is_method and any(name in vars(base) for base in bases):
                    yield name


def _is_ours(defined: type | FunctionType) -> bool:
    return defined.__module__.split(".")[0] in OURS


def test_the_table_is_complete() -> None:
    """Whoever reaches into a library says why, and what would notice a change."""
    ours = {name for _file, tree in modules() for name in our_names(tree)}
    used = {
        (file, name)
        for file, tree in modules()
        if not file.endswith("__main__.py")
        for name in ({*mentioned(tree)} - ours | {*overridden(file)}) - PUBLIC
        if PRIVATE.fullmatch(name)
    }

    assert used
    assert used - {(use.file, name) for use in table() for name in use.names} == set()


def test_the_table_is_true() -> None:
    """Each name is used where it is said to be, and each test exists."""
    for use in table():
        source = (ROOT / use.file).read_text()
        assert all(re.search(rf"\b{name}\b", source) for name in use.names), use
        path, _, test = use.test.partition("::")
        assert f"def {test}(" in (ROOT / path).read_text(), use
