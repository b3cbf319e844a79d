"""One connection of a client: python-socketio's own client, with deadlines."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import socketio
from socketio.exceptions import SocketIOError

NAMESPACE = "/chat"

# Deadline of a connect; a node that is stopped accepts and says nothing.
CONNECT_SECONDS = 4.0

# Deadline of the library's own tasks after their transport was closed.
CLOSE_SECONDS = 2.0

OnEvent = Callable[[str, Any], None]
OnAck = Callable[[dict[str, Any]], None]
MakeConnector = Callable[[], aiohttp.TCPConnector]


class LostError(Exception):
    """The connection could not be made, or it ended before the answer came.

    One that stands and gives no answer in time is no connection: it is ended.
    """


class Connection:
    """A connection to one node, used once.

    Events and acks are handed over in the order in which they arrive, without
    suspending in between.

    Attributes:
        is_lost: Whether it has ended.
        reason: Why.
        refusal: What the server said when it refused the connect; else None.

    Args:
        on_event: Takes each event of the namespace; None: they do not matter.
        on_lost: Called when it has ended.
        connector: Makes what it goes through; the usual one if None.
    """

    def __init__(
        self,
        on_event: OnEvent | None = None,
        *,
        on_lost: Callable[[], None] = lambda: None,
        connector: MakeConnector | None = None,
    ) -> None:
        self._on_event = on_event
        self._on_lost = on_lost
        self._http = aiohttp.ClientSession(
            connector=(connector or aiohttp.TCPConnector)()
        )
        self._sio = socketio.AsyncClient(
            reconnection=False,
            handle_sigint=False,
            request_timeout=CONNECT_SECONDS,
            http_session=self._http,
        )
        self._sio.on("*", self._event, namespace=NAMESPACE)
        self._sio.on("disconnect", self._end, namespace=NAMESPACE)
        self._sio.on("connect_error", self._refused, namespace=NAMESPACE)
        self.refusal: dict[str, Any] | None = None
        self._answers: set[asyncio.Future[dict[str, Any]]] = set()
        self.is_lost = False
        self.reason = ""

    async def open(self, url: str, auth: object, transports: Sequence[str]) -> None:
        """Connect and wait until the namespace is accepted.

        Raises:
            LostError: It cannot be, now or at all; with the reason.
        """
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._sio.connect(
                    url,
                    auth=auth,
                    namespaces=[NAMESPACE],
                    transports=list(transports),
                    wait_timeout=CONNECT_SECONDS,
                )
        except (SocketIOError, aiohttp.ClientError, OSError, ValueError) as error:
            # TimeoutError is an OSError; ValueError is a broken handshake.
            said = (self.refusal or {}).get("message")
            reason = str(said or "") or str(error) or type(error).__name__
            raise LostError(reason) from error
        # When a polling answer breaks off, the library's reader dies of it and tells
        # nobody; when a POST does, its writer ends, and the reader goes on.
        loops = self._loops()
        if len(loops) < 2:
            raise LostError("the connection ended")
        for task in loops:
            task.add_done_callback(self._loop_ended)

    async def request(
        self,
        event: str,
        payload: dict[str, object],
        *,
        seconds: float,
        on_ack: OnAck = lambda _ack: None,
    ) -> dict[str, Any]:
        """Send an event and return its ack.

        Args:
            event: Its name.
            payload: Its one argument.
            seconds: Deadline of the ack.
            on_ack: Called with the ack in the step in which it arrives, before the
                next event is handed over.

        Raises:
            LostError: There was no ack in time, or the connection ended before.
        """
        answer: asyncio.Future[dict[str, Any]]
        answer = asyncio.get_running_loop().create_future()

        def answered(ack: dict[str, Any]) -> None:
            if not answer.done():
                on_ack(ack)
                answer.set_result(ack)

        if self.is_lost:
            raise LostError(self.reason)
        self._answers.add(answer)
        try:
            async with asyncio.timeout(seconds):
                await self._sio.emit(event, payload, NAMESPACE, callback=answered)
                return await answer
        except SocketIOError as error:
            raise LostError(str(error)) from error
        except TimeoutError:
            self._end(f"{event}: no answer in {seconds:g} s")
            raise LostError(self.reason) from None
        finally:
            self._answers.discard(answer)

    async def close(self) -> None:
        """Cut the connection without a farewell and wait for the library's tasks.

        What does not end in time is left to itself: the client goes on without it.
        """
        self._end("closed by the client")
        closing = asyncio.create_task(self._close(), name="closing")
        _done, late = await asyncio.wait([closing], timeout=2 * CLOSE_SECONDS)
        for task in late:
            task.cancel()

    async def _close(self) -> None:
        await self._http.close()
        try:
            if loops := self._loops():
                _done, late = await asyncio.wait(loops, timeout=CLOSE_SECONDS)
                for task in late:
                    task.cancel()
                await asyncio.gather(*loops, return_exceptions=True)
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._sio.shutdown()
        except (SocketIOError, aiohttp.ClientError, OSError) as error:
            self.reason = f"{self.reason}; {error}"
        finally:
            # A request that the library had not begun yet opens a session of its own.
            http = self._sio.eio.http
            if http is not None and http is not self._http:
                await http.close()

    def _loops(self) -> list[asyncio.Task[None]]:
        """Return the library's own tasks: that which reads, that which writes."""
        loops = (self._sio.eio.read_loop_task, self._sio.eio.write_loop_task)
        return [task for task in loops if task is not None]

    def _event(self, name: str, payload: Any = None, *_more: Any) -> None:
        if not self.is_lost and self._on_event is not None:
            self._on_event(name, payload)

    def _refused(self, said: object = None) -> None:
        self.refusal = said if isinstance(said, dict) else {"message": said}

    def _loop_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            self._end(str(task.exception() or "the library gave the connection up"))

    def _end(self, reason: object = None) -> None:
        if not self.is_lost:
            self.reason = str(reason)
            self.is_lost = True
            self._on_lost()
            for answer in self._answers:
                if not answer.done():
                    answer.set_exception(LostError(self.reason))
