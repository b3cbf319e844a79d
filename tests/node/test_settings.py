"""Settings: read from variables and flags, wrong ones all named at once."""

from pathlib import Path

import pytest

from chat_client.arguments import TOKEN_VARIABLE
from realtime.node.settings import Settings, options
from realtime.node.settings_io import (
    SettingsError,
    describe,
    load_settings,
)

SECRET = "a-secret-of-at-least-32-characters"
DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"


def _problems(variables: dict[str, str], flags: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as raised:
        load_settings(variables, flags)
    return str(raised.value)


def test_nothing_set_gives_the_defaults() -> None:
    """A newcomer sets nothing; other programs' variables do not matter."""
    assert load_settings({"HOME": "/somewhere", "PORT": "x"}) == Settings()


def test_an_empty_variable_counts_as_not_set() -> None:
    """``CHATROOM_PORT= make run`` is no error."""
    assert load_settings({"CHATROOM_PORT": ""}).port == Settings().port


def test_the_variable_of_the_client_is_no_setting_and_no_problem() -> None:
    """Who exported a token to chat runs the other commands in the same shell."""
    assert load_settings({TOKEN_VARIABLE: "x"}) == Settings()
    assert f"Did you mean {TOKEN_VARIABLE}?" in _problems({"CHATROOM_TOKN": "x"})


def test_flags_win_over_variables() -> None:
    """What is typed now is meant more than what was exported before."""
    settings = load_settings({"CHATROOM_PORT": "7000"}, {"port": "8000"})

    assert settings.port == 8000


def test_texts_become_typed_values() -> None:
    """Numbers, lists, booleans and paths arrive as such."""
    settings = load_settings(
        {
            "CHATROOM_PING_TIMEOUT_SECONDS": "0.5",
            "CHATROOM_ALLOWED_ORIGINS": "https://a.example, capacitor://localhost",
            "CHATROOM_REQUIRE_EXP": "true",
            "CHATROOM_DATA_DIR": "~/chat",
        }
    )

    assert settings.ping_timeout_seconds == 0.5
    assert settings.allowed_origins == ("https://a.example", "capacitor://localhost")
    assert settings.require_exp is True
    assert settings.data_dir == Path.home() / "chat"


def test_every_problem_is_named_at_once() -> None:
    """An operator repairs all of them in one go, whatever their kind."""
    text = _problems(
        {
            "CHATROOM_PORT": "70000",
            "CHATROOM_PING_INTERVAL_SECONDS": "0",
            "CHATROOM_REDIS_URL": "http://example",
            "CHATROOM_JWT_PUBLIC_KEY_FILE": "/no/such/file.pem",
            "CHATROOM_JWKS_URL": "https://keys.example/jwks.json",
            "CHATROOM_HISTROY_MESSAGES": "5",
            "CHATROOM_DURABILITY": "replica:1",
            "CHATROOM_ALLOWED_ORIGINS": "https://chat.example/",
            # Like a folder that this user may not look into, which root always may.
            "CHATROOM_PAGE_DIR": "/" + "x" * 300,
            "CHATROOM_RATES": "sends=1/1",
            "CHATROOM_TRUSTED_PROXIES": "10.0.0.0/99",
            "CHATROOM_HOOK_URL": "http://hook.example/",
            "CHATROOM_HOOK_ALLOW": "none",
            "CHATROOM_WORDS_FILE": "/no/such/list",
        },
        {"log_level": "loud"},
    )

    for expected in (
        "CHATROOM_PORT: Must be",
        "CHATROOM_PING_INTERVAL_SECONDS: Must be greater than 0",
        "CHATROOM_REDIS_URL: Not usable",
        "CHATROOM_JWT_PUBLIC_KEY_FILE: There is no such file",
        "CHATROOM_JWT_PUBLIC_KEY_FILE: Only one key may be set",
        "CHATROOM_HISTROY_MESSAGES: There is no such setting."
        " Did you mean CHATROOM_HISTORY_MESSAGES?",
        "--log-level: Must be one of",
        "CHATROOM_ALLOWED_ORIGINS: 'https://chat.example/' is no origin: scheme://host",
        "CHATROOM_DURABILITY: Must be memory, fsync or replicas:N",
        "CHATROOM_PAGE_DIR: It cannot be read: File name too long",
        "CHATROOM_RATES: Not usable: ",
        "CHATROOM_TRUSTED_PROXIES: Not usable: ",
        "CHATROOM_HOOK_URL: It must be https, or in CHATROOM_HOOK_ALLOW",
        "CHATROOM_HOOK_SECRET: CHATROOM_HOOK_URL is set",
        "CHATROOM_WORDS_FILE: There is no such file",
    ):
        assert expected in text


def test_without_a_key_only_loopback_is_served() -> None:
    """Development mode believes any name, so it is not offered to a network."""
    for host in ("0.0.0.0", "::", "192.168.0.1", "chat.example"):
        assert "CHATROOM_FORCE_DEVELOPMENT" in _problems({"CHATROOM_HOST": host})
    for host in ("127.0.0.1", "::1", "localhost"):
        assert load_settings({"CHATROOM_HOST": host}).development


def test_paths_and_names_are_taken_in_the_form_that_is_used() -> None:
    """A slash at the end, capitals and blanks are no mistake; what cannot be is one."""
    settings = load_settings(
        {
            "CHATROOM_PUBLIC_PATH": "/apps/chat/",
            "CHATROOM_ALLOWED_HOSTS": "Chat.lan, node_1",
            "CHATROOM_ALLOWED_ORIGINS": "https://x.example:443, https://*.Example.org",
        }
    )
    assert settings.public_path == "/apps/chat"
    assert settings.allowed_hosts == ("chat.lan", "node_1")
    assert settings.allowed_origins == ("https://x.example", "https://*.example.org")
    assert load_settings({"CHATROOM_PUBLIC_PATH": "/"}).public_path == ""
    for path in ("chat", "/a//b", "/../a", "/a b", "/a?b", "https://x.example/chat"):
        assert "is no path" in _problems({"CHATROOM_PUBLIC_PATH": path})
    for name in ("http://x", "x:5000", "x/", "[::1]"):
        assert "is no host name" in _problems({"CHATROOM_ALLOWED_HOSTS": name})


def test_a_key_or_force_opens_the_server_to_the_network() -> None:
    """With a key names are proven; with force the operator has decided."""
    public = {"CHATROOM_HOST": "0.0.0.0"}

    assert not load_settings({**public, "CHATROOM_JWT_SECRET": SECRET}).development
    assert load_settings({**public, "CHATROOM_FORCE_DEVELOPMENT": "1"}).development


def test_secrets_are_never_shown() -> None:
    """Neither the listing nor a problem repeats a secret."""
    secrets = {
        "CHATROOM_JWT_SECRET": SECRET,
        "CHATROOM_IMAGE_URL_SECRET": SECRET + "2",
        "CHATROOM_REDIS_URL": "rediss://chat:pass-word@redis.example:6390/1",
        "CHATROOM_HOOK_URL": "https://hook.example/?key=pass-word",
        "CHATROOM_HOOK_SECRET": "whsec_" + "QUJD" * 10,
    }
    shown = {each.variable: each.value for each in describe(load_settings(secrets))}
    assert shown["CHATROOM_JWT_SECRET"] == "***"
    assert shown["CHATROOM_IMAGE_URL_SECRET"] == "***"
    assert shown["CHATROOM_HOOK_URL"] == "***"
    assert shown["CHATROOM_HOOK_SECRET"] == "***"
    assert shown["CHATROOM_REDIS_URL"] == "rediss://chat:***@redis.example:6390/1"

    for url in (
        "unix://chat@/run/valkey.sock?password=pass-word&db=1",
        "redis+sentinel://s1,s2/0/main?sentinel_password=pass-word",
    ):
        listed = describe(load_settings({"CHATROOM_REDIS_URL": url}))
        assert "pass-word" not in str(listed)

    wrong = {
        "CHATROOM_JWT_SECRET": "too-short",
        "CHATROOM_REDIS_URL": "redis://:pass-word@redis.example:port",
        "CHATROOM_HOOK_URL": "hook.example/?key=pass-word",
        "CHATROOM_HOOK_SECRET": "too-short",
    }
    text = _problems(wrong)
    assert "too-short" not in text
    assert "pass-word" not in text


@pytest.mark.parametrize("end", ["\n", "\r\n", " "])
def test_a_line_end_behind_a_value_is_no_part_of_it(end: str) -> None:
    """Files and ``echo`` end in one: every token would be refused without a hint."""
    settings = load_settings(
        {
            "CHATROOM_JWT_ISSUER": f"https://id.example/{end}",
            "CHATROOM_JWT_AUDIENCE": f"chat{end}",
            "CHATROOM_JWKS_URL": f"https://id.example/jwks.json{end}",
            "CHATROOM_REDIS_URL": f"redis://127.0.0.1:6379/0{end}",
            "CHATROOM_PORT": f"7000{end}",
        }
    )

    assert settings.jwt_issuer == "https://id.example/"
    assert settings.jwt_audience == "chat"
    assert settings.jwks_url == "https://id.example/jwks.json"
    assert settings.redis_url == "redis://127.0.0.1:6379/0"
    assert settings.port == 7000


@pytest.mark.parametrize("name", ["JWT_SECRET", "IMAGE_URL_SECRET", "METRICS_TOKEN"])
def test_a_line_end_behind_a_secret_is_named(name: str) -> None:
    """Whoever else reads the secret may count it in, so nobody can guess what to do."""
    text = _problems({f"CHATROOM_{name}": SECRET + "\n"})

    assert f"CHATROOM_{name}: It begins or ends with a line end" in text
    assert SECRET not in text


def test_every_setting_says_what_it_is() -> None:
    """Each has a sentence, and times and sizes carry their unit in the name."""
    for each in options():
        assert each.doc.endswith("."), each.variable
        if isinstance(each.default, float):
            assert each.name.endswith("_seconds"), each.variable
