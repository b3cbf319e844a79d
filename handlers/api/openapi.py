"""The OpenAPI 3.1 document of the API, made of the routes and the schemas."""

from functools import cache
from typing import Any, Final

import orjson

from handlers.api.caller import USER_HEADER
from handlers.api.job_requests import LINES_TYPE
from handlers.api.pages import is_page
from handlers.api.payload import KEY_CHARACTERS, KEY_HEADER
from handlers.api.problems import CODES, CONTENT_TYPE
from handlers.api.uploads import PART
from schemas.field_types import IDENTIFIER_PATTERN, USER_ID_CHARACTERS
from schemas.json_schema import Components, Json
from schemas.routes import PREFIX, ROUTES, Route

_TITLE: Final = "Chatroom HTTP API"
_ABOUT: Final = (
    "What a backend, or a user's own program, asks over HTTP: by the same rules as over"
    " a socket. A user shows a JSON Web Token, a backend an API key."
)
_PROBLEM: Final = "Problem"
_RETRY: Final = {
    "Retry-After": {
        "description": "Seconds after which to ask again.",
        "schema": {"type": "integer", "minimum": 1},
    }
}
_RATES: Final = {
    "RateLimit": {
        "description": "What is left of a rate, where little is.",
        "schema": {"type": "string"},
    },
    "RateLimit-Policy": {
        "description": "The rate that `RateLimit` is about.",
        "schema": {"type": "string"},
    },
}


@cache
def document() -> bytes:
    """Return the document, JSON."""
    components = Components(_TITLE)
    components.spec.components.schemas[_PROBLEM] = _problem()
    paths: dict[str, Json] = {}
    for route in ROUTES:
        path = paths.setdefault(PREFIX + route.path, {})
        path[route.method.lower()] = _operation(components, route)
    return orjson.dumps(
        {
            "openapi": "3.1.0",
            "info": {"title": _TITLE, "version": "1", "description": _ABOUT},
            # From where the document is: a proxy may have another path for all.
            "servers": [{"url": ".."}],
            "security": [{"bearer": []}],
            "paths": paths,
            "components": {
                "schemas": dict(components.schemas),
                "responses": _refusals(),
                "securitySchemes": {
                    "bearer": {
                        "type": "http",
                        "scheme": "bearer",
                        "description": "A user's JSON Web Token, or an API key `ck_…`.",
                    }
                },
            },
        }
    )


def _operation(components: Components, route: Route) -> Json:
    scope = "users only" if route.scope is None else f"scope `{route.scope}`"
    needed = "any key" if route.any_key else scope
    if route.for_keys:
        needed += ", API keys only"
    operation: Json = {
        "operationId": f"{route.method.lower()}_{_words(route.path)}",
        "summary": route.summary,
        "description": f"Carries out `{route.request}`; {needed}.",
        "tags": [route.path.split("/")[1]],
        "parameters": [*_parameters(components, route)],
        "responses": _responses(components, route),
    }
    if route.is_upload:
        part = {"type": "string", "contentMediaType": "application/octet-stream"}
        form = {"type": "object", "required": [PART], "properties": {PART: part}}
        content = {"multipart/form-data": {"schema": form}}
        operation["requestBody"] = {"required": True, "content": content}
    if route.has_body:
        body = _body(components, route)
        operation["requestBody"] = {
            "required": bool(body.get("required") or "oneOf" in body),
            "content": {"application/json": {"schema": body}},
        }
    return operation


def _words(path: str) -> str:
    return path.strip("/").replace("{", "").replace("}", "").replace("/", "_")


def _parameters(components: Components, route: Route) -> list[Json]:
    known = route.asked.payload.fields
    found = []
    for name in route.path_fields:
        field = known[route.lists.get(name, name)]
        schema = components.of_field(field)
        if name in route.lists:
            schema = schema["items"]
        found.append({"name": name, "in": "path", "required": True, "schema": schema})
    found += [
        {
            "name": name,
            "in": "query",
            "required": known[name].required,
            "schema": components.of_field(known[name]),
        }
        for name in route.query
    ]
    if route.is_idempotent:
        found.append(
            {
                "name": KEY_HEADER,
                "in": "header",
                "description": "The same for a repeat; keys must send it.",
                "required": False,
                "schema": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": KEY_CHARACTERS,
                },
            }
        )
    found.append(
        {
            "name": USER_HEADER,
            "in": "header",
            "description": "The user as whom a key with the scope `users:act` asks.",
            "required": False,
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": USER_ID_CHARACTERS,
            },
        }
    )
    return found


def _body(components: Components, route: Route) -> Json:
    """Return the schema of a body: what of the payload stands nowhere else."""
    payload = type(route.asked.payload)
    body = components.describe(payload(only=route.body_fields))
    needed = [*body.get("required", []), *sorted(route.needs)]
    return {**body, "required": needed} if needed else body


def _responses(components: Components, route: Route) -> Json:
    ack = type(route.asked.ack)
    schema = components.add(ack.__name__, ack(exclude=("ok",)))
    content: Json = {"application/json": {"schema": schema}}
    if route.is_download:
        content = {LINES_TYPE: {"schema": {"type": "string"}}}
    found: Json = {str(route.created): {"description": "Done.", "content": content}}
    if route.created != 200:
        found["200"] = {"description": "Done before.", "content": content}
    if route.is_idempotent:
        found["200"] = {
            **found.get("200", {"description": "Done.", "content": content}),
            "headers": {
                "Idempotent-Replayed": {
                    "description": "`true` if this is the first answer again.",
                    "schema": {"const": "true"},
                }
            },
        }
    if is_page(route.request):
        found["200"]["headers"] = {
            "Link": {
                "description": 'The next page, `rel="next"`, where there is one.',
                "schema": {"type": "string"},
            }
        }
    return found | {str(each): _response(each) for each in CODES}


def _response(status: int) -> Json:
    return {"$ref": f"#/components/responses/{status}"}


def _refusals() -> Json:
    """Return the answers that are problems, by status."""
    found: Json = {}
    for status, codes in CODES.items():
        schema = {"$ref": f"#/components/schemas/{_PROBLEM}"}
        found[str(status)] = {
            "description": ", ".join(f"`{code}`" for code in codes),
            "content": {CONTENT_TYPE: {"schema": schema}},
        }
    for status in (429, 503, 504):
        found[str(status)]["headers"] = _RETRY | (_RATES if status == 429 else {})
    return found


def _problem() -> dict[str, Any]:
    """Return the schema of a problem, RFC 9457."""
    codes = sorted({code for each in CODES.values() for code in each})
    whole = {"type": "integer", "minimum": 0}
    return {
        "type": "object",
        "required": ["type", "title", "status", "detail", "code", "temporary"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer", "enum": sorted(CODES)},
            "detail": {"type": "string", "description": "For the person who reads it."},
            "code": {"type": "string", "enum": codes},
            "temporary": {
                "type": "boolean",
                "description": "Whether the same request may succeed later.",
            },
            "fields": {
                "type": "object",
                "description": "What is wrong, by field.",
                "additionalProperties": {
                    "type": "array",
                    "items": {"type": "string"},
                },
            },
            "reason": {"type": "string", "pattern": f"^{IDENTIFIER_PATTERN.pattern}$"},
            "retryAfter": {**whole, "description": "Milliseconds."},
            "violated-policies": {
                "type": "array",
                "description": "The rates that were met.",
                "items": {"type": "string"},
            },
            "until": {**whole, "description": "Unix milliseconds."},
        },
    }
