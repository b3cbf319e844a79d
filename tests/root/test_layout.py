"""The tree is as it says: tests stand alone, and paths in the documents exist."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "tests").rglob("*.py"))
# An append-only file of versions, and decisions that name what there was.
HISTORY = {"CHANGELOG.md"}
DOCUMENTS = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")})
LINES_AT_MOST = 500

# `_` begins the names of these by convention, not because they are private.
NAMED_TUPLE = {"_replace", "_asdict", "_fields"}
REACH_INSIDE = {
    # A mutant is the product with a defect: it is made inside.
    "tests/verify/mutants.py",
    # Of redis-py, and named in CONTRIBUTING: the test notices when it changes.
    "tests/redis/test_connection.py",
}

PACKAGES = ("chat_client", "realtime", "handlers", "schemas", "verify")
FOLDERS = (*PACKAGES, "tests", "clients", "benchmarks", "docs", "deploy", r"\.ci")
PATH = re.compile(rf"(?<![\w/.-])(?:{'|'.join(FOLDERS)})/[\w./-]*\w")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def name_of(path: Path) -> str:
    """Return a path as the documents write it."""
    return str(path.relative_to(ROOT))


def imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield module and name of what a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", each.name) for each in node.names)
        elif isinstance(node, ast.Import):
            yield from ((each.name, "") for each in node.names)


def private_reaches(tree: ast.Module) -> Iterator[str]:
    """Yield the private attributes of others that a module names."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr.startswith("_")
            and not node.attr.startswith("__")
            and node.attr not in NAMED_TUPLE
            and ast.unparse(node.value) not in ("self", "cls", "super()")
        ):
            yield f"line {node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("attr"):
            for each in node.args[1:2]:
                if isinstance(each, ast.Constant) and str(each.value).startswith("_"):
                    yield f"line {node.lineno}: {ast.unparse(node)}"


def faults_of(path: Path) -> Iterator[str]:
    """Yield what keeps a module of the tests from standing alone."""
    source = path.read_text()
    if source.count("\n") > LINES_AT_MOST:
        yield f"more than {LINES_AT_MOST} lines"
    own = ".".join(path.relative_to(ROOT).parent.parts)
    tree = ast.parse(source)
    for module, name in imports(tree):
        if module.startswith("tests"):
            is_a_test = re.search(r"\.(test_\w+|conftest)$", module)
            if is_a_test or not module.startswith(("tests.kit.", f"{own}.")):
                yield f"imports {module}"
        elif module.startswith(PACKAGES) and name.startswith("_"):
            yield f"imports {module}.{name}"
    if name_of(path) not in REACH_INSIDE:
        yield from private_reaches(tree)


@pytest.mark.timeout(120)
def test_a_test_stands_alone() -> None:
    """It can be read, moved and deleted without a look at the other ones.

    What two of them need is in ``tests/kit``, or in a module beside them that is no
    test. What is private to the product can change without a test that fails.
    """
    faults = [
        f"{name_of(path)}: {each}" for path in MODULES for each in faults_of(path)
    ]
    assert not faults, "\n".join(faults)


def test_every_path_in_a_document_exists() -> None:
    """Who follows a document finds what it speaks of."""
    missing = []
    for path in DOCUMENTS:
        text = path.read_text()
        named = {ROOT / each for each in PATH.findall(text)}
        named |= {path.parent / each for each in LINK.findall(text)}
        if path.name not in HISTORY:
            gone = sorted(name_of(each) for each in named if not exists(each))
            missing += [f"{name_of(path)}: {each}" for each in gone]
    assert not missing, "\n".join(missing)


# What `make page` makes, where there is npm.
BUILT = {ROOT / "clients/js-demo/dist"}


def exists(path: Path) -> bool:
    """Tell whether there is such a file or folder, or such a module, once built."""
    return path in BUILT or path.exists() or path.with_suffix(".py").exists()
