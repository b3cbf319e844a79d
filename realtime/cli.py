"""The ``chatroom`` command; the only place that prints."""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final, TextIO

from chat_client.arguments import add_arguments as add_chat_arguments
from realtime import __version__
from realtime.auth.tokens import make_token
from realtime.errors import StartError
from realtime.node.settings import Settings
from realtime.node.settings_io import describe, load_settings, to_markdown
from realtime.ops.arguments import add_commands
from realtime.workers import notify
from schemas.routes import Scope
from verify.plan import add_arguments

HOUR_SECONDS: Final = 3600
# A token made by hand is for trying things out: long enough for a day's work.
TOKEN_HOURS: Final = 24.0
# Ten years, so that the date stays one that every library can hold.
MOST_HOURS: Final = 10 * 365 * 24

# Exit code of `verify` when a promise was broken; 1 and 2 are errors of its use.
BROKEN_EXIT: Final = 3

PROGRAM: Final = "chatroom"
SERVE_FLAGS: Final = {
    "host": "address to listen on",
    "port": "TCP port to listen on",
    "workers": "processes that serve the port together, or auto",
    "redis_url": "a Redis or Valkey instead of the embedded one",
    "data_dir": "folder of the embedded Valkey and of local images",
}
# Those that say which Redis, and which images, a command is about.
REDIS_FLAGS: Final = ("redis_url", "data_dir")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; exits with 1 and one readable text if it cannot."""
    given = _parser().parse_args(arguments)
    try:
        given.run(given)
        sys.stdout.flush()
    except StartError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except BrokenPipeError:
        # Who reads has seen enough, as in `chatroom settings | head`. What is left is
        # flushed at the end: to nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM, description="A self-hosted realtime chat server."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="run a node")
    for name, text in SERVE_FLAGS.items():
        flag = "--" + name.replace("_", "-")
        serve.add_argument(flag, help=f"{text}; wins over CHATROOM_{name.upper()}")
    serve.set_defaults(run=_serve)

    token = commands.add_parser(
        "token",
        help="make a token, signed with CHATROOM_JWT_SECRET",
        description="Make a token, signed with CHATROOM_JWT_SECRET; with the aud and"
        " iss of CHATROOM_JWT_AUDIENCE and CHATROOM_JWT_ISSUER.",
    )
    token.add_argument("user", help="the user id")
    token.add_argument("--name", help="the token's name claim")
    token.add_argument(
        "--hours",
        type=_hours,
        default=TOKEN_HOURS,
        help="how long it is valid (default: %(default)g)",
    )
    token.set_defaults(run=_token)

    settings = commands.add_parser(
        "settings", help="list all settings and their values, secrets masked"
    )
    settings.add_argument(
        "--markdown", action="store_true", help="as docs/settings.md: without values"
    )
    settings.set_defaults(run=_settings)

    garbage = commands.add_parser(
        "gc", help="show the images that no message shows, or delete them"
    )
    _add_redis_flags(garbage)
    garbage.add_argument("--delete", action="store_true", help="delete them")
    garbage.set_defaults(run=_gc)

    key = commands.add_parser("key", help="make, list or revoke API keys")
    acts = key.add_subparsers(required=True, metavar="ACTION")
    create = acts.add_parser("create", help="make a key and print it, this once")
    create.add_argument("name", help="whose it is; its messages come from $NAME")
    create.add_argument(
        "--scopes",
        type=_scopes,
        default=(Scope.READ, Scope.WRITE),
        metavar="SCOPE,...",
        help=f"of {', '.join(Scope)} (default: read,write)",
    )
    create.add_argument(
        "--rooms",
        default="*",
        metavar="PATTERN",
        help="the rooms it is for, with * and ? (default: all)",
    )
    create.add_argument(
        "--rotate",
        action="store_true",
        help="make a second key of a name that there is, from the same sender",
    )
    create.set_defaults(run=_key_create)
    listing = acts.add_parser("list", help="list the keys, without their secrets")
    listing.set_defaults(run=_key_list)
    revoke = acts.add_parser("revoke", help="revoke a key, at once and at all nodes")
    revoke.add_argument("id", help="as `chatroom key list` shows it")
    revoke.set_defaults(run=_key_revoke)
    for act in (create, listing, revoke):
        _add_redis_flags(act)

    _add_hook(commands)

    chat = commands.add_parser("chat", help="chat in a room, from this terminal")
    add_chat_arguments(chat)
    chat.set_defaults(run=_chat)

    verify = commands.add_parser(
        "verify", help="prove by trial, with faults, that nothing gets lost"
    )
    add_arguments(verify)
    verify.set_defaults(run=_verify)

    add_commands(commands, _add_redis_flags, _operate)
    return parser


def _add_hook(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    hook = commands.add_parser("hook", help="make, list, try out webhooks")
    acts = hook.add_subparsers(required=True, metavar="ACTION")
    create = acts.add_parser("create", help="make one and print its secret, this once")
    create.add_argument("url", help="where it is")
    create.add_argument("--id", help="its name (default: a random one)")
    create.add_argument(
        "--types",
        metavar="TYPE,...",
        help="what it is told of, with * (default: all but push.due)",
    )
    create.add_argument(
        "--rooms",
        default="*",
        metavar="PATTERN",
        help="the rooms it is told of, with * and ? (default: all)",
    )
    actions = {
        "create": create,
        "list": acts.add_parser("list", help="list them, and how they fare"),
        "delete": acts.add_parser("delete", help="delete one, and what waits for it"),
        "pause": acts.add_parser("pause", help="tell one nothing for a while"),
        "enable": acts.add_parser("enable", help="go on with one that was disabled"),
        "test": acts.add_parser("test", help="send one a test"),
        "dead": acts.add_parser("dead", help="list what was given up of one"),
        "replay": acts.add_parser("replay", help="send again what was given up of one"),
    }
    actions["replay"].add_argument(
        "--event", metavar="ID", help="this one only, as `chatroom hook dead` shows it"
    )
    for name, action in actions.items():
        if name not in ("create", "list"):
            action.add_argument("id", help="as `chatroom hook list` shows it")
        _add_redis_flags(action)
        action.set_defaults(run=_hook, action=name)


def _hook(given: argparse.Namespace) -> None:
    from realtime.node import hook_command

    settings = _settings_by(given, REDIS_FLAGS)
    match given.action:
        case "create":
            types = None if given.types is None else given.types.split(",")
            act = hook_command.create(
                settings,
                url=given.url,
                hook_id=given.id,
                types=types,
                rooms=given.rooms,
                say=print,
            )
        case "list":
            act = hook_command.show(settings, say=print)
        case "replay":
            act = hook_command.replay(
                settings, hook_id=given.id, event_id=given.event, say=print
            )
        case other:
            act = getattr(hook_command, other)(settings, hook_id=given.id, say=print)
    asyncio.run(act)


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
    if not 0 < hours <= MOST_HOURS:
        raise argparse.ArgumentTypeError(f"must be above 0 and at most {MOST_HOURS}")
    return hours


def _serve(given: argparse.Namespace) -> None:
    settings = _settings_by(given, SERVE_FLAGS)
    if settings.workers > 1:
        _serve_with_workers(settings, _flags(given, SERVE_FLAGS))
        return
    # Here, because the other commands need none of it and answer sooner.
    from realtime.engineio.event_loop import new_event_loop
    from realtime.node.listening import OwnPort
    from realtime.node.serving import serve

    port = OwnPort(settings, announce=lambda url: _announce(settings, url))
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(notify.alive_while(serve(settings, port)))


def _serve_with_workers(settings: Settings, flags: dict[str, str]) -> None:
    # Without the node's modules: a supervisor is small, and no version of them.
    from realtime.workers.supervisor import supervise

    run = supervise(settings, flags, announce=lambda url: _announce(settings, url))
    asyncio.run(run)


def _scopes(text: str) -> tuple[Scope, ...]:
    try:
        return tuple(Scope(each) for each in text.split(","))
    except ValueError:
        known = ", ".join(Scope)
        raise argparse.ArgumentTypeError(f"{text!r}: scopes are {known}") from None


def _key_create(given: argparse.Namespace) -> None:
    from realtime.node import key_command

    asyncio.run(
        key_command.create(
            _settings_by(given, REDIS_FLAGS),
            name=given.name,
            scopes=given.scopes,
            rooms=given.rooms,
            rotate=given.rotate,
            say=print,
        )
    )


def _key_list(given: argparse.Namespace) -> None:
    from realtime.node import key_command

    asyncio.run(key_command.show(_settings_by(given, REDIS_FLAGS), say=print))


def _key_revoke(given: argparse.Namespace) -> None:
    from realtime.node import key_command

    revoked = key_command.revoke(
        _settings_by(given, REDIS_FLAGS), key_id=given.id, say=print
    )
    asyncio.run(revoked)


def _add_redis_flags(command: argparse.ArgumentParser) -> None:
    for name in REDIS_FLAGS:
        flag = "--" + name.replace("_", "-")
        command.add_argument(flag, help=f"as of serve: {SERVE_FLAGS[name]}")


def _settings_by(given: argparse.Namespace, names: Iterable[str]) -> Settings:
    """Return the settings of the environment and of the flags that were given."""
    return load_settings(os.environ, _flags(given, names))


def _flags(given: argparse.Namespace, names: Iterable[str]) -> dict[str, str]:
    flags = {name: getattr(given, name) for name in names}
    return {name: text for name, text in flags.items() if text is not None}


def _gc(given: argparse.Namespace) -> None:
    settings = _settings_by(given, REDIS_FLAGS)
    # Here, because the other commands need none of it and answer sooner.
    from realtime.node.gc import collect

    asyncio.run(collect(settings, delete=given.delete, say=partial(print, flush=True)))


def _announce(settings: Settings, url: str) -> None:
    if settings.development:
        _tell(
            "*** DEVELOPMENT MODE: no key is set, so anyone who can reach this server"
            " may take any name. ***",
            sys.stderr,
        )
    if (settings.page_folder / "index.html").is_file():
        _tell(f"Chat room: {url}", sys.stdout)
    elif settings.page_dir is not None:
        _tell(
            f"Serving at {url} without the demo page: there is no index.html in"
            f" {settings.page_dir} (CHATROOM_PAGE_DIR).",
            sys.stdout,
        )
    else:
        _tell(
            f"Serving at {url} without the demo page, which is not built.", sys.stdout
        )
    notify.notify(notify.READY)


def _tell(line: str, stream: TextIO) -> None:
    # In one write: the log may go to the same place, and is written by a thread.
    stream.write(f"{line}\n")
    stream.flush()


def _token(given: argparse.Namespace) -> None:
    settings = load_settings(os.environ)
    if settings.jwt_secret is None:
        raise StartError(
            "CHATROOM_JWT_SECRET is not set, so there is nothing to sign a token with."
            " In development mode clients connect with auth {user} and need none."
        )
    try:
        token = make_token(
            given.user,
            secret=settings.jwt_secret,
            name=given.name,
            lifetime_seconds=given.hours * HOUR_SECONDS,
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
        )
    except ValueError as error:
        raise StartError(f"the user id: {error}.") from None
    print(token)


def _verify(given: argparse.Namespace) -> None:
    # Here, because the other commands need none of it and answer sooner.
    from verify.cli import run

    tell, progress = (
        partial(print, file=file, flush=True) for file in (sys.stdout, sys.stderr)
    )
    if not run(given, load_settings(os.environ), tell, progress):
        raise SystemExit(BROKEN_EXIT)


def _operate(given: argparse.Namespace) -> None:
    # Here, because the other commands need none of it and answer sooner.
    from realtime.ops.commands import run

    if not run(given, _flags(given, REDIS_FLAGS), partial(print, flush=True)):
        raise SystemExit(1)


def _chat(given: argparse.Namespace) -> None:
    # Here, because the other commands need none of it and answer sooner.
    from chat_client.cli import run

    if code := run(given, os.environ):
        raise SystemExit(code)


def _settings(given: argparse.Namespace) -> None:
    if given.markdown:
        print(to_markdown(), end="")
        return
    described = describe(load_settings(os.environ))
    width = max(len(each.variable) for each in described)
    for each in described:
        mark = "*" if each.is_set else " "
        print(f"{mark} {each.variable:<{width}}  {each.value or '-'}")
    print("* differs from the default. `chatroom settings --markdown` explains each.")
