"""Signals of a file, what was measured beside the frames: read when asked for, as they may be many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from recorder.errors import DamagedFileError, UsageError
from recorder.files.opening import DAMAGE, open_recording
from recorder.files.probe import TIMEOUT_S, Probe
from recorder.files.signal_tables import READ_ROWS, signal_names
from recorder.storage.records import SignalRow

# How many rows a process reads in a second, at the least.
ROWS_PER_S = 200_000


@dataclass(frozen=True)
class Signal:
    """The rows of one signal, in the order in which they came.

    `time` (n,) is that of each row in s on the axis of the recording's `time`, `frame` (n,) the index of the
    frame being exposed then (-1: it is not there), `values` (n, k) its numbers. `sender_time` (n,) is the
    time that the sender gave it by its own clock, NaN where it gave none.
    """

    time: NDArray[np.float64]
    frame: NDArray[np.int64]
    values: NDArray[np.float64]
    sender_time: NDArray[np.float64]

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.time)

    def __repr__(self) -> str:
        return f"<Signal of {len(self)} rows of {self.values.shape[1]}>"

    def later(self, seconds: float, frames: int) -> "Signal":
        """Return it as part of a recording in which its file begins so much later."""
        frame = np.where(self.frame >= 0, self.frame + frames, -1)
        return replace(self, time=self.time + seconds, frame=frame)


def ask_signals(path: Path, probe: Probe, rows: int) -> dict[str, Signal]:
    """Have `probe` read the signals of a file, of about so many rows; raises as `read_signals`."""
    return probe.ask(read_signals, path, TIMEOUT_S + rows / ROWS_PER_S)


def read_signals(path: Path) -> dict[str, Signal]:
    """Read the signals of the file at `path`, also while it grows; blocks. Raises as `open_recording`."""
    try:
        with open_recording(path) as file:
            entry = file["entry"]
            return _read(entry) if SignalRow.table in entry else {}
    except (UsageError, DamagedFileError):
        raise
    except DAMAGE as error:
        raise DamagedFileError(f"{path}: its signals cannot be read: {error}") from None


def _read(entry: h5py.Group) -> dict[str, Signal]:
    # First the rows: their names are written before them.
    table = entry[SignalRow.table]
    rows = np.zeros(len(table), SignalRow.dtype())
    for first in range(0, len(rows), READ_ROWS):
        table.read_direct(rows, np.s_[first : first + READ_ROWS], np.s_[first : first + READ_ROWS])
    found = {}
    for i, (name, count) in enumerate(signal_names(entry)):
        part = rows[rows["signal"] == i]
        found[name] = Signal(part["time"], part["frame"], part["values"][:, :count], part["sender_s"])
    return found


def joined_signals(parts: Sequence[Mapping[str, Signal]]) -> dict[str, Signal]:
    """Return the signals of several files as one; raises UsageError where rows of one name differ in size."""
    found: dict[str, Signal] = {}
    for name in dict.fromkeys(name for part in parts for name in part):
        same = [part[name] for part in parts if name in part]
        sizes = {one.values.shape[1] for one in same}
        if len(sizes) > 1:
            told = " and ".join(map(str, sorted(sizes)))
            raise UsageError(f"signal {name}: has rows of {told} numbers; open the files one by one")
        found[name] = Signal(
            *(np.concatenate([getattr(one, name) for one in same]) for name in Signal.__annotations__)
        )
    return found
