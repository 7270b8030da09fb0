"""Strangers at the entrance of a server: their places, their time, and what is said of them."""

import asyncio
import contextlib
import logging

import pytest

from recorder.frontends import token_gate
from recorder.frontends.token_gate import Entrance, StrangerLog

HOST = "127.0.0.1"


class Echo(asyncio.Protocol):
    """Sends back what it gets."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(data)


def admit(words: bytes) -> tuple[asyncio.Protocol, bytes] | None:
    first, _, rest = words.partition(b"\n")
    return (Echo(), rest) if first == b"open" else None


@contextlib.asynccontextmanager
async def opened(*, counts_silent: bool = True):  # type: ignore[no-untyped-def] # noqa: ANN201
    """Yield the port of a server with an entrance."""
    way_in = Entrance(b"\n", 20, admit, StrangerLog("test"), counts_silent=counts_silent)
    server = await way_in.open(HOST, 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        way_in.close()
        await server.wait_closed()


async def test_who_says_the_words_is_served_with_what_came_with_them() -> None:
    async with opened() as port:
        for pieces in ([b"open\nhello"], [b"o", b"pen", b"\n", b"hello"]):
            reader, writer = await asyncio.open_connection(HOST, port)
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0.01)
            assert await reader.readexactly(5) == b"hello"
            writer.close()
            await writer.wait_closed()


@pytest.mark.parametrize("words", [b"wrong\n", b"open" * 10])
async def test_wrong_words_end_the_connection(words: bytes) -> None:
    async with opened() as port:
        reader, writer = await asyncio.open_connection(HOST, port)
        writer.write(words)
        assert await reader.read() == b""
        writer.close()


async def test_silence_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_gate, "FIRST_WORDS_S", 0.1)
    async with opened() as port, asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(HOST, port)
        served, speaker = await asyncio.open_connection(HOST, port)
        speaker.write(b"open\n")
        writer.write(b"op")
        assert await reader.read() == b""
        await asyncio.sleep(0.2)
        # Who was admitted may be silent.
        speaker.write(b"later")
        assert await served.readexactly(5) == b"later"
        for one in (writer, speaker):
            one.close()


async def test_the_oldest_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_gate, "MAX_STRANGERS", 3)
    async with opened() as port, asyncio.timeout(5):
        crowd = [await asyncio.open_connection(HOST, port) for _ in range(3)]
        served, speaker = await asyncio.open_connection(HOST, port)
        assert await crowd[0][0].read() == b""
        speaker.write(b"open\nhello")
        assert await served.readexactly(5) == b"hello"
        # The place is free again: nobody else has to go.
        crowd.append(await asyncio.open_connection(HOST, port))
        await asyncio.sleep(0.05)
        for reader, _ in crowd[1:]:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await reader.read()
        for _, writer in [*crowd, (served, speaker)]:
            writer.close()


async def test_strangers_are_told_of_in_few_lines(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(token_gate, "LOG_S", 0.3)
    caplog.set_level(logging.INFO)
    async with opened() as port:
        for _ in range(50):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(b"wrong\n")
            await reader.read()
            writer.close()
        await asyncio.sleep(0.5)
        assert len(caplog.messages) <= 3
        assert caplog.messages[0] == "test: turned away 1 without the token, the last from 127.0.0.1"
        for _ in range(2):
            reader, writer = await asyncio.open_connection(HOST, port)
            writer.close()
            await asyncio.sleep(0.05)
    counts = [int(message.split()[3]) for message in caplog.messages]
    assert sum(counts) == 52
    assert len(counts) <= 5


async def test_who_says_nothing_need_not_be_told_of(caplog: pytest.LogCaptureFixture) -> None:
    async with opened(counts_silent=False) as port:
        for words in (b"", b"o", b""):
            _reader, writer = await asyncio.open_connection(HOST, port)
            writer.write(words)
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.close()
            await writer.wait_closed()
            await asyncio.sleep(0.05)
    assert caplog.messages == ["test: turned away 1 without the token, the last from 127.0.0.1"]
