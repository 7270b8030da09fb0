"""The frames of one or several files as one array that stays on the disk."""

import itertools
import math
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from recorder.errors import UsageError
from recorder.files.opened.pixels import FilePixels

# What is read at once where frames are gone through: the disk is busy, and memory stays small.
BLOCK_BYTES = 32_000_000
READERS = 2


class Frames:
    """Frames (N, H, W), read from the disk as they are indexed.

    As a numpy array: numbers, slices (also negative, also with steps), `...` and `None`; for frames also a
    list of numbers, or an array of numbers or of N booleans. Whole frames come as fast as the disk gives
    them; of a band of rows only these are read. `numpy.asarray(frames)` reads all of them. From any thread.
    """

    ndim = 3

    def __init__(self, files: Sequence[FilePixels]) -> None:
        self.dtype: np.dtype[Any] = np.dtype(files[0].dtype)
        self.have(files)
        self._fds: dict[int, int] = {}
        self._opening = threading.Lock()
        self._is_closed = False

    def have(self, files: Sequence[FilePixels]) -> None:
        """Be the frames of `files`: those there were, which may have become longer, and new ones behind."""
        self._files = tuple(files)
        self._starts = np.cumsum([0, *(file.frames for file in files)])
        self.shape = (int(self._starts[-1]), files[0].height, files[0].width)

    # What it is.

    @property
    def frame_bytes(self) -> int:
        """Size of a frame in bytes."""
        return self._files[0].frame_bytes

    @property
    def size(self) -> int:
        """Number of pixels."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Size of all frames in bytes."""
        return len(self) * self.frame_bytes

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        sizes = " x ".join(map(str, self.shape))
        return f"<Frames {sizes} {self.dtype}, {self.nbytes / 1e9:.3f} GB on the disk>"

    # Reading.

    def __getitem__(self, key: Any) -> NDArray[Any]:  # noqa: ANN401 - whatever numpy takes
        keys = key if isinstance(key, tuple) else (key,)
        which, rest = self._expanded(keys)
        # An array without memory of its own says what numpy would make of it, and what it refuses.
        shape = np.broadcast_to(np.zeros(1, bool), self.shape)[key].shape
        wanted = np.arange(len(self))[which]
        is_single = wanted.ndim == 0
        indices = wanted.reshape(-1)
        if len(indices) > 1 and indices[0] > indices[1]:
            found = self._read(indices[::-1], *rest)[::-1]
        else:
            found = self._read(indices, *rest)
        found = found[0] if is_single else found
        return found.reshape(shape)

    def _expanded(self, keys: tuple[Any, ...]) -> tuple[Any, tuple[int | slice, int | slice]]:
        """Return which frames, and which rows and columns, are asked for; raises IndexError."""
        if sum(key is Ellipsis for key in keys if not isinstance(key, np.ndarray | list)) > 1:
            raise IndexError("an index can only have a single ellipsis ('...')")
        axes = [key for key in keys if key is not None and key is not Ellipsis]
        if len(axes) > self.ndim:
            raise IndexError(
                f"too many indices: frames have {self.ndim} dimensions, {len(axes)} were indexed"
            )
        at = next((i for i, key in enumerate(keys) if key is Ellipsis), len(keys))
        before = [key for key in keys[:at] if key is not None]
        after = [key for key in keys[at + 1 :] if key is not None]
        full = [*before, *[slice(None)] * (self.ndim - len(axes)), *after]
        which, *rest = full
        for part in rest:
            if not isinstance(part, int | slice | np.integer) or isinstance(part, bool):
                raise IndexError(
                    "rows and columns are indexed with numbers and slices; index what comes out of it"
                )
        if not isinstance(which, int | slice | np.integer):
            which = np.asarray(which)
            if which.size == 0:
                which = which.astype(np.intp)
            if which.ndim != 1 or any(key is None for key in keys) or which.dtype.kind not in "iub":
                raise IndexError("frames are indexed with numbers, slices, a list of numbers or N booleans")
        return which, (rest[0], rest[1])

    def _read(self, indices: NDArray[np.int64], rows: int | slice, columns: int | slice) -> NDArray[Any]:
        """Return what is asked for of frames `indices` (n,), in this order."""
        _, height, width = self.shape
        wanted = np.arange(height)[rows]
        low, high = (int(wanted.min()), int(wanted.max()) + 1) if wanted.size else (0, 0)
        # Of a band from the first to the last row that is wanted.
        inside = slice(None, None, rows.step) if isinstance(rows, slice) else 0
        if (
            isinstance(columns, slice)
            and columns.indices(width) == (0, width, 1)
            and wanted.size == high - low
        ):
            band = np.empty((len(indices), high - low, width), self.dtype)
            self._fill(indices, slice(low, high), band)
            return band[:, inside]
        # Only what is asked for stays in memory.
        step = max(1, BLOCK_BYTES // max(1, (high - low) * width * self.dtype.itemsize))
        band = np.empty((min(step, len(indices)), high - low, width), self.dtype)
        result = np.empty(
            (len(indices), *np.empty((high - low, width), bool)[inside, columns].shape), self.dtype
        )
        for begin in range(0, len(indices), step):
            part = indices[begin : begin + step]
            self._fill(part, slice(low, high), band[: len(part)])
            result[begin : begin + step] = band[: len(part), inside, columns]
        return result

    def _fill(self, indices: NDArray[np.int64], rows: slice, out: NDArray[Any]) -> None:
        """Read rows of frames `indices` into `out`; frames that follow each other are read together."""
        if not out.size:
            return
        breaks = np.flatnonzero(np.diff(indices) != 1) + 1
        for begin, end in itertools.pairwise([0, *breaks.tolist(), len(indices)]):
            self.read_into(int(indices[begin]), out[begin:end], rows)

    def read_into(self, first: int, out: NDArray[Any], rows: slice | None = None) -> None:
        """Read frames from `first` on into `out` (n, H, W), contiguous and of the same type.

        With `rows` (start and stop given) only these rows of each. Raises DamagedFileError where the file
        ends before them, StorageError where it is gone or the disk fails.
        """
        rows = slice(0, self.shape[1]) if rows is None else rows
        for number, file in enumerate(self._files):
            begin, end = int(self._starts[number]), int(self._starts[number + 1])
            start, stop = max(first, begin), min(first + len(out), end)
            if start < stop:
                part = out[start - first : stop - first]
                file.read(self._descriptor(number), start - begin, rows, part)

    def place(self, index: int) -> tuple[FilePixels, int]:
        """Return the file that has frame `index`, and which of its frames it is."""
        number = int(np.searchsorted(self._starts, index, "right")) - 1
        return self._files[number], index - int(self._starts[number])

    def _descriptor(self, number: int) -> int:
        with self._opening:
            if self._is_closed:
                raise UsageError("this recording was closed; open it again")
            if number not in self._fds:
                self._fds[number] = self._files[number].open()
            return self._fds[number]

    # All of them.

    def blocks(
        self,
        first: int = 0,
        stop: int | None = None,
        block_bytes: int = BLOCK_BYTES,
        rows: slice | None = None,
    ) -> Iterator[tuple[int, NDArray[Any]]]:
        """Go through frames [first, stop): yield frames (n, H, W) with the index of the first.

        With `rows` (start and stop given) only these rows of each. The next ones are read meanwhile, and
        memory is bounded: the frames of one turn are overwritten after the next has begun.
        """
        stop = len(self) if stop is None else min(stop, len(self))
        rows = slice(0, self.shape[1]) if rows is None else rows
        shape = (rows.stop - rows.start, self.shape[2])
        step = max(1, block_bytes // max(1, math.prod(shape) * self.dtype.itemsize))
        starts = range(first, stop, step)
        if not starts:
            return
        # One is looked at, two are read.
        buffers = [np.empty((min(step, stop - first), *shape), self.dtype) for _ in range(READERS + 1)]

        def read(turn: int) -> NDArray[Any]:
            part = buffers[turn % len(buffers)][: stop - starts[turn]]
            self.read_into(starts[turn], part, rows)
            return part

        with ThreadPoolExecutor(READERS, "read ahead") as readers:
            waiting: deque[Future[NDArray[Any]]] = deque()
            for turn in range(len(starts)):
                while len(waiting) < READERS and turn + len(waiting) < len(starts):
                    waiting.append(readers.submit(read, turn + len(waiting)))
                yield starts[turn], waiting.popleft().result()

    def __iter__(self) -> Iterator[NDArray[Any]]:
        """Go through the frames (H, W), each a copy."""
        for _, frames in self.blocks():
            for frame in frames:
                yield frame.copy()

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("frames are on the disk: they cannot become an array without being read")
        frames = self[:]
        return frames if dtype is None else frames.astype(dtype, copy=False)

    def close(self) -> None:
        """Let go of the files; a second time does nothing."""
        with self._opening:
            self._is_closed = True
            while self._fds:
                os.close(self._fds.popitem()[1])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
