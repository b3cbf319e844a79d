"""The names of metrics: those that nodes tell, and those that others ask for."""

import re
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "metrics.md"
# A worker among others tells these of all of them.
OF_WORKERS = ROOT / "realtime" / "workers" / "company.py"
# Of Prometheus itself, and of its exporters that the runbook names.
OF_OTHERS = frozenset({"up", "probe_ssl_earliest_cert_expiry"})

_ROW = re.compile(r"^\| `(chatroom_\w+?)(?:\{([\w,]+)\})?` \| (\w+) \|", re.MULTILINE)
_TYPE = re.compile(r"^# TYPE (\w+) (\w+)$", re.MULTILINE)
_SERIES = re.compile(r"(?<![\w\"'.$])([a-z]\w*_\w+|up)(?=\{|\[| |\)|$)")
# What PromQL itself has.
_WORDS = re.compile(
    r"\b(?:by|without|on|ignoring|group_left|group_right) ?\([\w, ]*\)"
    r"|\{[^}]*\}|\"[^\"]*\"|\[[^\]]*\]"
)
_FUNCTION = re.compile(r"\b\w+(?=\()")


def families(text: bytes) -> dict[str, str]:
    """Return the families of Prometheus's text format, and their kinds."""
    return dict(_TYPE.findall(text.decode()))


def documented() -> dict[str, str]:
    """Return the metrics of ``docs/metrics.md``, and their kinds."""
    return {name: kind for name, _labels, kind in _ROW.findall(PAGE.read_text())}


def asked_for(query: str) -> set[str]:
    """Return the names of the families that a query reads, as the page has them."""
    bare = _FUNCTION.sub(" ", _WORDS.sub(" ", query))
    found = set(_SERIES.findall(bare + " "))
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in found}


def unknown(queries: Iterable[str]) -> set[str]:
    """Return the names in queries that are nobody's."""
    known = {*documented(), *OF_OTHERS}
    return {
        name
        for query in queries
        for name in asked_for(query)
        if name not in known and not name.startswith(("process_", "python_"))
    }
