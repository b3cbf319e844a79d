"""What is wrong with settings that can be read, each for itself and together."""

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from realtime.moderation.words import parse_words
from realtime.node.from_settings import make_keys
from realtime.node.settings import Settings
from realtime.node.start_warnings import start_warnings
from realtime.ops.findings import Findings
from realtime.webhooks.registry import parse_file

# Time for an identity provider to give its keys.
FETCH_SECONDS: Final = 5.0


async def of_settings(settings: Settings) -> Findings:
    """Return what is wrong with settings."""
    found = Findings("settings")
    if settings.development and settings.force_development:
        found.error(
            "No key is set and CHATROOM_FORCE_DEVELOPMENT is: whoever reaches"
            f" {settings.host} may take any name; set CHATROOM_JWT_SECRET."
        )
    for text in start_warnings(settings):
        found.warning(text)
    try:
        _keys = make_keys(settings)
    except (ValueError, OSError) as error:
        found.error(f"{error}.")
    _look_at_files(settings, found)
    _look_at_machines(settings, found)
    if settings.jwks_url is not None:
        await _look_at_key_set(settings.jwks_url, found)
    return found


def _look_at_files(settings: Settings, found: Findings) -> None:
    readers: tuple[tuple[str, Path | None, Callable[[bytes], object]], ...] = (
        ("CHATROOM_WORDS_FILE", settings.words_file, parse_words),
        ("CHATROOM_HOOKS_FILE", settings.hooks_file, parse_file),
    )
    for name, path, read in readers:
        try:
            if path is not None:
                read(path.read_bytes())
        except (ValueError, OSError) as error:
            found.error(f"{name}: {error}.")
    page = settings.page_dir
    if page is not None and not (page / "index.html").is_file():
        found.warning(f"CHATROOM_PAGE_DIR: there is no index.html in {page}.")


def _look_at_machines(settings: Settings, found: Findings) -> None:
    """Look for what works on one machine only."""
    if settings.metrics_token is None and not _is_here(settings.host):
        found.warning(
            f"It listens on {settings.host} and CHATROOM_METRICS_TOKEN is not set: no"
            " Prometheus on another machine gets /metrics."
        )
    url = settings.redis_url
    if url is None:
        return
    place = urlsplit(url)
    if (
        place.scheme == "redis"
        and place.password is None
        and not _is_here(place.hostname)
    ):
        found.warning(
            f"Redis at {place.hostname} is asked without a password and without TLS:"
            " whoever is on the way may read all and speak for anyone."
        )
    if settings.images_url is None and not _is_here(place.hostname):
        found.warning(
            f"Redis is at {place.hostname} and images are in"
            f" {settings.data_dir / 'images'}: with nodes on several machines set"
            " CHATROOM_IMAGES_URL, or an image is 404 at all of them but one."
        )


def _is_here(host: str | None) -> bool:
    if host is None:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def _look_at_key_set(url: str, found: Findings) -> None:
    limit = aiohttp.ClientTimeout(total=FETCH_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit, trust_env=True) as http,
            http.get(url) as answer,
        ):
            answer.raise_for_status()
            told = await answer.json(content_type=None)
        if not (isinstance(told, dict) and told.get("keys")):
            found.error(f"CHATROOM_JWKS_URL: what is at {url} has no keys.")
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        why = str(error) or type(error).__name__
        found.error(
            f"CHATROOM_JWKS_URL: the key set cannot be fetched, so nobody can connect:"
            f" {why}."
        )
