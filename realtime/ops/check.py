"""``chatroom check``: what is wrong with a deployment, a sentence each."""

import asyncio
import json
from collections.abc import Callable, Mapping

from realtime.node.settings_io import SettingsError, load_settings
from realtime.ops.findings import Finding, Findings, Level, worst_first
from realtime.ops.redis_checks import of_redis
from realtime.ops.server_checks import of_server
from realtime.ops.settings_checks import of_settings
from realtime.ops.system_checks import System, of_system


async def look(
    environ: Mapping[str, str],
    flags: Mapping[str, str],
    *,
    url: str | None,
    system: System,
) -> list[Finding]:
    """Return what is wrong, the worst first.

    Args:
        environ: Environment variables, of the nodes.
        flags: Settings that were given on the command line.
        url: Where clients see the server; None: it is not asked.
        system: The machine.
    """
    try:
        settings = load_settings(environ, flags)
    except SettingsError as error:
        wrong = Findings("settings")
        for problem in error.problems:
            wrong.error(problem)
        return list(wrong)
    asked = [of_settings(settings), of_redis(settings)]
    if url is not None:
        asked.append(of_server(url))
    found = [*of_system(settings, system)]
    for each in await asyncio.gather(*asked):
        found += each
    return worst_first(found)


def is_well(found: list[Finding], *, strict: bool) -> bool:
    """Tell whether a server may start so.

    Args:
        found: What is wrong.
        strict: Whether warnings count.
    """
    bad = (Level.ERROR, Level.WARNING) if strict else (Level.ERROR,)
    return not any(each.level in bad for each in found)


def say(found: list[Finding], tell: Callable[[str], None], *, as_json: bool) -> None:
    """Tell what is wrong.

    Args:
        found: It.
        tell: Takes a line.
        as_json: One object for all, for programs.
    """
    if as_json:
        tell(json.dumps({"findings": [each._asdict() for each in found]}, indent=1))
        return
    for each in found:
        tell(f"{each.level}: {each.about}: {each.text}")
    counts = {level: sum(each.level == level for each in found) for level in Level}
    if any(counts.values()):
        tell(", ".join(f"{count} {level}s" for level, count in counts.items() if count))
    else:
        tell("Nothing is wrong.")
