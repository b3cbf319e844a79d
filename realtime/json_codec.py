"""JSON as Socket.IO needs it: fast for what is valid, exact for what is not.

The module has the shape that python-socketio's ``json`` keyword expects.
"""

import json
import math
from typing import Any

import orjson

# A double holds up to 309 digits; what has more is infinite in JavaScript.
MAX_DIGITS = 400


def dumps(value: object, **_stock_options: object) -> str:
    """Encode ``value`` compactly.

    ``orjson.Fragment`` values (events that are already encoded) pass through
    untouched. Numbers that are not finite become null, as in JavaScript: a client that
    is sent ``Infinity`` gives the connection up. The options of the standard library's
    function are accepted and ignored: python-socketio passes ``separators``, and the
    output is compact anyway.

    Raises:
        TypeError: for what has no JSON form.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:
        # Integers beyond 64 bits and lone surrogates: valid for python-socketio's
        # users, refused by orjson.
        return json.dumps(_finite(value), separators=(",", ":"))


def loads(text: str | bytes) -> Any:
    """Decode one JSON document.

    ``JSON.stringify`` writes lone surrogates and JSON knows no limit of integers;
    orjson refuses the first. Such a document is decoded by the standard library, so
    that a schema can answer it with an error that names the field.

    Raises:
        ValueError: when it is not JSON, or nested deeper than the decoder goes.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return json.loads(
                text, parse_int=_whole_number, parse_constant=_no_constant
            )
        except RecursionError as error:
            raise ValueError("JSON nested too deeply") from error


def _finite(value: object) -> object:
    """Return the value with None for NaN and the infinities, as orjson writes them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value


def _no_constant(name: str) -> None:
    """Refuse NaN and the infinities, which the standard library takes for JSON."""
    raise ValueError(f"{name} is not JSON")


def _whole_number(digits: str) -> int | float:
    """Decode an integer; one beyond all bounds is infinite, as in JavaScript.

    Python refuses to convert thousands of digits, for that takes quadratic time.
    """
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)
