"""The client of a running recorder's remote control server."""

import asyncio
import json
from collections.abc import AsyncIterator

from recorder.errors import RecorderError, UsageError
from recorder.settings import address


async def send(where: str, token: str, lines: AsyncIterator[str]) -> AsyncIterator[dict[str, object]]:
    """Connect to the recorder at `where` (HOST:PORT), send lines and yield its answer to each, in order.

    The next line is sent once the last one is answered. Raises UsageError for a wrong address, RecorderError
    where no recorder listens, refuses the token or closes the connection.
    """
    try:
        host, port = address.split(where)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        raise RecorderError(f"{where}: no recorder listens there: {error.strerror or error}") from None
    try:
        writer.write(token.encode() + b"\n")
        welcome = await reader.readline()
        if not welcome:
            raise RecorderError(f"{where}: the token is wrong; it is the one that the recorder printed")
        if (told := _read(where, welcome))["status"] != "ok":
            raise RecorderError(f"{where}: {told['message']}")
        async for line in lines:
            writer.write(line.encode() + b"\n")
            answer = await reader.readline()
            if not answer:
                raise RecorderError(f"{where}: the recorder closed the connection")
            yield _read(where, answer)
    except OSError as error:
        raise RecorderError(f"{where}: {error.strerror or error}") from None
    finally:
        writer.close()


def _read(where: str, line: bytes) -> dict[str, object]:
    """Return an answer; raises RecorderError where it is not one of ours."""
    try:
        answer = json.loads(line)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not {"status", "message"} <= set(answer):
        raise RecorderError(f"{where}: what listens there is no recorder; --to HOST:PORT says where one is")
    return answer
