"""The entrance to a server: who connects is a stranger until the first words are there, and are right.

Strangers have few places of their own, for a short time, and a new one takes that of the oldest: however many
there are, whoever has the token gets in. What they do is logged once a minute at most, in one line.
"""

import asyncio
import logging
from collections.abc import Callable

log = logging.getLogger(__name__)

# How many strangers there may be at once, and how long each may take for the first words. Fewer are let in at
# a time, so that who speaks at once is heard before the next ones come.
MAX_STRANGERS = 64
AT_A_TIME = 32
FIRST_WORDS_S = 3.0

LOG_S = 60.0

# Takes the first words of a connection, and what came with them; returns what goes on with it, and the bytes
# that are meant for that, or None for a stranger who is to be turned away.
Admit = Callable[[bytes], tuple[asyncio.Protocol, bytes] | None]


class StrangerLog:
    """Counts who was turned away from the server `name`, and logs that: at once, then once in `LOG_S`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._count = 0
        self._last = ""
        self._waiting: asyncio.TimerHandle | None = None

    def add(self, transport: asyncio.BaseTransport | None) -> None:
        """Count a connection that was turned away; on the event loop's thread."""
        peer = transport.get_extra_info("peername") if transport is not None else None
        self._count += 1
        self._last = str(peer[0]) if peer else "an address unknown"
        if self._waiting is None:
            self._tell()

    def _tell(self) -> None:
        """Log what was counted, and wait before the next line; where there was nothing, wait no more."""
        self._waiting = None
        if self._count:
            log.warning(
                "%s: turned away %d without the token, the last from %s", self._name, self._count, self._last
            )
            self._count = 0
            self._waiting = asyncio.get_running_loop().call_later(LOG_S, self._tell)

    def close(self) -> None:
        """Log what is left."""
        if self._waiting is not None:
            self._waiting.cancel()
        self._tell()
        if self._waiting is not None:
            self._waiting.cancel()


class Entrance:
    """Lets connections in; on the event loop's thread.

    The first words end with `end`, and have `longest` bytes at most; what `admit` returns takes over.
    `counts_silent`: who goes without a word is counted too.
    """

    def __init__(
        self, end: bytes, longest: int, admit: Admit, strangers: StrangerLog, *, counts_silent: bool = True
    ) -> None:
        self.end, self.longest, self._counts_silent = end, longest, counts_silent
        self._admit, self._log = admit, strangers
        self._strangers: dict[_Stranger, asyncio.TimerHandle] = {}

    async def open(self, host: str, port: int) -> asyncio.Server:
        """Return a server that takes connections at this address; raises OSError where it cannot be used."""
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: _Stranger(self), host, port, backlog=AT_A_TIME)

    def enter(self, stranger: "_Stranger") -> None:
        """Give a stranger a place, that of the oldest where all are taken."""
        if len(self._strangers) >= MAX_STRANGERS:
            self.turn_away(next(iter(self._strangers)))
        timer = asyncio.get_running_loop().call_later(FIRST_WORDS_S, self.turn_away, stranger)
        self._strangers[stranger] = timer

    def leave(self, stranger: "_Stranger") -> bool:
        """Free the place of a stranger; False where it had none any more."""
        timer = self._strangers.pop(stranger, None)
        if timer is not None:
            timer.cancel()
        return timer is not None

    def turn_away(self, stranger: "_Stranger") -> None:
        """Close a stranger's connection, where it is not closed, and count it."""
        if self.leave(stranger):
            if self._counts_silent or stranger.words:
                self._log.add(stranger.transport)
            stranger.transport.close()

    def hear(self, stranger: "_Stranger", words: bytes) -> None:
        """Hand over the connection of a stranger who said the first words, or turn it away."""
        admitted = self._admit(words)
        if admitted is None:
            self.turn_away(stranger)
            return
        self.leave(stranger)
        protocol, rest = admitted
        stranger.transport.set_protocol(protocol)
        protocol.connection_made(stranger.transport)
        if rest:
            protocol.data_received(rest)

    def close(self) -> None:
        """Close the connections of all strangers, and log what is left to tell."""
        for stranger in list(self._strangers):
            self.leave(stranger)
            stranger.transport.close()
        self._log.close()


class _Stranger(asyncio.Protocol):
    """A connection until its first words are there."""

    transport: asyncio.Transport

    def __init__(self, entrance: Entrance) -> None:
        self._entrance = entrance
        self.words = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a connection has a transport for both directions")
        self.transport = transport
        self._entrance.enter(self)

    def data_received(self, data: bytes) -> None:
        """Wait for the end of the first words, and let the entrance hear them."""
        self.words += data
        if self._entrance.end in self.words:
            self._entrance.hear(self, self.words)
        elif len(self.words) > self._entrance.longest:
            self._entrance.turn_away(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Free the place; who goes without the first words is counted as turned away."""
        del exc
        self._entrance.turn_away(self)
