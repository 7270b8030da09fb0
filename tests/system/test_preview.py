"""The server of the preview page: who is let in, and what a page can do to a recording."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path

import aiohttp
import h5py
import pytest

from tests.system.browser import browser
from tests.system.displays import TOKEN, goes_on, recording

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX"),
]


async def test_a_stopped_browser_holds_up_nobody(
    tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("recorder.frontends.page.open_pages.HEARTBEAT_S", 1.0)
    async with recording(tmp_path) as (dispatch, address), browser(program, tmp_path / "profile") as tab:
        await tab.open(f"{address}?token={TOKEN}")
        await tab.until("state.head && state.head.number")
        os.killpg(tab.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(2)
            await goes_on(dispatch.session)
            async with aiohttp.ClientSession() as client:
                other = f"{address}ws?token={TOKEN}"
                async with client.ws_connect(other) as page:
                    await page.send_json({"ready": True})
                    kinds = {(await page.receive(timeout=5)).type for _ in range(4)}
                    assert aiohttp.WSMsgType.BINARY in kinds
            assert caplog.text.count("a browser does not answer any more") == 1
        finally:
            os.killpg(tab.pid, signal.SIGCONT)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("", {}),
        ("?token=wrong", {}),
        (f"?token={TOKEN}", {"Host": "evil.example"}),
        (f"?token={TOKEN}", {"Origin": "http://evil.example"}),
        ("ws", {}),
        ("ws?token=wrong", {}),
        (f"ws?token={TOKEN}", {"Origin": "http://evil.example"}),
        (f"ws?token={TOKEN}", {"Host": "evil.example:80"}),
        (f"ws?token={TOKEN}", {"Origin": "null"}),
        (f"?token={TOKEN}", {"Host": "[::"}),
        (f"?token={TOKEN}", {"Origin": "http://[x"}),
    ],
)
async def test_strangers_are_turned_away(tmp_path: Path, path: str, headers: dict[str, str]) -> None:
    async with recording(tmp_path) as (dispatch, address), aiohttp.ClientSession() as client:
        if path.startswith("ws"):
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await client.ws_connect(address + path, headers=headers)
            assert refused.value.status == 403
        else:
            async with client.get(address + path, headers=headers) as answer:
                assert answer.status == 403
                assert "canvas" not in await answer.text()
        assert dispatch.seq == 0


async def test_a_page_that_goes_away_takes_no_command_with_it(tmp_path: Path) -> None:
    async with recording(tmp_path) as (dispatch, address), aiohttp.ClientSession() as client:
        for i in range(30):
            page = await client.ws_connect(f"{address}ws?token={TOKEN}")
            await page.send_json({"command": f"save new part{i:02}", "id": 1})
            await asyncio.sleep(i * 0.0007)
            # Not a word of farewell.
            connection = page._response.connection
            assert connection is not None
            assert connection.transport is not None
            connection.transport.abort()
            page._response.close()
        await asyncio.sleep(1)
        await goes_on(dispatch.session)
    files = sorted(tmp_path.glob("*.h5"))
    assert len(files) > 5
    numbers: list[int] = []
    for path in files:
        with h5py.File(path) as file:
            assert file["entry/verdict"][()] == b"complete", path
            numbers += file["entry/instrument/detector/frame_number"][:].tolist()
    assert sorted(numbers) == list(range(1, len(numbers) + 1))


async def test_half_a_character_is_no_reason_to_fall_silent(tmp_path: Path) -> None:
    async with (
        recording(tmp_path) as (_, address),
        aiohttp.ClientSession() as client,
        client.ws_connect(f"{address}ws?token={TOKEN}") as page,
    ):
        await page.send_str('{"command": "note \\ud800", "id": 1}')
        while (answer := await page.receive_json(timeout=5)).get("id") != 1:
            pass
        assert answer["status"] == "ok"


async def test_too_many_connections_are_closed_at_once(tmp_path: Path) -> None:
    async with recording(tmp_path) as (dispatch, address):
        port = int(address.rstrip("/").rpartition(":")[2])
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
        closed = 0
        for reader, writer in opened:
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(0.02):
                    closed += await reader.read(1) == b""
            writer.close()
        assert closed >= 30
        await goes_on(dispatch.session)


async def test_nonsense_from_a_page_closes_it_and_nothing_else(tmp_path: Path) -> None:
    async with recording(tmp_path) as (dispatch, address), aiohttp.ClientSession() as client:
        for nonsense in (
            "{",
            "[]",
            '{"levels": [9, 1]}',
            '{"region": [1e9, 0, 1, 1]}',
            '{"probe": "x"}',
            "x" * 5000,
        ):
            async with client.ws_connect(f"{address}ws?token={TOKEN}") as page:
                await page.send_str(nonsense)
                while (message := await page.receive(timeout=5)).type is aiohttp.WSMsgType.TEXT:
                    assert "status" in json.loads(message.data) or "history" in json.loads(message.data)
                assert message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED}
        async with client.ws_connect(f"{address}ws?token={TOKEN}") as page:
            await page.send_json({"command": "exposre 5ms", "id": 1})
            while (answer := await page.receive_json(timeout=5)).get("id") != 1:
                pass
            assert answer["status"] == "refused"
        assert dispatch.session.preview.levels == "auto"
        assert dispatch.session.preview.region is None


async def test_no_more_pages_than_allowed(tmp_path: Path) -> None:
    async with recording(tmp_path) as (_, address), aiohttp.ClientSession() as client:
        pages = [await client.ws_connect(f"{address}ws?token={TOKEN}") for _ in range(8)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect(f"{address}ws?token={TOKEN}")
        assert refused.value.status == 503
        for page in pages:
            await page.close()
