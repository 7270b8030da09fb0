"""The server of the page over all cameras: who may ask, what is handed on, cameras that are gone or hang."""

import asyncio
import contextlib
import gc
import json
import logging
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web

from recorder.control import commands
from recorder.errors import UsageError
from recorder.frontends.page.document import Document
from recorder.frontends.page.http_server import serve_application
from recorder.frontends.rig.page_server import RigPageServer, serve_rig_page
from recorder.settings.rig import RigSection
from tests.unit.frontends.rig.test_rig import Bench

assert commands

# What a camera's process serves its own page with, which no browser hears of.
OWN = "of-its-own"
TOKEN = "open-sesame"


async def nothing() -> None:
    """Say no farewell."""


@contextlib.asynccontextmanager
async def camera_page(heard: list[Any]) -> AsyncIterator[str]:
    """Stand in for the page of a camera's process: answers what it is sent, and a picture."""

    async def get_page(_: web.Request) -> web.Response:
        return Document("page/page.html", ["page/page.css"], ["page/connection.js"]).response()

    async def get_socket(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            heard.append(message.data)
            await socket.send_str(json.dumps({"heard": message.data}))
            await socket.send_bytes(b"picture")
        heard.append("gone")
        return socket

    routes = [web.get("/", get_page), web.get("/ws", get_socket)]
    async with serve_application("x", "127.0.0.1:0", OWN, routes, nothing) as served:
        yield served.here


class Served:
    """A rig with two such cameras, of which one has a page, and its page."""

    def __init__(self, bench: Bench, session: ClientSession, here: str) -> None:
        self.bench, self.session = bench, session
        self.here, _, self.token = here.partition("/?")
        self.heard: list[Any] = []
        self.page: RigPageServer

    async def get(self, path: str, token: str = TOKEN, **headers: str) -> tuple[int, str, str]:
        async with self.session.get(f"{self.here}{path}?token={token}", headers=headers) as answer:
            return answer.status, await answer.text(), answer.headers.get("Content-Security-Policy", "")

    @contextlib.asynccontextmanager
    async def socket(self, path: str, **headers: str) -> AsyncIterator[ClientWebSocketResponse]:
        async with self.session.ws_connect(f"{self.here}{path}?token={TOKEN}", headers=headers) as socket:
            yield socket


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    bench, heard = Bench(), list[Any]()
    page = RigPageServer(bench.rig, "eyes")
    async with (
        camera_page(heard) as camera,
        serve_application("rig.web", "127.0.0.1:0", TOKEN, page.routes(), page.close) as at,
        ClientSession() as session,
    ):
        bench.cameras["left"].page = camera
        it = Served(bench, session, at.here)
        it.heard, it.page = heard, page
        yield it


@pytest.mark.parametrize("path", ["/", "/ws", "/camera/left", "/camera/left/ws"])
async def test_nobody_without_the_token_gets_anything(served: Served, path: str) -> None:
    for token in ("", "wrong", OWN):
        assert (await served.get(path, token))[0] == 403
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
        assert (await served.get(path, **headers))[0] == 403
    assert served.heard == []


async def test_a_camera_s_page_is_shown_in_this_one_alone(served: Served) -> None:
    status, text, policy = await served.get("/camera/left")
    assert status == 200
    assert "<title>recorder</title>" in text
    assert OWN not in text
    assert "frame-ancestors 'self'" in policy
    assert "script-src 'nonce-" in policy
    own = (await served.get("/"))[2]
    assert "frame-ancestors 'none'" in own
    assert "frame-src 'self'" in own


async def test_what_passes_between_a_page_and_its_camera_is_handed_on(served: Served) -> None:
    async with served.socket("/camera/left/ws") as socket:
        await socket.send_str('{"ready": true}')
        assert json.loads(await socket.receive_str(timeout=5)) == {"heard": '{"ready": true}'}
        assert await socket.receive_bytes(timeout=5) == b"picture"
    async with asyncio.timeout(5):
        while "gone" not in served.heard:
            await asyncio.sleep(0.01)


async def test_a_camera_that_is_gone_or_has_no_page_is_not_found(served: Served) -> None:
    served.bench.cameras["right"].gone.set()
    for path in ("/camera/right", "/camera/right/ws", "/camera/nobody", "/camera/nobody/ws"):
        assert (await served.get(path))[0] == 404
    # Its server is gone, its process is not yet.
    served.bench.cameras["left"].page = "http://127.0.0.1:9/?token=x"
    for path in ("/camera/left", "/camera/left/ws"):
        assert (await served.get(path))[0] == 502


async def test_a_camera_that_does_not_answer_is_given_up(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recorder.frontends.rig.page_server.ANSWER_S", 0.1)

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        served.bench.cameras["left"].page = f"http://127.0.0.1:{port}/?token=x"
        for path in ("/camera/left", "/camera/left/ws"):
            assert (await served.get(path))[0] == 502


async def test_a_page_s_lines_are_for_all_cameras_or_one(served: Served) -> None:
    async with served.socket("/ws") as socket:

        async def answer_to(message: dict[str, Any]) -> dict[str, Any]:
            await socket.send_str(json.dumps({"id": 7, **message}))
            while (said := json.loads(await socket.receive_str(timeout=5))).get("id") != 7:
                assert set(said["status"]["cameras"]) == {"left", "right"}
            return dict(said)

        assert (await answer_to({"command": "mark a"}))["message"] == "left, right: mark done"
        assert (await answer_to({"command": "right: mark b"}))["message"] == "right: mark done"
        refused = await answer_to({"command": "lfet: mark c"})
        assert refused["status"] == "refused"
        assert "left" in refused["message"]
        assert (await answer_to({"mark": True}))["status"] == "ok"
        assert served.bench.heard[3:] == [("left", "mark rig1"), ("right", "mark rig1")]
        words = (await answer_to({"complete": "le"}))["words"]
        assert words[0] == ["left:", "for left alone"]
        # What it did itself is no news to it; what others do is.
        await served.bench.type("mark d")
        served.bench.cameras["left"].end_with("failed", "no cable")
        served.bench.rig.hear(served.bench.cameras["left"], {"event": "end"})
        events: list[dict[str, Any]] = []
        while not any(event["kind"] == "failed" for event in events):
            events += json.loads(await socket.receive_str(timeout=5)).get("events", [])
        assert [event["text"] for event in events] == [
            "left, right: mark done",
            "left failed: no cable",
        ]


async def test_how_each_camera_stands_is_told_also_at_the_end(served: Served) -> None:
    left, right = served.bench.cameras.values()
    left._heard_s = -1000.0
    right.gone.set()
    async with served.socket("/ws") as socket:
        told = json.loads(await socket.receive_str(timeout=5))["status"]["cameras"]
        assert (told["left"]["silent"], told["left"]["gone"]) == (True, False)
        assert (told["right"]["silent"], told["right"]["gone"]) == (False, True)
        left.end_with("complete", "stopped")
        closing = asyncio.ensure_future(served.page.close())
        while (message := await socket.receive(timeout=5)).type is WSMsgType.TEXT:
            told = json.loads(message.data)["status"]["cameras"]
        assert told["left"]["ended"] == {"verdict": "complete", "cause": "stopped"}
        assert message.extra == "the recorder has ended"
        await closing


async def test_more_pages_than_may_be_open_are_refused(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recorder.frontends.page.open_pages.MAX_PAGES", 1)
    async with served.socket("/ws"):
        assert (await served.get("/ws"))[0] == 503


async def test_a_warning_of_the_program_is_news(served: Served) -> None:
    async with serve_rig_page(RigSection(web="127.0.0.1:0"), served.bench.rig):
        logging.getLogger("recorder.anything").warning("x.rig.h5 cannot be written")
    logging.getLogger("recorder.anything").warning("too late")
    assert [event["text"] for event in served.bench.rig.news.after(0)[1]] == ["x.rig.h5 cannot be written"]


async def test_a_message_that_makes_no_sense_ends_the_connection(served: Served) -> None:
    async with served.socket("/ws") as socket:
        await socket.send_str("[1]")
        while (message := await socket.receive(timeout=5)).type is WSMsgType.TEXT:
            pass
        assert message.type is WSMsgType.CLOSE
    # The rig goes on.
    await served.bench.type("mark a")


async def test_a_server_that_is_closed_keeps_nothing(served: Served) -> None:
    """Not even in what aiohttp remembers of handlers: a session with its pool would stay."""
    page = RigPageServer(served.bench.rig, "eyes")
    gone = weakref.ref(page)
    async with (
        serve_application("rig.web", "127.0.0.1:0", TOKEN, page.routes(), nothing) as at,
        served.session.get(at.here) as answer,
    ):
        assert answer.status == 200
    del page
    gc.collect()
    assert gone() is None


async def test_an_address_that_is_taken_is_named_by_its_key(served: Served) -> None:
    taken = served.here.partition("//")[2]
    with pytest.raises(UsageError, match=rf"rig\.web = {taken}"):
        async with serve_rig_page(RigSection(web=taken), served.bench.rig):
            pass
