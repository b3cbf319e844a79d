"""``chatroom chat``: what it takes, and what becomes of each line."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, TextIO

from chat_client.answers import RefusedError
from chat_client.arguments import TOKEN_VARIABLE
from chat_client.commands import Request, UsageError, help_text, parse
from chat_client.lines import read_lines
from chat_client.link import Ack
from chat_client.position import Position
from chat_client.session import Session
from chat_client.view import View, visible
from realtime.errors import StartError

# How long a pipe waits for a line's acknowledgement before it gives up; a person sees
# that the server is away, and ends it themselves.
GIVE_UP_SECONDS: Final = 60.0

# How long a pipe's end waits for its own last message to be shown.
SHOW_SECONDS: Final = 2.0

INTERRUPTED_EXIT: Final = 130


def run(given: argparse.Namespace, environment: Mapping[str, str]) -> int:
    """Chat until the input ends; return the exit code.

    Raises:
        StartError: It cannot go on; with a sentence that says why.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # What the terminal's encoding lacks is shown by its number.
            stream.reconfigure(errors="backslashreplace", line_buffering=True)
    auth = _auth(given, environment)
    if not given.url.startswith(("http://", "https://")):
        raise StartError("--url must begin with http:// or https://")
    colours = (
        not (given.plain or environment.get("NO_COLOR"))
        and environment.get("TERM") != "dumb"
        and sys.stdout.isatty()
    )
    url = given.url.rstrip("/")
    chat = Chat(View(colours=colours, url=url), is_person=os.isatty(0))
    try:
        return asyncio.run(chat.run(Session, url, auth, given.room))
    except KeyboardInterrupt:
        if chat.asked:
            chat.note(f"not acknowledged: {visible(chat.asked)}")
        return INTERRUPTED_EXIT


def _auth(
    given: argparse.Namespace, environment: Mapping[str, str]
) -> Mapping[str, str]:
    if given.user is not None:
        return {"user": given.user, **({"name": given.name} if given.name else {})}
    if given.name:
        raise StartError("--name goes with --user: a token says the name itself")
    token = given.token or environment.get(TOKEN_VARIABLE)
    if not token:
        raise StartError(f"who are you? Give --user NAME, --token or {TOKEN_VARIABLE}")
    return {"token": token}


class Chat:
    """Reads lines, asks the session, writes what comes.

    Attributes:
        asked: The line that is not acknowledged yet; empty if there is none.

    Args:
        view: Formats what is shown.
        is_person: Whether somebody types: others' messages are shown until they end.
    """

    def __init__(self, view: View, *, is_person: bool) -> None:
        self._view = view
        self._is_person = is_person
        self._failed = False
        self._stored: tuple[Position, int] | None = None
        self._unread: asyncio.Future[None] | None = None
        self.asked = ""

    async def run(
        self,
        make: Callable[..., Session],
        url: str,
        auth: Mapping[str, str],
        room: str,
    ) -> int:
        """Enter the room and carry out all lines; return the exit code."""
        session = make(
            url, auth, on_event=self._event, note=self.note, backlog=self._is_person
        )
        tasks: list[asyncio.Task[None]] = []
        self._unread = asyncio.get_running_loop().create_future()
        try:
            keeper = asyncio.create_task(session.keep())
            tasks.append(keeper)
            await self._either(session.start(room), keeper, tasks)
            self.note(f"in {room} at {url}; /help lists the commands")
            await self._either(self._lines(session), keeper, tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await session.close()
        return int(self._failed and not self._is_person)

    def note(self, text: str) -> None:
        """Say something that is no part of the conversation."""
        self._write(sys.stderr, self._view.notice(text))

    async def _either(
        self, work: Any, keeper: asyncio.Task[None], tasks: list[asyncio.Task[None]]
    ) -> None:
        """Await the work, or raise what the keeper ends with."""
        task = asyncio.create_task(work)
        tasks.append(task)
        ends: set[asyncio.Future[None]] = {task, keeper}
        if self._unread is not None:
            ends.add(self._unread)
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for each in done:
            each.result()

    async def _lines(self, session: Session) -> None:
        async for raw in read_lines(0):
            try:
                line = raw.decode().rstrip("\r")
                request = parse(line)
                if request is not None and request.event == "exit":
                    break
                if request is not None:
                    self.asked = line
                    await self._carry_out(session, request)
                    self.asked = ""
            except UnicodeDecodeError:
                self._fail("a line that is not UTF-8 was not sent")
            except (UsageError, RefusedError) as error:
                self.asked = ""
                self._fail(str(error))
        await self._shown()

    async def _carry_out(self, session: Session, request: Request) -> None:
        if request.event == "help":
            self._write(sys.stdout, help_text())
            return
        seconds = None if self._is_person else GIVE_UP_SECONDS
        try:
            async with asyncio.timeout(seconds):
                await self._ask(session, request)
        except TimeoutError:
            raise StartError(
                f"no acknowledgement in {GIVE_UP_SECONDS:.0f} s, it may be stored or"
                f" not: {visible(self.asked)}"
            ) from None

    async def _ask(self, session: Session, request: Request) -> None:
        if request.event == "join":
            await session.enter(str(request.payload["room"]))
            self.note(f"in {request.payload['room']}")
            return
        position = session.position
        payload = _payload(request, position)
        if request.event in ("leave", "quit"):
            # Before the answer: a reconnect in between must not join it again.
            session.position = None
        try:
            ack = await session.ask(request.event, payload)
        except RefusedError as error:
            what = request.command or "not sent"
            if error.code == "unknown_event":
                raise RefusedError(f"this server does not know {what}") from None
            raise RefusedError(f"{what}: {error}") from None
        if request.event == "send" and position is not None:
            self._stored = position, ack["offset"]
        self._answer(request, ack)

    def _answer(self, request: Request, ack: Ack) -> None:
        pages: dict[str, Callable[[Ack], str]] = {
            "rooms": self._view.rooms,
            "members": self._view.members,
            "history": self._view.history,
        }
        if request.event in pages:
            self._write(sys.stdout, pages[request.event](ack))
        elif request.event == "mark_read":
            self.note(f"read up to #{visible(ack.get('lastReadMessage'))}")
        elif request.event == "send":
            return
        elif ack.get("duplicate"):
            self.note(f"{request.command}: it was so already")
        elif request.event in ("leave", "quit", "unban"):
            self.note(f"{request.command}: done")

    async def _shown(self) -> None:
        """Wait a moment until the last message that was stored is shown as well."""
        if self._stored is None or self._is_person:
            return
        position, offset = self._stored
        try:
            async with asyncio.timeout(SHOW_SECONDS):
                while position.offset < offset:
                    position.moved.clear()
                    await position.moved.wait()
        except TimeoutError:
            self.note("the last line is stored, but was not shown in time")

    def _event(self, name: str, fields: Mapping[str, Any]) -> None:
        shown = self._view.event(name, fields)
        if shown is not None:
            self._write(sys.stdout, shown)

    def _write(self, stream: TextIO, text: str) -> None:
        """Write a line; who reads no more ends the run, not the library's task."""
        try:
            stream.write(f"{text}\n")
            stream.flush()
        except BrokenPipeError as error:
            if self._unread is not None and not self._unread.done():
                self._unread.set_exception(error)

    def _fail(self, text: str) -> None:
        self._failed = True
        self.note(text)


def _payload(request: Request, position: Position | None) -> dict[str, object]:
    payload = dict(request.payload)
    if request.room:
        if position is None:
            raise RefusedError("you are in no room: /join ROOM")
        payload["room"] = position.room
        if request.event == "mark_read":
            if not position.last_message:
                raise RefusedError("there is nothing to read yet")
            payload["message"] = position.last_message
    return payload
