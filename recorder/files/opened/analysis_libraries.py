"""Recordings as arrays of Dask and xarray; both are imported when they are asked for, and not needed else."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recorder.errors import UsageError
from recorder.files.opened.frames import Frames
from recorder.files.opened.pixels import FilePixels

if TYPE_CHECKING:
    import dask.array
    import xarray


@contextlib.contextmanager
def _needed(library: str) -> Iterator[None]:
    """Say which extra has `library` where it is missing."""
    try:
        yield
    except ImportError as error:
        raise UsageError(
            f"{library} cannot be imported ({error}); python -m pip install 'recorder[analysis]'"
        ) from None


class FramesByPath:
    """Frames (N, H, W) that open their files where and when they are indexed, as tasks on other computers do.

    What is sent there are paths, and where in the files the chunks are.
    """

    ndim = 3

    def __init__(self, files: Sequence[FilePixels]) -> None:
        self._files = tuple(files)
        self.shape = (sum(file.frames for file in files), files[0].height, files[0].width)
        self.dtype: np.dtype[Any] = np.dtype(files[0].dtype)

    def __getitem__(self, key: Any) -> NDArray[Any]:  # noqa: ANN401 - whatever numpy takes
        with Frames(self._files) as frames:
            return frames[key]

    def __dask_tokenize__(self) -> object:
        # The frames that are there never change; a file that has grown has more of them.
        return [(str(file.path), file.frames, file.addresses[:1].tolist()) for file in self._files]


def dask_array(files: Sequence[FilePixels], block_bytes: int, folder: Path | None) -> "dask.array.Array":
    """See `OpenedRecording.dask`."""
    with _needed("dask.array"):
        import dask.array  # noqa: PLC0415 - only where it is asked for
    if folder is not None:
        files = [replace(file, path=folder / file.path.name) for file in files]
    sizes = tuple(size for file in files for size in _block_sizes(file, block_bytes))
    source = FramesByPath(files)
    chunks = (sizes or (0,), (source.shape[1],), (source.shape[2],))
    from_array: Any = dask.array.from_array
    lazy: dask.array.Array = from_array(source, chunks=chunks, asarray=False, lock=False)
    return lazy


def _block_sizes(file: FilePixels, block_bytes: int) -> Iterator[int]:
    """Yield how many frames each block of a file has: whole chunks, the last one but for the file's end."""
    chunk_bytes = file.frame_bytes * file.frames_per_chunk
    step = max(1, block_bytes // chunk_bytes) * file.frames_per_chunk
    for begin in range(0, file.frames, step):
        yield min(step, file.frames - begin)


def data_array(
    frames: "Frames | dask.array.Array",
    coordinates: Mapping[str, NDArray[Any]],
    attributes: Mapping[str, str | float],
) -> "xarray.DataArray":
    """Return frames as an xarray of time, y, x; see `OpenedRecording.xarray`."""
    with _needed("xarray"):
        import xarray  # noqa: PLC0415 - only where it is asked for
        from xarray.backends import BackendArray  # noqa: PLC0415
        from xarray.core import indexing  # noqa: PLC0415

    class OnDisk(BackendArray):
        """Frames that xarray reads when it needs them."""

        def __init__(self, frames: Frames) -> None:
            self.frames, self.shape, self.dtype = frames, frames.shape, frames.dtype

        def __getitem__(self, key: indexing.ExplicitIndexer) -> NDArray[Any]:
            support = indexing.IndexingSupport.OUTER
            found: NDArray[Any] = indexing.explicit_indexing_adapter(key, self.shape, support, self.read)
            return found

        def read(self, key: tuple[Any, ...]) -> NDArray[Any]:
            frames, *rest = key
            basic = [part if isinstance(part, int | slice) else slice(None) for part in rest]
            found = self.frames[(frames, *basic)]
            # Lists of rows or columns are taken from what was read.
            axis = 0 if isinstance(frames, int) else 1
            for part, taken in zip(rest, basic, strict=True):
                if taken is not part and not isinstance(part, int | slice):
                    found = np.take(found, part, axis=axis)
                axis += not isinstance(part, int)
            return found

    data = indexing.LazilyIndexedArray(OnDisk(frames)) if isinstance(frames, Frames) else frames
    _, height, width = frames.shape
    along = {name: ("time", values) for name, values in coordinates.items()}
    return xarray.DataArray(
        xarray.Variable(("time", "y", "x"), data),
        coords={**along, "y": np.arange(height), "x": np.arange(width)},
        attrs=dict(attributes),
        name="frames",
    )
