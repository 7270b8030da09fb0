"""Frames as arrays of Dask and xarray are the frames, read where and when they are needed."""

import pickle
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.errors import StorageError
from recorder.files.opened import analysis_libraries
from recorder.files.opened.frames import Frames
from recorder.files.opened.recording import OpenedRecording, open_files
from tests.unit.files.damaged import DATA
from tests.unit.files.opened.recordings import FORM, PER_CHUNK, written

Opened = tuple[OpenedRecording, NDArray[Any]]


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    """Two files, of 20 and of 8 frames."""
    folder = tmp_path_factory.mktemp("libraries")
    frames = [written(folder / "one.h5"), written(folder / "two.h5", chunks=2, first=21)]
    with open_files([folder / "one.h5", folder / "two.h5"]) as recording:
        recording.frames[[0, -1]]  # files are opened as they are read
        yield recording, np.concatenate(frames)


def test_blocks_are_whole_chunks_of_each_file(opened: Opened) -> None:
    recording, frames = opened
    lazy: Any = recording.dask(block_bytes=2 * PER_CHUNK * FORM.nbytes + 1)
    assert lazy.chunks == ((8, 8, 4, 8), (24,), (40,))
    assert recording.dask(block_bytes=1).chunks[0] == (4,) * 7
    assert (lazy.shape, lazy.dtype) == (frames.shape, frames.dtype)
    with ThreadPoolExecutor(2) as pool, dask.config.set(pool=pool):
        with_threads = lazy.mean(axis=0).compute(scheduler="threads")
    np.testing.assert_allclose(with_threads, frames.mean(axis=0))
    np.testing.assert_array_equal(
        lazy[3:21:2, 5:7, ::-3].compute(scheduler="sync"), frames[3:21:2, 5:7, ::-3]
    )


def test_tasks_are_small_and_read_what_is_asked_for(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    recording, frames = opened
    lazy: Any = recording.dask(block_bytes=1)[:, 4:6, 7]
    assert len(pickle.dumps(lazy)) < 5000
    read: list[tuple[int, ...]] = []
    fill = Frames.read_into

    def noted(self: Frames, first: int, out: NDArray[Any], rows: slice | None = None) -> None:
        read.append(out.shape)
        fill(self, first, out, rows)

    monkeypatch.setattr(Frames, "read_into", noted)
    np.testing.assert_array_equal(lazy.compute(scheduler="sync"), frames[:, 4:6, 7])
    assert read == [(4, 2, 40)] * 7


def test_files_that_have_moved_are_found_in_their_folder(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    frames = written(here / "one.h5", chunks=1)
    with open_files([here / "one.h5"]) as recording:
        here.rename(there)
        found: Any = recording.dask(folder=there)
        np.testing.assert_array_equal(found.compute(scheduler="sync"), frames)
        gone: Any = recording.dask()
        with pytest.raises(StorageError, match="cannot be opened"):
            gone.compute(scheduler="sync")


def test_an_xarray_has_names_and_times(opened: Opened) -> None:
    recording, frames = opened
    named: Any = recording.xarray()
    assert named.dims == ("time", "y", "x")
    np.testing.assert_array_equal(named["time"], recording.time)
    np.testing.assert_array_equal(named["utc"], recording.utc)
    np.testing.assert_array_equal(named["frame_number"], recording.frame_number)
    assert named.attrs["verdict"] == "complete"
    np.testing.assert_array_equal(named.sel(time=0.05, method="nearest"), frames[5])
    np.testing.assert_array_equal(
        named.isel(time=[25, 3], y=[1, 5], x=slice(3, 9)), frames[[25, 3]][:, [1, 5], 3:9]
    )
    np.testing.assert_array_equal(named.isel(time=2, y=4, x=[1, 9]), frames[2, 4, [1, 9]])
    with dask.config.set(scheduler="sync"):
        np.testing.assert_array_equal(recording.xarray(dask=True).max("time"), frames.max(axis=0))


@pytest.mark.parametrize(("library", "call"), [("dask.array", "dask"), ("xarray", "xarray")])
def test_a_library_that_is_missing_is_named_with_its_extra(library: str, call: str) -> None:
    code = (
        f"import sys, recorder\nsys.modules[{library!r}] = None\n"
        f"try: recorder.open({str(DATA / 'layout2.h5')!r}).{call}()\n"
        "except recorder.errors.UsageError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{library} cannot be imported")
    assert "pip install 'recorder[analysis]'" in done.stdout
    assert analysis_libraries.__name__ not in done.stderr
