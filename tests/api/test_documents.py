"""The documents of the interfaces: whole, valid, and as strict as the schemas are."""

import json
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from aiohttp import ClientSession
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from marshmallow import ValidationError

from handlers.api import asyncapi, openapi
from schemas.catalog import BROADCASTS, REQUESTS
from schemas.routes import PREFIX, ROUTES, Route
from tests.kit.javascript import require_node, run_program
from tests.kit.nodes import Node
from tests.kit.waiting import MS

OPENAPI: dict[str, Any] = json.loads(openapi.document())
WITH_BODY = [route for route in ROUTES if route.body_fields]
PARSER_SECONDS = 60_000 * MS
# What people, and who means no good, put into a field.
ODD = st.sampled_from(
    [
        *("", " ", "\n", "a\nb", "\tx", "\u200b", "\u202ex", "$crm", "ann", "a/b", "-"),
        *(
            "x" * 64,
            "x" * 65,
            "x" * 101,
            "x" * 128,
            "x" * 129,
            "x" * 201,
            "x" * 501,
            "é" * 4_000,
            "x" * 4_001,
            "👍",
        ),
        *("a" * 22, "member", "owner", "public", "text", "image", "system", "all"),
        *(0, 1, -1, 2**53 - 1, 2**53, True, False, None, [], {}, ["ann"], ["a", "a"]),
        *({"upload": "a" * 22}, {"upload": "a"}, {"upload": "a" * 22, "x": 1}),
        *([f"u{number}" for number in range(count)] for count in (50, 51, 100, 101)),
    ]
)
WORDS = st.text(string.printable + "é\u00ad\u3164\U000e0001", max_size=6)
VALUES = st.one_of(ODD, WORDS, st.integers(-2, 2**54), st.lists(WORDS, max_size=3))


def body_of(route: Route) -> dict[str, Any]:
    operation = OPENAPI["paths"][PREFIX + route.path][route.method.lower()]
    content = operation["requestBody"]["content"]
    found: dict[str, Any] = content["application/json"]["schema"]
    return found


def validity(schema: dict[str, Any]) -> Callable[[object], bool]:
    whole = {**schema, "components": OPENAPI["components"]}
    return jsonschema_rs.Draft202012Validator(whole).is_valid


def test_each_route_is_described() -> None:
    """By method and path, with every status that it may answer with."""
    described = {
        (method.upper(), path)
        for path, operations in OPENAPI["paths"].items()
        for method in operations
    }
    assert described == {(each.method, PREFIX + each.path) for each in ROUTES}
    for schema in OPENAPI["components"]["schemas"].values():
        jsonschema_rs.meta.validate(schema)


@pytest.mark.parametrize(
    "route", WITH_BODY, ids=lambda each: f"{each.method} {each.path}"
)
def test_the_document_is_as_strict_as_the_schemas(route: Route) -> None:
    """What it allows is loaded, and what is loaded it allows, once it is trimmed."""
    payload = type(route.asked.payload)(only=route.body_fields)
    is_valid = validity(body_of(route))
    field = st.sampled_from([*route.body_fields, "other"])

    @settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
    @given(st.dictionaries(field, VALUES, max_size=4))
    def agree(body: dict[str, Any]) -> None:
        try:
            loaded = payload.load(body)
        except ValidationError:
            loaded = None
        needs = route.needs - body.keys()
        if is_valid(body):
            assert loaded is not None, body
        elif loaded is not None and not needs and body:
            trimmed = {name: loaded[name] for name in body}
            if "image" in trimmed:
                trimmed["image"] = body["image"]
            assert is_valid(trimmed), body

    agree()


@pytest.mark.long
@pytest.mark.timeout(90)
async def test_the_asyncapi_document_is_valid(tmp_path: Path) -> None:
    """By the parser of AsyncAPI itself; each event is in it."""
    require_node()
    path = tmp_path / "asyncapi.json"
    path.write_bytes(asyncapi.document())
    script = Path(__file__).parent / "asyncapi.mjs"
    async with run_program(script, str(path)) as program:
        assert await program.ended(PARSER_SECONDS) == 0, program.errors
    assert program.all("wrong") == []
    operations = set(program.last("read")["operations"])
    assert operations == {*REQUESTS, *(f"on_{name}" for name in BROADCASTS)}


async def test_they_are_served_to_anybody(
    nodes: list[Node], http: ClientSession
) -> None:
    """As JSON, without a token."""
    for name, made in (("openapi", openapi), ("asyncapi", asyncapi)):
        async with http.get(f"{nodes[0].url}/api/{name}.json") as answer:
            assert answer.content_type == "application/json"
            assert await answer.read() == made.document()
