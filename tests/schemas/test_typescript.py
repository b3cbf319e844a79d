"""The TypeScript types are those of the catalogue, and a strict compiler takes them."""

from pathlib import Path

import pytest
from marshmallow import fields

from schemas.base import StrictSchema
from schemas.typescript import declarations

FILE = Path(__file__).parents[2] / "clients/chat-client/src/wire.ts"


def test_the_types_are_not_stale() -> None:
    """``make types`` writes them anew."""
    assert FILE.read_text(encoding="utf-8") == declarations()


def test_a_field_of_another_kind_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never written as something that it is not."""

    class Odd(StrictSchema):
        """A payload with a field of marshmallow's own."""

        when = fields.DateTime()

    monkeypatch.setattr("schemas.typescript.acks.ErrorAck", Odd)
    with pytest.raises(TypeError, match="DateTime"):
        declarations()
