"""Crowds without the token at both servers of a recorder; somebody with it gets in all the same."""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from recorder.frontends.remote_server import MAX_CLIENTS
from recorder.frontends.token_gate import FIRST_WORDS_S
from tests.system.test_remote import Listening, free_port, listen

PAGE_TOKEN = "open-sesame"
CROWD = 200
RETURNED = 20
SERVED_S = 2.0

# For a connection that finds no room to wait in, its system tries again after a second.
PAUSE_S = 0.002

HALF = b"GET /?token=open-sesame HTTP/1.1\r\nHost: 127.0.0.1\r\n"
UNFINISHED = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n\r\nbegun"


pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def page_port() -> int:
    return free_port()


@pytest.fixture
def opened(tmp_path: Path, page_port: int) -> Iterator[Listening]:
    """A recorder that records with remote control server and page."""
    keys = (f"preview.web=127.0.0.1:{page_port}", f"preview.token={PAGE_TOKEN}")
    found = listen(tmp_path, *(word for key in keys for word in ("--set", key)))
    yield found
    found.run.kill()
    found.run.communicate()


@dataclass
class Crowd:
    """Connections that are open, and how many were closed and opened again."""

    sockets: list[socket.socket] = field(default_factory=list)
    returned: int = 0


@contextlib.contextmanager
def crowd(
    port: int, words: bytes, *, size: int = CROWD, returns: bool = False, pause_s: float = PAUSE_S
) -> Iterator[Crowd]:
    """Keep `size` connections open that say `words`; who `returns` connects again when turned away.

    They come `pause_s` apart; with none, they come faster than they are let in.
    """
    found = Crowd()
    sockets = found.sockets
    over = threading.Event()

    def connect() -> socket.socket:
        one = socket.create_connection(("127.0.0.1", port), timeout=5)
        if words:
            one.sendall(words)
        one.setblocking(False)
        return one

    def keep() -> None:
        while not over.wait(0.01):
            for i, one in enumerate(sockets):
                with contextlib.suppress(BlockingIOError, TimeoutError):
                    with contextlib.suppress(ConnectionError):
                        if one.recv(1000):
                            continue
                    one.close()
                    sockets[i] = connect()
                    found.returned += 1

    for _ in range(size):
        sockets.append(connect())
        time.sleep(pause_s)
    keeping = threading.Thread(target=keep)
    if returns:
        keeping.start()
    try:
        yield found
    finally:
        over.set()
        if returns:
            keeping.join()
        for one in sockets:
            one.close()


def ask(remote: Listening) -> float:
    """Send a command with the token; return how long it took until it was answered."""
    began = time.monotonic()
    client, lines = remote.connect()
    with client, lines:
        assert json.loads(lines.readline())["status"] == "ok"
        client.sendall(b"note served\n")
        assert json.loads(lines.readline())["message"] == "noted"
    return time.monotonic() - began


def look(port: int) -> float:
    """Get the page with the token; return how long it took."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", f"/?token={PAGE_TOKEN}")
    answer = connection.getresponse()
    assert answer.status == 200
    assert b"canvas" in answer.read()
    connection.close()
    return time.monotonic() - began


def is_closed(one: socket.socket) -> bool:
    with contextlib.suppress(ConnectionError):
        try:
            while one.recv(65536):
                pass
        except BlockingIOError:
            return False
    return True


@pytest.mark.parametrize("returns", [False, True], ids=["who goes", "who comes back"])
def test_who_has_the_token_is_served_in_a_crowd(opened: Listening, page_port: int, returns: bool) -> None:
    for words in (HALF,) if returns else (b"", HALF, UNFINISHED):
        pause_s = PAUSE_S if words else 0
        with (
            crowd(opened.port, words, returns=returns, pause_s=pause_s) as one,
            crowd(page_port, words, returns=returns, pause_s=pause_s) as other,
        ):
            for _ in range(3):
                assert ask(opened) < SERVED_S
                assert look(page_port) < SERVED_S
            until_s = time.monotonic() + 20
            while returns and min(one.returned, other.returned) < RETURNED and time.monotonic() < until_s:
                time.sleep(0.01)
    opened.run.terminate()
    _, told = opened.run.communicate(timeout=20)
    assert "Traceback" not in told
    for name in ("remote", "page"):
        lines = [line for line in told.splitlines() if f"{name}: turned away" in line]
        assert 1 <= len(lines) <= 2, told
        assert sum(int(line.split("turned away ")[1].split()[0]) for line in lines) > CROWD


def test_nobody_without_the_token_stays(opened: Listening, page_port: int) -> None:
    with contextlib.ExitStack() as stack:
        crowds = [
            stack.enter_context(crowd(port, words, size=40))
            for port in (opened.port, page_port)
            for words in (b"", HALF.replace(b"open-sesame", b"x"), UNFINISHED)
        ]
        until_s = time.monotonic() + FIRST_WORDS_S + 1
        left = [one for crowd in crowds for one in crowd.sockets]
        while (left := [one for one in left if not is_closed(one)]) and time.monotonic() < until_s:
            time.sleep(0.05)
        assert left == []


def test_too_many_with_the_token_are_told(opened: Listening) -> None:
    with contextlib.ExitStack() as stack:
        answers = []
        for _ in range(MAX_CLIENTS + 1):
            client, lines = opened.connect()
            stack.enter_context(client)
            stack.enter_context(lines)
            answers.append(json.loads(lines.readline()))
        assert [answer["status"] for answer in answers] == ["ok"] * MAX_CLIENTS + ["refused"]
        assert answers[-1]["message"] == f"{MAX_CLIENTS} programs are connected already; close one of them"
    time.sleep(0.5)
    assert ask(opened) < SERVED_S
