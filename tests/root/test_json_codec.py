"""JSON as clients in every language can read it."""

import json

import pytest

from realtime import json_codec


@pytest.mark.parametrize("beside", ["1", "99999999999999999999999", '"\\ud800"'])
@pytest.mark.parametrize("number", ["1e400", "-1e400", "9" * 500])
def test_a_number_without_end_is_null(number: str, beside: str) -> None:
    """A client's huge number never reaches others as what their parsers refuse."""
    said = json_codec.loads(f'["news",{{"at":[{number}]}},{beside}]')
    heard = json_codec.dumps(said)
    assert json.loads(heard, parse_constant=pytest.fail) == [
        "news",
        {"at": [None]},
        json.loads(beside),
    ]


def test_a_bottomless_text_is_refused_as_any_other_that_is_no_json() -> None:
    """It costs a client its connection, and nobody else anything."""
    with pytest.raises(ValueError, match="nested too deeply"):
        json_codec.loads("[" * 100_000 + "1e999" + "]" * 100_000)
