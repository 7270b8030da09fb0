"""The page on recordings in files: pictures, the time line, traces, what grows, what cannot be read."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from recorder.errors import DamagedFileError, NotOurFileError, UsageError
from recorder.files.opened import frame_reader
from recorder.files.probe import Probe, probing
from recorder.frames.pool import PAGE, FrameFormat
from recorder.frontends.view import frame_pictures, viewer
from recorder.frontends.view import overview as overview_module
from recorder.frontends.view.displays import opened
from recorder.storage import direct_io
from tests.unit.files.damaged import DATA
from tests.unit.files.opened.recordings import INTERVAL_S, Written
from tests.unit.frontends.view.displays import page


@pytest.fixture(scope="module")
def probe() -> Iterator[Probe]:
    with probing() as one:
        one.ask(Path.exists, DATA)
        yield one


@pytest.fixture
def looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a file that grows looked at without a rest."""
    monkeypatch.setattr(viewer, "LOOK_S", 0.01)
    monkeypatch.setattr(viewer, "LOOK_SHARE", 0.5)


def with_losses(path: Path) -> Written:
    """Write 12 frames; 3 are lost behind the first 4, 1 behind the next 4; marks are on 2, 2 and 9."""
    file = Written(path)
    file.write()
    file.write(lost=3)
    file.write(lost=1)
    for frame, label, text in ((2, "a", "left eye"), (2, "b", ""), (9, "c", "")):
        file.mark(frame, label, text)
    file.close()
    return file


async def test_pictures_are_of_the_frames_asked_for(tmp_path: Path, probe: Probe) -> None:
    file = with_losses(tmp_path / "x.h5")
    with opened([file.path], probe) as recording:
        async with page(recording, probe) as shown:
            head = await shown.picture()
            assert (head["index"], head["number"], head["gap"]) == (0, 1, None)
            assert head["utc_s"] == pytest.approx(
                recording.recording.start.astype("datetime64[us]").astype(float) / 1e6
            )
            for index in (7, 0, 11):
                head = await shown.picture(go={"frame": index}, probe=[5, 6])
                assert (head["index"], head["probe"]) == (index, [5, 6, int(file.frames[index, 6, 5])])
            # Levels are those of the frame at once, whatever was shown before.
            low = float(np.sort(file.frames[11][::2, ::2], axis=None)[int(0.005 * (12 * 20 - 1))])
            assert head["low"] == pytest.approx(low, abs=1)
            head = await shown.picture(go={"mark": -1})
            assert (head["index"], head["near"][0][:2]) == (9, ["c", 0])
            head = await shown.picture(go={"mark": -1})
            assert head["index"] == 2
            assert {label for label, *_ in head["near"][:2]} == {"a", "b"}
            # Ahead of the gap nothing is told of, behind it what is missing.
            head = await shown.picture(go={"step": 1})
            assert (head["index"], head["gap"]) == (3, None)
            head = await shown.picture(go={"step": 1})
            assert head["index"] == 4
            assert head["gap"] == [3, "counter gap", True]


async def test_the_time_line_has_marks_and_losses(tmp_path: Path, probe: Probe) -> None:
    file = with_losses(tmp_path / "x.h5")
    with opened([file.path], probe) as recording:
        async with page(recording, probe) as shown:
            await shown.until("status", "frames", 12)
            status, told = shown.told["status"], shown.told["overview"]
            assert (status["lost"], status["verdict"], status["grows"]) == (4, "complete", False)
            assert told["files"] == ["x.h5"]
            times = recording.recording.time
            assert [[mark[0], *mark[2:]] for mark in told["marks"]] == [
                [2, "a", "left eye"],
                [2, "b", ""],
                [9, "c", ""],
            ]
            assert [mark[1] for mark in told["marks"]] == pytest.approx([times[2], times[2], times[9]])
            assert [[row[0], *row[3:]] for row in told["losses"]] == [
                [4, 3, 1, ["counter gap"]],
                [8, 1, 1, ["counter gap"]],
            ]
            assert [row[1:3] for row in told["losses"]] == [[times[4], times[3]], [times[8], times[7]]]


def test_losses_near_each_other_are_one_on_the_line(
    tmp_path: Path, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Written(tmp_path / "x.h5")
    for lost in (0, 1, 2, 3, 0, 0, 0, 4):
        file.write(lost=lost)
    file.close()
    with opened([file.path], probe) as recording:
        near, all_of = overview_module.overview, recording.recording
        assert [row[3:5] for row in near(all_of, all_of.time)["losses"]] == [[1, 1], [2, 1], [3, 1], [4, 1]]
        monkeypatch.setattr(overview_module, "APART", 1 / 3)
        losses = near(all_of, all_of.time)["losses"]
    assert [[row[0], *row[3:]] for row in losses] == [
        [4, 6, 3, ["counter gap"]],
        [28, 4, 1, ["counter gap"]],
    ]


@pytest.mark.usefixtures("looks_often")
async def test_it_plays_and_is_at_the_edge_of_what_grows(tmp_path: Path, probe: Probe) -> None:
    file = Written(tmp_path / "grows.h5")
    file.write()
    with opened([file.path], probe) as recording:
        assert recording.growing is not None
        async with page(recording, probe) as shown:
            assert (await shown.picture())["index"] == 3
            await shown.until("status", "at_edge", True)
            file.write()
            file.mark(6, "here")
            while (await shown.picture())["index"] != 7:
                pass
            # Who goes back stays there, whatever comes.
            assert (await shown.picture(go={"step": -3}))["index"] == 4
            file.write()
            await shown.until("status", "frames", 12)
            assert shown.told["status"]["at_edge"] is False
            assert [mark[2] for mark in shown.told["overview"]["marks"]] == ["here"]
            assert shown.head["index"] == 4
            await shown.say(play=True)
            while (await shown.picture())["index"] != 11:
                pass
            await shown.until("status", "at_edge", True)
            file.close()
            await shown.until("status", "grows", False)
            assert (shown.told["status"]["verdict"], shown.told["status"]["at_edge"]) == ("complete", False)


@pytest.mark.usefixtures("looks_often")
async def test_the_next_file_of_a_session_follows(tmp_path: Path, probe: Probe) -> None:
    first = Written(tmp_path / "x1.h5")
    first.write()
    with opened([tmp_path / "x*.h5"], probe) as recording:
        async with page(recording, probe) as shown:
            assert (await shown.picture())["index"] == 3
            # It is made before the one before it is closed, and has no frame for a moment.
            second = Written(tmp_path / "x2.h5", first=5)
            first.write(2)
            first.close()
            await shown.until("status", "verdict", "complete")
            second.write()
            await shown.until("status", "frames", 10)
            while (await shown.picture())["index"] != 9:
                pass
            assert shown.told["overview"]["files"] == ["x1.h5", "x2.h5"]
            second.close()
            await shown.until("status", "grows", False)
    # Opened in that moment.
    third = Written(tmp_path / "x3.h5", first=20)
    with opened([tmp_path / "x*.h5"], probe) as recording:
        async with page(recording, probe) as shown:
            assert (await shown.picture())["index"] == 9
            third.write()
            while (await shown.picture())["index"] != 13:
                pass
            third.close()


@pytest.mark.usefixtures("looks_often")
async def test_a_recording_without_a_frame_yet_is_waited_for(tmp_path: Path, probe: Probe) -> None:
    file = Written(tmp_path / "grows.h5")
    with opened([file.path], probe) as recording:
        async with page(recording, probe) as shown:
            await shown.until("status", "frames", 0)
            assert shown.told["status"]["standing"]["text"].startswith("no frame has come yet")
            file.write()
            assert (await shown.picture())["index"] == 3
            file.close()


async def test_regions_have_traces_and_a_baseline_of_all(tmp_path: Path, probe: Probe) -> None:
    file = Written(tmp_path / "x.h5")
    for _ in range(5):
        file.write()
    file.close()
    with opened([file.path], probe) as recording:
        async with page(recording, probe) as shown:
            assert (await shown.command("region eye 10 4 20 12")).startswith("region eye")
            await shown.picture()
            while shown.told.get("traces", {}).get("eye", {}).get("known") != 20:
                await shown.hear()
            points = shown.told["traces"]["eye"]["points"]
            means = file.frames[:, 4:12, 10:20].mean(axis=(1, 2))
            assert [point[1] for point in points] == pytest.approx(means, abs=1e-3)
            assert [point[0] for point in points] == pytest.approx(recording.recording.time, abs=1e-6)

            await shown.command("preview mode difference")
            await shown.command("preview range 100")
            while (await shown.picture(probe=[15, 8]))["mode"] != "difference":
                pass
            await shown.picture(go={"frame": 13})
            base = file.frames[:, 8, 15].mean()
            assert shown.head["probe"][2] == pytest.approx(file.frames[13, 8, 15] - base, abs=0.01)
            assert shown.head["regions"][0]["mean"] == pytest.approx(
                means[13] - file.frames[:, 4:12, 10:20].mean(), abs=0.01
            )
            # One that is asked for is of the frames from here on, here the last ones.
            await shown.picture(go={"frame": 19})
            await shown.command(f"baseline {4 * INTERVAL_S + 0.02:.2f}s")
            while not shown.head["baseline"].endswith("(7 frames)"):
                await shown.picture(probe=[15, 8])
            base = file.frames[13:, 8, 15].mean()
            assert shown.head["probe"][2] == pytest.approx(file.frames[19, 8, 15] - base, abs=0.01)
            # One that follows begins with the frames before.
            await shown.command("baseline running 100ms")
            while not shown.head["baseline"].startswith("running"):
                await shown.picture(probe=[15, 8])
            assert abs(shown.head["probe"][2]) > 1


async def test_of_a_part_of_the_frame_its_rows_alone_are_read(
    tmp_path: Path, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = FrameFormat(600, 400, np.dtype(np.uint16))
    file = Written(tmp_path / "x.h5", form)
    file.write()
    file.close()
    with opened([file.path], probe) as recording:
        async with page(recording, probe) as shown:
            await shown.picture()
            read: list[int] = []

            def note(fd: int, address: int, memory: memoryview) -> int:
                read.append(len(memory))
                return direct_io.read_into(fd, address, memory)

            monkeypatch.setattr(frame_reader, "read_into", note)
            head = await shown.picture(region=[100, 200, 50, 40], go={"frame": 2}, probe=[110, 230])
            assert head["probe"] == [110, 230, int(file.frames[2, 230, 110])]
            assert 40 * 800 <= sum(read) <= 40 * 800 + 2 * PAGE
            # More of the same frame is read when it is shown.
            head = await shown.picture(region=None, probe=[4, 6])
            assert head["probe"] == [4, 6, int(file.frames[2, 6, 4])]


async def test_a_newer_wish_takes_the_place_of_one_that_the_disk_is_slow_with(
    tmp_path: Path, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame_reader, "PIECE_BYTES", PAGE)
    monkeypatch.setattr(frame_pictures, "PATIENCE_S", 0.0)
    file = Written(tmp_path / "x.h5", FrameFormat(60, 100, np.dtype(np.uint16)))
    for _ in range(3):
        file.write()
    file.close()
    loop = asyncio.get_running_loop()
    with opened([file.path], probe) as recording:
        async with page(recording, probe) as shown:
            await shown.picture()
            pieces: list[int] = []
            begun, goes_on = asyncio.Event(), asyncio.Event()

            def slow(fd: int, address: int, memory: memoryview) -> int:
                pieces.append(address)
                if len(pieces) == 1:
                    loop.call_soon_threadsafe(begun.set)
                    asyncio.run_coroutine_threadsafe(goes_on.wait(), loop).result()
                return direct_io.read_into(fd, address, memory)

            monkeypatch.setattr(frame_reader, "read_into", slow)
            await shown.say(ready=True, go={"frame": 5})
            await begun.wait()
            # The page is answered while the disk is waited for.
            monkeypatch.setattr(viewer, "SLOW_S", 0.0)
            await shown.say(go={"frame": 9})
            while not shown.told.get("status", {}).get("reading_s"):
                await shown.hear()
            goes_on.set()
            while not await shown.hear():
                pass
            assert shown.head["index"] == 9
            # Of the other one no further piece was read.
            assert pieces[1] - pieces[0] > 2 * 60 * 100 * 2


async def test_a_snapshot_is_of_the_frame_shown(tmp_path: Path, probe: Probe) -> None:
    file = with_losses(tmp_path / "x.h5")
    before = file.path.read_bytes()
    with opened([file.path], probe) as recording:
        async with page(recording, probe) as shown:
            await shown.picture(go={"frame": 6})
            number = shown.head["number"]
            assert f"x_frame{number}.tif" in await shown.command("snapshot")
            with tifffile.TiffFile(tmp_path / f"x_frame{number}.tif") as picture:
                assert np.array_equal(picture.asarray(), file.frames[6])
                assert '"utc"' in picture.pages[0].tags["ImageDescription"].value  # type: ignore[union-attr]
            assert "write a name without folders" in await shown.command("snapshot ../x.tif")
            for line in ("mark here", "stop", "quit", "exposure 5ms", "preview rate 3"):
                assert "not on a recording in a file" in await shown.command(line), line
    assert file.path.read_bytes() == before


async def test_what_cannot_be_read_is_told_and_the_rest_is_shown(
    tmp_path: Path, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = with_losses(tmp_path / "x.h5")
    with opened([file.path], probe) as recording:
        last = int(recording.recording.contents[0].pixels.addresses[-1])
        os.truncate(file.path, last)
        async with page(recording, probe) as shown:
            await shown.picture()
            read_at: list[int] = []

            def note(fd: int, address: int, memory: memoryview) -> int:
                read_at.append(address)
                return direct_io.read_into(fd, address, memory)

            monkeypatch.setattr(frame_reader, "read_into", note)
            with pytest.raises(DamagedFileError, match="cut short; recorder recover"):
                await shown.picture(go={"frame": 11})
            # Not again and again.
            await shown.until("status", "plays", False)
            await asyncio.sleep(0.05)
            assert len(read_at) <= 2
            shown.told.clear()
            assert (await shown.picture(go={"frame": 3}))["index"] == 3


async def test_nonsense_from_a_page_ends_its_connection_alone(tmp_path: Path, probe: Probe) -> None:
    file = with_losses(tmp_path / "x.h5")
    with opened([file.path], probe) as recording:
        nonsense: dict[str, Any]
        for nonsense in ({"go": 3}, {"go": {"frame": "x"}}, {"go": {"up": 1}}, {"speed": 0}, {"go": {}}):
            async with page(recording, probe) as shown:
                await shown.picture()
                await shown.say(**nonsense)
                with contextlib.suppress(AssertionError):
                    while True:
                        await shown.hear()


def test_what_is_no_recording_is_refused_in_a_line(tmp_path: Path, probe: Probe) -> None:
    (tmp_path / "text.h5").write_text("hello")
    file = Written(tmp_path / "empty.h5")
    file.close()
    for name, kind, words in (
        ("text.h5", NotOurFileError, "not an HDF5 file"),
        ("empty.h5", UsageError, "holds no frame"),
        ("none.h5", UsageError, "no such file"),
    ):
        with pytest.raises(kind, match=words), opened([tmp_path / name], probe):
            pass
