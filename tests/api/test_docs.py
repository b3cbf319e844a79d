"""The page of the API has every route and every status."""

from pathlib import Path

from handlers.api.problems import STATUS
from schemas.routes import PREFIX, ROUTES, Scope

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def test_each_route_has_its_row() -> None:
    """By method and path, with the request that it carries out and its scope."""
    for route in ROUTES:
        rows = [
            line
            for line in PAGE.splitlines()
            if line.startswith(f"| `{route.method} {PREFIX}{route.path}")
        ]
        assert len(rows) == 1, route
        assert f"`{route.request}`" in rows[0]
        scope = f"`{route.scope}`" if route.scope else "–"
        assert rows[0].rstrip("| ").endswith(scope), route


def test_each_status_and_scope_is_told() -> None:
    """What may come is in the tables."""
    told = {"invalid", "unauthorized", "forbidden", "not_found", "too_large"}
    told |= {"rate_limited", "internal", "unavailable", "unknown"}
    for code in told:
        assert f"| {STATUS[code]}" in PAGE, code
        assert f"`{code}`" in PAGE, code
    for scope in Scope:
        assert f"`{scope}`" in PAGE, scope
