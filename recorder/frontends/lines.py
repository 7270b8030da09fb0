"""The lines that come over a connection, one by one or as many as are there."""

import asyncio

# Bytes that are taken at once.
MOST_BYTES = 8192


class Lines:
    """Lines of at most `limit` bytes; a longer one raises ValueError. On the event loop's thread."""

    def __init__(self, reader: asyncio.StreamReader, limit: int) -> None:
        self._reader, self._limit = reader, limit
        self._rest = b""

    async def one(self) -> bytes:
        """Wait for the next line and return it with its end; what the connection ends with, then b""."""
        while b"\n" not in self._rest:
            if not await self._read():
                line, self._rest = self._rest, b""
                return line
        line, end, self._rest = self._rest.partition(b"\n")
        return line + end

    async def some(self) -> list[bytes]:
        """Wait for lines and return all there are, without their ends; none where the connection has ended.

        What it ends with is no whole line, and is left out.
        """
        while b"\n" not in self._rest:
            if not await self._read():
                return []
        *lines, self._rest = self._rest.split(b"\n")
        return lines

    def put_back(self, lines: list[bytes]) -> None:
        """Have lines that `some` returned come again."""
        self._rest = b"".join(line + b"\n" for line in lines) + self._rest

    async def _read(self) -> bool:
        data = await self._reader.read(MOST_BYTES)
        self._rest += data
        if len(self._rest) > self._limit and b"\n" not in self._rest:
            raise ValueError(f"a line of more than {self._limit} bytes")
        return bool(data)
