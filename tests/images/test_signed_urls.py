"""Addresses of images: signed, expiring, renewed for free."""

import json
import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.errors import ForbiddenError
from realtime.images.signed_urls import ImageLinks
from tests.kit.clock import Clock

NAME = "ab" * 32 + ".png"
VALID_SECONDS = 3600


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def links(clock: Clock) -> ImageLinks:
    return ImageLinks(b"s" * 32, valid_seconds=VALID_SECONDS, clock=clock)


def parts(url: str) -> tuple[str, str, str]:
    """Return an address's name, expires and signature."""
    path, _, query = url.partition("?")
    given = dict(part.split("=", 1) for part in query.split("&"))
    return path.removeprefix("/images/"), given["expires"], given["signature"]


def test_an_address_is_valid_for_its_time(links: ImageLinks, clock: Clock) -> None:
    """Between three quarters of the setting and the whole of it, then no longer."""
    made = parts(links.address(NAME))
    left = links.check(*made)
    assert VALID_SECONDS * 3 / 4 <= left <= VALID_SECONDS
    clock.now += left - 1
    assert links.check(*made) == 1
    clock.now += 1
    with pytest.raises(ForbiddenError, match="expired"):
        links.check(*made)


def test_an_address_stays_the_same_for_a_while(links: ImageLinks, clock: Clock) -> None:
    """Browsers cache by address: a page that asks again gets the same one."""
    first = links.address(NAME)
    clock.now += 1
    assert links.address(NAME) == first
    clock.now += VALID_SECONDS / 2
    assert links.address(NAME) != first


def test_a_changed_address_is_forged(links: ImageLinks) -> None:
    """No part can be changed, left out, or taken from another address."""
    name, expires, signature = parts(links.address(NAME))
    other = parts(links.address("cd" * 32 + ".png"))
    for forged in (
        (other[0], expires, signature),
        (name.replace(".png", ".gif"), expires, signature),
        (name, str(int(expires) + 1), signature),
        (name, "0" + expires, signature),
        (name, "", signature),
        (name, expires, ""),
        (name, expires, signature[:-1]),
        (name, expires, signature + "="),
        (name, expires, other[2]),
        (name, expires, "é\ud83d"),
        (name, "9" * 500, signature),
        (name, "\ud83d", signature),
    ):
        with pytest.raises(ForbiddenError, match="not made here"):
            links.check(*forged)


def test_another_secret_makes_other_addresses(links: ImageLinks) -> None:
    """Addresses of one installation are worth nothing at another."""
    stranger = ImageLinks(b"t" * 32, valid_seconds=VALID_SECONDS)
    with pytest.raises(ForbiddenError):
        links.check(*parts(stranger.address(NAME)))
    with pytest.raises(ValueError, match="32 bytes"):
        ImageLinks(b"short", valid_seconds=VALID_SECONDS)


def message(url: str, **members: object) -> dict[str, object]:
    image = {"url": url, "mime": "image/png", "size": 1, "width": 1, "height": 1}
    return {"message": 1, "type": "image", "image": image, **members}


def test_old_messages_get_fresh_addresses(links: ImageLinks, clock: Clock) -> None:
    """A message of last year is read with an address that works today."""
    old = links.address(NAME)
    caption = 'caption "url":"/images/x"'
    event = ["message", message(old, text=caption)]
    clock.now += 365 * 24 * 3600
    for raw in (orjson.dumps(event), json.dumps(event, separators=(",", ":")).encode()):
        renewed = orjson.loads(links.resign(raw))
        assert renewed == ["message", message(links.address(NAME), text=caption)]
        links.check(*parts(renewed[1]["image"]["url"]))


def test_slashes_may_be_escaped(links: ImageLinks, clock: Clock) -> None:
    r"""Lua's JSON writes ``\/``; the address is found all the same."""
    raw = orjson.dumps(message(links.address(NAME))).replace(b"/", b"\\/")
    clock.now += VALID_SECONDS
    renewed = orjson.loads(links.resign(raw))
    assert renewed["image"]["url"] == links.address(NAME)


@given(text=st.text(max_size=50))
def test_no_text_passes_for_an_address(text: str) -> None:
    """Whatever people write is left alone: quotation marks in JSON are escaped."""
    links = ImageLinks(b"s" * 32, valid_seconds=VALID_SECONDS)
    genuine = links.address(NAME).replace("expires=1", "expires=2")
    said = f'"type":"image" "url":"{genuine}" {text}'
    raw = orjson.dumps({"type": "text", "text": said})
    assert links.resign(raw) == raw
    raw = orjson.dumps(message("/elsewhere.png", text=said))
    assert links.resign(raw) == raw


def test_what_is_no_image_costs_next_to_nothing(links: ImageLinks) -> None:
    """A page of texts passes in microseconds, not in parses."""
    raw = orjson.dumps({"type": "text", "text": "x" * 4000})

    def seconds() -> float:
        began = time.perf_counter()
        for _ in range(1000):
            assert links.resign(raw) is raw
        return time.perf_counter() - began

    # The machine may have been busy with something else, but not each time.
    assert min(seconds() for _ in range(10)) < 0.1
