"""`recorder export` as its users run it: what it leaves behind, and what a browser makes of its films."""

import asyncio
import base64
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from recorder.frames.pool import FrameFormat
from tests.system.browser import browser
from tests.system.conftest import COMMAND, Recorder
from tests.unit.files.opened.recordings import Written

HEIGHT, WIDTH, CHUNKS = 121, 161, 15

# What NWB's archive asks for: said, so that nothing is said of it.
DANDI = ("--meta", "subject=M12", "--meta", "species=Mus musculus", "--meta", "sex=F", "--meta", "age=P90D")


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A recording of 0.6 s, of an odd size; its right third is bright, and its last column dark again."""
    picture = np.zeros((HEIGHT, WIDTH), np.uint16)
    picture[:, 110:-1] = 4095
    file = Written(tmp_path / "odd.h5", FrameFormat(HEIGHT, WIDTH, picture.dtype))
    for _ in range(CHUNKS):
        file.write(picture=picture)
    file.close()
    return file.path


async def test_a_film_plays_in_a_browser(odd: Path, tmp_path: Path, program: str, recorder: Recorder) -> None:
    """All of it, in its size and colours; on a page that has it inside, so that its pixels can be read."""
    film = tmp_path / "film.mp4"
    look = ("--plain", "--levels", "0:4095", "--colours", "inferno", "--speed", "0.5x")
    done = await asyncio.to_thread(recorder, "export", odd, film, *look)
    assert (done.code, done.out) == (0, f"{film}: 60 frames\n")
    source = f"data:video/mp4;base64,{base64.b64encode(film.read_bytes()).decode()}"
    page = tmp_path / "page.html"
    page.write_text(f'<!doctype html><video muted src="{source}"></video>')
    async with browser(program, tmp_path / "profile") as tab:
        await tab.open(page.as_uri())
        await tab.until("document.querySelector('video').readyState >= 3")
        await tab.evaluate("document.querySelector('video').play()")
        await tab.until("document.querySelector('video').ended")
        seen = await tab.evaluate(
            "(() => { const it = document.querySelector('video'), canvas = document.createElement('canvas');"
            "canvas.width = it.videoWidth; canvas.height = it.videoHeight;"
            "const drawn = canvas.getContext('2d'); drawn.drawImage(it, 0, 0);"
            "const at = (x, y) => [...drawn.getImageData(x, y, 1, 1).data].slice(0, 3);"
            "return { error: it.error && it.error.message, lasts: it.duration,"
            "size: [it.videoWidth, it.videoHeight],"
            "shown: it.getVideoPlaybackQuality().totalVideoFrames, bright: at(130, 60), dark: at(20, 60),"
            "last: at(160, 60) }; })()"
        )
        await tab.screenshot(tmp_path / "film.png")
    assert seen["error"] is None
    assert seen["size"] == [WIDTH + 1, HEIGHT + 1]
    assert seen["lasts"] == pytest.approx(1.2, abs=0.05)
    # Of 60 pictures; a busy machine leaves some out.
    assert seen["shown"] > 10
    # The ends of the map: pale yellow and black.
    assert seen["bright"] == pytest.approx([252, 255, 164], abs=8)
    assert max(seen["dark"]) < 16
    assert seen["last"][0] < seen["bright"][0] - 100


def noise_of(path: Path, blocks: int) -> Path:
    """A recording that no format makes much smaller, of blocks of 2 MB."""
    file = Written(path, FrameFormat(512, 512, np.dtype(np.uint16)), keep=False)
    for _ in range(blocks):
        file.write()
    file.close()
    return path


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of 60 MB."""
    return noise_of(tmp_path_factory.mktemp("noise") / "noise.h5", 30)


@pytest.fixture(scope="module")
def much_noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording whose export is not over before anybody has seen that it began."""
    return noise_of(tmp_path_factory.mktemp("noise") / "noise.h5", 200)


@pytest.mark.parametrize("ending", ["nwb", "ome.zarr", "mp4"])
def test_a_full_disk_is_one_line_and_nothing_is_left(
    noise: Path, tiny_disk: Path, recorder: Recorder, ending: str
) -> None:
    (tiny_disk / "filled").write_bytes(bytes(38 * 2**20))
    out = tiny_disk / f"out.{ending}"
    done = recorder("export", noise, out, *DANDI)
    assert done.err == f"recorder: {out}: cannot be written: No space left on device\n"
    assert done.code == 1
    assert [child.name for child in tiny_disk.iterdir()] == ["filled"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(("name", "ending"), [("SIGINT", "nwb"), ("SIGTERM", "ome.zarr"), ("SIGHUP", "mp4")])
def test_an_export_that_is_interrupted_leaves_nothing(
    much_noise: Path, tmp_path: Path, name: str, ending: str
) -> None:
    out = tmp_path / f"out.{ending}"
    command = [*COMMAND, "export", str(much_noise), str(out), *DANDI]
    number = getattr(signal, name)

    def heed() -> None:
        """Also where whoever runs the tests ignores it, as nohup does."""
        signal.signal(number, signal.SIG_DFL)

    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=heed) as running:  # noqa: PLW1509
        deadline = time.monotonic() + 30
        while not list(tmp_path.iterdir()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(running.pid, number)
        _, told = running.communicate(timeout=30)
    assert told == f"recorder: interrupted: {out} is not written, and nothing is left of it\n"
    assert running.returncode == 130
    assert list(tmp_path.iterdir()) == []
