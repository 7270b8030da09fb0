"""Check a file that is closed: its structure, its rows, and every frame's pixels."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.camera import timestamp
from recorder.errors import DamagedFileError, UsageError
from recorder.files.checks import Kind, Problem, Structure, structure_of
from recorder.files.probe import Probe
from recorder.frames.checksum import checksums
from recorder.storage.direct_io import open_to_read, read_into
from recorder.storage.packed_chunk import unpack
from recorder.storage.writer_lock import is_being_written

# Chunks that are read ahead while one is looked at.
READERS = 3

# What is read at once, of a chunk that is larger: the disk is busy, and memory stays small.
PIECE_BYTES = 16_000_000

# The checks of structure take longer for a longer file: 5 s for one that is damaged, and this for each GB.
TIMEOUT_S = 5.0
TIMEOUT_S_PER_GB = 0.2

# Problems of one kind that are named; the others are counted.
MAX_NAMED = 10


@dataclass(frozen=True)
class Verified:
    """What was found in a file.

    `stamped` frames carry a timestamp, which was compared with their row; the pixels of `summed` were
    compared with their checksums.
    """

    path: Path
    frames: int
    lost: int
    bytes: int
    stamped: int
    summed: int
    problems: tuple[Problem, ...]

    @property
    def exit_code(self) -> int:
        """0: sound; 3: sound, but frames are missing as it says, or the recording failed; 1: damaged."""
        kinds = {problem.kind for problem in self.problems}
        return 1 if Kind.DAMAGE in kinds else 3 if kinds else 0


def verify(path: Path, probe: Probe, on_progress: Callable[[int, int], object]) -> Verified:
    """Check all of a file, in which nothing is changed; blocks until every frame is read.

    `on_progress` is called with the bytes read so far and in all. Raises UsageError where there is no file or
    a recorder writes to it, NotOurFileError for one of another program, DamagedFileError where too little can
    be read to check anything.
    """
    if path.is_file() and is_being_written(path, may_write=False):
        raise UsageError(f"{path}: a recorder writes to it; verify it when that has closed it")
    size = path.stat().st_size if path.is_file() else 0
    structure = probe.ask(structure_of, path, TIMEOUT_S + size * 1e-9 * TIMEOUT_S_PER_GB)
    found = _Pixels(path, structure)
    problems = [*structure.problems, *found.check(on_progress)]
    return Verified(
        path, structure.frames, structure.lost, found.bytes, found.stamped, found.summed, tuple(problems)
    )


@dataclass(frozen=True)
class _Piece:
    """What is read at once: `count` frames from index `first` on; `packed` bytes of a packed chunk, or 0."""

    first: int
    count: int
    address: int
    packed: int


@dataclass(frozen=True)
class _Read:
    """Frames (n, H * W) of a piece, and their checksums where the file has these; or why there are none."""

    frames: NDArray[Any]
    sums: NDArray[np.uint32] | None
    problem: str = ""


class _Pixels:
    """The frames' pixels, read from the file without HDF5, in the order of the file."""

    def __init__(self, path: Path, structure: Structure) -> None:
        self._path, self._structure = path, structure
        height, width = structure.frame_shape
        self._dtype = np.dtype(structure.dtype)
        self._frame_bytes = height * width * self._dtype.itemsize
        self._chunk_bytes = structure.frames_per_chunk * self._frame_bytes
        self.bytes = structure.frames * self._frame_bytes
        self.stamped = self.summed = 0
        # By how much timestamps are ahead of the rows' numbers, where those count anew; None: not known yet.
        self._ahead: int | None = None
        self._before = (0, 0)  # row and timestamp of the last frame that has one
        self._fd = -1

    def check(self, on_progress: Callable[[int, int], object]) -> Iterator[Problem]:
        """Read all frames; yield what is wrong with them."""
        done, wrong = 0, []
        self._fd = open_to_read(self._path)
        try:
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
            for first, read in self._read_ahead():
                wrong += [read.problem] if read.problem else []
                wrong += self._compare_stamps(first, read.frames)
                if read.sums is not None:
                    wrong += self._compare_sums(first, read.sums)
                done += read.frames.nbytes
                on_progress(done, self.bytes)
        except OSError as error:
            yield Problem(
                Kind.DAMAGE, "pixels", f"{done} bytes of pixels can be read, then: {error.strerror}"
            )
        finally:
            os.close(self._fd)
        if self.stamped not in {0, self._structure.frames} and not wrong:
            wrong.append(f"{self._structure.frames - self.stamped} frames have no timestamp, as others do")
        for text in wrong[:MAX_NAMED]:
            yield Problem(Kind.DAMAGE, "pixels", text)
        if len(wrong) > MAX_NAMED:
            yield Problem(Kind.DAMAGE, "pixels", f"and {len(wrong) - MAX_NAMED} more")

    def _pieces(self) -> Iterator[_Piece]:
        """Yield the pieces of the file in their order: packed chunks, and parts of others."""
        per_chunk, frames = self._structure.frames_per_chunk, self._structure.frames
        step = max(1, PIECE_BYTES // max(1, self._frame_bytes))
        chunks = zip(self._structure.chunks, self._structure.packed, strict=True)
        for chunk, (address, packed) in enumerate(chunks):
            begin, end = chunk * per_chunk, min((chunk + 1) * per_chunk, frames)
            for first in range(begin, end, per_chunk if packed else step):
                place = address + (first - begin) * self._frame_bytes
                yield _Piece(first, min(per_chunk if packed else step, end - first), place, packed)

    def _read_ahead(self) -> Iterator[tuple[int, _Read]]:
        """Yield what is read with the index of its first frame; others are read meanwhile.

        The frames of one turn are overwritten after the next has begun.
        """
        size = min(max(PIECE_BYTES, self._frame_bytes), self.bytes)
        if any(self._structure.packed):
            size = max(size, self._chunk_bytes)
        free = [memoryview(bytearray(size)) for _ in range(READERS + 1)]
        with ThreadPoolExecutor(READERS, "verify") as readers:
            waiting: deque[tuple[int, memoryview, Future[_Read]]] = deque()
            for piece in chain(self._pieces(), repeat(None)):
                if piece is None or not free:
                    if not waiting:
                        return
                    begin, buffer, reading = waiting.popleft()
                    yield begin, reading.result()
                    free.append(buffer)
                if piece is not None:
                    buffer = free.pop()
                    waiting.append((piece.first, buffer, readers.submit(self._read, buffer, piece)))

    def _read(self, buffer: memoryview, piece: _Piece) -> _Read:
        whole, problem = piece.count, ""
        if piece.packed:
            stored = np.empty(piece.packed, np.uint8)
            filled = read_into(self._fd, piece.address, stored.data)
            try:
                unpack(stored.data[:filled], buffer[: self._chunk_bytes])
            except DamagedFileError as error:
                last = piece.first + piece.count - 1
                whole, problem = 0, f"frames {piece.first} to {last} cannot be read: {error}"
        else:
            filled = read_into(self._fd, piece.address, buffer[: piece.count * self._frame_bytes])
            whole = filled // self._frame_bytes
        data = buffer[: whole * self._frame_bytes]
        frames = np.frombuffer(data, self._dtype).reshape(whole, -1 if whole else 0)
        if self._structure.checksums is None:
            return _Read(frames, None, problem)
        starts = range(0, len(data), self._frame_bytes)
        sums = checksums(data[start : start + self._frame_bytes] for start in starts)
        return _Read(frames, sums, problem)

    def _compare_sums(self, first: int, sums: NDArray[np.uint32]) -> list[str]:
        """Return which frames from index `first` on have other pixels than their checksums say."""
        expected = np.zeros(0, np.uint32) if self._structure.checksums is None else self._structure.checksums
        expected = expected[first : first + len(sums)]
        self.summed += len(expected)
        wrong = np.flatnonzero(sums[: len(expected)] != expected)
        return [f"the pixels of frame {first + i} are not those of its checksum" for i in wrong]

    def _compare_stamps(self, first: int, frames: NDArray[Any]) -> list[str]:
        """Return what is wrong with the timestamps of frames (n, H * W) from index `first` on."""
        if not len(frames) or frames.shape[1] < timestamp.PIXELS:
            return []
        numbers, is_stamp = timestamp.read_numbers(frames)
        self.stamped += int(is_stamp.sum())
        rows = self._structure.numbers[first : first + len(frames)].astype(np.int64)
        expected = (
            rows + self._offsets(rows, numbers.astype(np.int64), is_stamp)
        ) % timestamp.COUNTER_MODULUS
        wrong = np.flatnonzero(is_stamp & (numbers != expected))
        return [
            f"frame {first + i} has the timestamp of number {numbers[i]}, its row says {expected[i]}"
            for i in wrong
        ]

    def _offsets(
        self, rows: NDArray[np.int64], numbers: NDArray[np.int64], is_stamp: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Return by how much the timestamp of each frame may be ahead of its row.

        Not at all; in a file that says so, by as much as with its first timestamp, and anew behind missing
        frames where the timestamp goes back: there the camera was started again.
        """
        offsets = np.zeros(len(rows), np.int64)
        if not self._structure.counts_anew:
            return offsets
        for i in np.flatnonzero(is_stamp):
            row, number = int(rows[i]), int(numbers[i])
            before_row, before = self._before
            went_back = number < before and before - number < timestamp.COUNTER_MODULUS // 2
            if self._ahead is None or (went_back and row > before_row + 1):
                self._ahead = number - row
            self._before = (row, number)
            offsets[i] = self._ahead
        return offsets
