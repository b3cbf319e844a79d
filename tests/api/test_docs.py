"""The page of the API has every route and every status."""

import re
from pathlib import Path

from handlers.api.problems import CODES
from schemas.routes import PREFIX, ROUTES, Scope

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def test_each_route_has_its_row() -> None:
    """By method and path, with the request that it carries out and its scope."""
    for route in ROUTES:
        rows = [
            line
            for line in PAGE.splitlines()
            if re.match(
                re.escape(f"| `{route.method} {PREFIX}{route.path}") + "[`?]", line
            )
        ]
        assert len(rows) == 1, route
        assert f"`{route.request}`" in rows[0]
        scope = f"`{route.scope}`" if route.scope else "–"
        scope += " (any key)" if route.any_key else ""
        assert rows[0].rstrip("| ").endswith(scope), route


def test_each_status_and_scope_is_told() -> None:
    """What may come is in the tables."""
    for status, codes in CODES.items():
        for code in codes:
            (row,) = [
                line
                for line in PAGE.splitlines()
                if line[:1] == "|" and f"`{code}`" in line[:50]
            ]
            assert str(status) in row.split("|")[1], code
    for scope in Scope:
        assert f"`{scope}`" in PAGE, scope
