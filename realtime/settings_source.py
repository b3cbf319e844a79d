"""Reads the settings from the environment and the command line's flags."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from marshmallow import Schema, ValidationError

from realtime.settings import Option, Settings, options
from realtime.settings_parsers import mask_url
from realtime.start_error import StartError

PREFIX = "CHATROOM_"
KEY_SOURCES = ("jwt_secret", "jwt_public_key_file", "jwks_url")


class SettingsError(StartError):
    """Some settings are wrong; the text lists every problem, one a line."""

    def __init__(self, problems: list[str]) -> None:
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"The settings are wrong:{lines}")
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Described:
    """One setting as it may be shown: secrets are masked."""

    variable: str
    value: str
    default: str
    is_set: bool
    doc: str


def load_settings(
    environ: Mapping[str, str], flags: Mapping[str, str] | None = None
) -> Settings:
    """Return the settings of these variables; flags win over them.

    Args:
        environ: Environment variables. An empty value counts as not set; a variable
            with our prefix that is no setting is a problem, for a typing error in
            the name of a key would leave the server open.
        flags: Field name to text, as given on the command line.

    Raises:
        SettingsError: with every problem at once.
    """
    table = {each.variable: each for each in options()}
    given = {
        name: value
        for name, value in environ.items()
        if name.startswith(PREFIX) and value != ""
    }
    for name, value in (flags or {}).items():
        given[PREFIX + name.upper()] = value
    problems = [
        _unknown(name, list(table)) for name in sorted(given) if name not in table
    ]
    schema = Schema.from_dict({name: each.parser for name, each in table.items()})
    try:
        parsed = schema().load({name: given[name] for name in given if name in table})
    except ValidationError as error:
        problems += [
            f"{name}: {_joined(said)}" for name, said in error.messages_dict.items()
        ]
        raise SettingsError(problems) from None
    values = {table[name].name: value for name, value in parsed.items()}
    problems += _contradictions(values)
    if problems:
        raise SettingsError(problems)
    return Settings(**values)


def describe(settings: Settings) -> list[Described]:
    """Return all settings with their values, fit to be shown to anyone."""
    return [
        Described(
            variable=each.variable,
            value=_shown(each, getattr(settings, each.name)),
            default=_shown(each, each.default),
            is_set=getattr(settings, each.name) != each.default,
            doc=each.doc,
        )
        for each in options()
    ]


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"{name}: There is no such setting.{hint}"


def _joined(said: object) -> str:
    return " ".join(map(str, said)) if isinstance(said, list) else str(said)


def _contradictions(values: Mapping[str, object]) -> list[str]:
    """Return what is wrong with settings that are right one by one."""
    problems = []
    keys = [PREFIX + name.upper() for name in KEY_SOURCES if values.get(name)]
    if len(keys) > 1:
        problems.append(f"{keys[0]}: Only one key may be set; so is {keys[1]}.")
    if values.get("force_development") and keys:
        problems.append(
            f"{PREFIX}FORCE_DEVELOPMENT: Has no meaning where {keys[0]} is set."
        )
    return problems


def _shown(each: Option, value: object) -> str:
    if value is None or value == ():
        return ""
    if each.name == "redis_url":
        return mask_url(str(value))
    if each.secret:
        return "***"
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)
