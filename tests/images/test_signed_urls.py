"""Addresses of images: signed and expiring."""

import pytest

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
    return ImageLinks(lambda: b"s" * 32, valid_seconds=VALID_SECONDS, clock=clock)


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
    stranger = ImageLinks(lambda: b"t" * 32, valid_seconds=VALID_SECONDS)
    with pytest.raises(ForbiddenError):
        links.check(*parts(stranger.address(NAME)))
