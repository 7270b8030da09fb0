"""A recording longer than the disk: frames are looked at as they come, then their room is given back.

python -m tests.benchmarks.passing_frames x.h5 [y.h5 ...]

Waits for each file, follows it with h5py as any SWMR reader does, and holds the number in each frame's own
timestamp against the one before. Some blocks behind the writer it takes the pixels out of the file (holes,
Linux), so that a minute of two cameras needs the room of seconds. Ends with its standard input, and says what
it saw.
"""

import contextlib
import ctypes
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from recorder.camera.timestamp import read_numbers

# FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE
PUNCH = 1 | 2

# Chunks that may still be written again, or read by whoever looks at the newest frame.
KEPT_CHUNKS = 8

STAMP_PIXELS = 14
PAUSE_S = 0.05


class PassingFrames:
    """One file of which frames are looked at and let go of; `checked` so many, `wrong` of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checked = self.wrong = 0
        self._file = h5py.File(path, "r", swmr=True)
        self._data = self._file["data"]
        self._fd = os.open(path, os.O_RDWR)
        os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_RANDOM)
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._next = 0
        self._last: int | None = None

    def look(self, *, kept: int = KEPT_CHUNKS) -> None:
        """Look at all chunks that came, but for the last few."""
        self._data.refresh()
        per_chunk = self._data.chunks[0]
        whole = self._data.shape[0] // per_chunk - kept
        for chunk in range(self._next, whole):
            self._pass(chunk, per_chunk)
        self._next = max(self._next, whole)

    def _pass(self, chunk: int, per_chunk: int) -> None:
        place = self._data.id.get_chunk_info_by_coord((chunk * per_chunk, 0, 0))
        frame = 2 * self._data.shape[1] * self._data.shape[2]
        heads = b"".join(
            os.pread(self._fd, 2 * STAMP_PIXELS, place.byte_offset + i * frame) for i in range(per_chunk)
        )
        numbers, are_valid = read_numbers(np.frombuffer(heads, np.uint16).reshape(per_chunk, STAMP_PIXELS))
        for number, is_valid in zip(numbers.tolist(), are_valid.tolist(), strict=True):
            follows = is_valid and (self._last is None or number == self._last + 1)
            self.wrong += not follows
            self._last = number
        self.checked += per_chunk
        start, size = ctypes.c_int64(place.byte_offset), ctypes.c_int64(place.size)
        if self._libc.fallocate64(self._fd, PUNCH, start, size):
            raise OSError(ctypes.get_errno(), "fallocate", str(self.path))

    def close(self) -> None:
        self._file.close()
        os.close(self._fd)


def is_over() -> bool:
    """Wait a moment, and tell whether whoever started this has closed its end: the files are complete."""
    return bool(select.select([sys.stdin], [], [], PAUSE_S)[0])


def open_when_there(path: Path) -> PassingFrames:
    """Open a file as soon as it is there and ready for readers; exit where it never comes."""
    while True:
        with contextlib.suppress(OSError, KeyError):
            return PassingFrames(path)
        if is_over():
            sys.exit(f"{path}: never came")


@contextlib.contextmanager
def giving_room_back(*paths: Path) -> Iterator[None]:
    """Have a process look at the frames of these files meanwhile; print what it saw at the end."""
    command = [sys.executable, "-m", "tests.benchmarks.passing_frames", *map(str, paths)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield
        finally:
            told, _ = process.communicate()
            print(told, end="")


def main() -> None:
    passing = [open_when_there(Path(name)) for name in sys.argv[1:]]
    are_complete = False
    while not are_complete:
        are_complete = is_over()
        for frames in passing:
            frames.look(kept=0 if are_complete else KEPT_CHUNKS)
    for frames in passing:
        print(
            f"{frames.path.name}: {frames.checked} frames seen by an SWMR reader, {frames.wrong} out of order"
        )
        frames.close()


if __name__ == "__main__":
    main()
