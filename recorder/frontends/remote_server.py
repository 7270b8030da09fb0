"""The remote control server for other programs: a socket with a token, lines in, JSON lines out.

-> TOKEN                      first line
<- {"status": "ok", ...}      or the connection is closed
-> mark trial3
<- {"status": "ok", "message": "mark trial3 on frame 512 (counter 513)", "effective_frame": 512}

After `stream`, lines are rows of signals: see `remote_stream`.
"""

import asyncio
import contextlib
import hmac
import json
import logging
from collections.abc import AsyncIterator
from typing import Any, Protocol

from recorder.control.command_types import Conversation
from recorder.control.dispatcher import Dispatcher
from recorder.control.registry import MAX_LINE
from recorder.errors import UsageError
from recorder.frontends import remote_stream
from recorder.frontends.lines import Lines
from recorder.frontends.token_gate import Entrance, StrangerLog
from recorder.settings import address
from recorder.settings.model import RemoteSettings

log = logging.getLogger(__name__)

# How many clients with the token may be connected at once, more are refused; a stimulus computer needs one.
MAX_CLIENTS = 16

# The longest first line in bytes: a token has 200 at most.
MAX_TOKEN_LINE = 1024

# Lines a second from one client; what a faster one sends waits, without an error.
LINES_PER_S = 500

# How many lines of a client may be under way at once: an answer may wait for a frame, the next line does not.
UNDER_WAY = 64

NO_STREAM = "stream: a rig takes none; send rows to the door of one camera, or lines: value NAME NUMBER..."

# What is answered, in its order; None: nothing more.
Answers = asyncio.Queue["asyncio.Task[dict[str, Any]] | None"]


class TakesLines(Protocol):
    """What carries out the lines of programs: a session's dispatcher, or a rig."""

    async def execute_for_client(self, line: str, conversation: Conversation) -> dict[str, Any]:
        """Execute a line; return the fields of its answer."""


class RemoteServer:
    """Serve clients until closed; none of them can delay the recording or another client."""

    def __init__(self, dispatch: TakesLines, token: str) -> None:
        self._dispatch, self._token = dispatch, token
        self._clients: set[asyncio.Task[None]] = set()

    def admit(self, words: bytes) -> tuple[asyncio.Protocol, bytes] | None:
        """Return what serves a connection that begins with these words, None where they are not the token."""
        shown, _, rest = words.partition(b"\n")
        if not hmac.compare_digest(shown.strip(), self._token.encode()):
            return None
        reader = asyncio.StreamReader(limit=4 * MAX_LINE)
        return asyncio.StreamReaderProtocol(reader, self._begin), rest

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a client in a task of its own."""
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if len(self._clients) > MAX_CLIENTS:
                full = f"{MAX_CLIENTS} programs are connected already; close one of them"
                await _answer(writer, {"status": "refused", "message": full})
                return
            await _answer(writer, {"status": "ok", "message": "welcome"})
            await self._take_lines(reader, writer)
        except (OSError, ValueError):
            # A line without an end, a client that went away: nothing to report.
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _take_lines(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry out lines as they come, and answer them in their order."""
        conversation, lines = Conversation("remote"), Lines(reader, 4 * MAX_LINE)
        answers: Answers = asyncio.Queue(UNDER_WAY)
        answering = asyncio.ensure_future(_answer_all(answers, writer))
        try:
            while line := await lines.one():
                text = line.decode(errors="replace").strip()
                if text == remote_stream.WORD:
                    if not await self._stream(lines, answers):
                        return
                    continue
                await answers.put(asyncio.create_task(self._dispatch.execute_for_client(text, conversation)))
                await asyncio.sleep(1 / LINES_PER_S)
                if answering.done():
                    return
            await answers.put(None)
            await answering
        finally:
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)

    async def _stream(self, lines: Lines, answers: Answers) -> bool:
        """Take rows of signals until their end; False where the connection ended."""

        def tell(answer: dict[str, Any]) -> None:
            # One who does not read is not held up.
            with contextlib.suppress(asyncio.QueueFull):
                answers.put_nowait(asyncio.create_task(_given(answer)))

        if not isinstance(self._dispatch, Dispatcher):
            tell({"status": "error", "message": NO_STREAM})
            return True
        stream = remote_stream.RowStream(self._dispatch, tell)
        tell({"status": "ok", "message": remote_stream.WELCOME})
        if not await stream.take_all(lines):
            return False
        await answers.put(asyncio.create_task(stream.ended()))
        return True

    async def close(self) -> None:
        """Close all connections; commands under way go on until `Dispatcher.close`."""
        for task in self._clients:
            task.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)


async def _answer_all(answers: Answers, writer: asyncio.StreamWriter) -> None:
    while (task := await answers.get()) is not None:
        await _answer(writer, await task)


async def _given(answer: dict[str, Any]) -> dict[str, Any]:
    return answer


async def _answer(writer: asyncio.StreamWriter, message: dict[str, object]) -> None:
    writer.write(json.dumps(message).encode() + b"\n")
    # A client that does not read delays itself only: its lines wait for its answers.
    await writer.drain()


@contextlib.asynccontextmanager
async def serve_remote(settings: RemoteSettings, dispatch: TakesLines) -> AsyncIterator[None]:
    """Run the server during `with`, where `settings.listen` asks for one, and log its address.

    An empty `settings.token` means a new one, which is logged too. Raises UsageError where the address cannot
    be used.
    """
    if settings.listen is None:
        yield
        return
    host, port = address.split(settings.listen)
    token = settings.token or address.new_token()
    remote = RemoteServer(dispatch, token)
    entrance = Entrance(b"\n", MAX_TOKEN_LINE, remote.admit, StrangerLog("remote"))
    try:
        server = await entrance.open(host, port)
    except OSError as error:
        raise UsageError(f"remote.listen = {settings.listen}: {error.strerror or error}") from None
    where = server.sockets[0].getsockname()
    log.info("listening on %s:%d%s", where[0], where[1], "" if settings.token else f", token {token}")
    try:
        yield
    finally:
        server.close()
        entrance.close()
        await remote.close()
        await server.wait_closed()
