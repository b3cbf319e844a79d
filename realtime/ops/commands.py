"""Runs the commands for operators."""

import argparse
import asyncio
import os
from collections.abc import Callable, Mapping

from realtime.node.settings import Settings
from realtime.node.settings_io import load_settings
from realtime.ops import check
from realtime.ops.backup import backup, restore
from realtime.ops.system_checks import System
from realtime.ops.tail import tail
from realtime.ops.top import top
from realtime.ops.trace import trace

Say = Callable[[str], None]


def run(given: argparse.Namespace, flags: Mapping[str, str], say: Say) -> bool:
    """Run a command.

    Args:
        given: The command line.
        flags: Those of its flags that are settings.
        say: Takes a line.

    Returns:
        Whether all was as it should be.

    Raises:
        StartError: It cannot do what it should.
    """
    if given.operation == "check":
        return _check(given, flags, say)
    settings = load_settings(os.environ, flags)
    if given.operation == "backup":
        backup(settings, given.target, say)
        return True
    try:
        return asyncio.run(_run(given, settings, say))
    except KeyboardInterrupt:
        # Ctrl-C is how what is live ends.
        return True


def _check(given: argparse.Namespace, flags: Mapping[str, str], say: Say) -> bool:
    looking = check.look(os.environ, flags, url=given.url, system=System())
    found = asyncio.run(looking)
    check.say(found, say, as_json=given.json)
    return check.is_well(found, strict=given.strict)


async def _run(given: argparse.Namespace, settings: Settings, say: Say) -> bool:
    if given.operation == "restore":
        await restore(settings, given.source, say)
        return True
    if given.operation == "tail":
        await tail(settings, room=given.room, last=given.last, raw=given.json, say=say)
        return True
    if given.operation == "top":
        return await top(
            settings,
            urls=given.url,
            every_seconds=given.every,
            once=given.once,
            as_json=given.json,
            say=say,
        )
    return await trace(
        settings,
        client_id=given.client_id,
        room=given.room,
        user=given.user,
        to=given.to,
        as_json=given.json,
        say=say,
    )
