"""Check the files of a soak test one after the other, with little memory and a low priority, and remove them.

python -m tests.benchmarks.soak_check WIDTH HEIGHT

Started by tests.benchmarks.soak. A line of JSON on standard input for each file (`file`, `run`, `not_before`:
a time in s since 1970), a line on standard output with what was found. Files that are not as they should be
stay.
"""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 - so that packed chunks can be read
import numpy as np

from recorder.camera import timestamp
from recorder.camera.simulated.scene import Scene
from recorder.settings.cameras import SimulatedCameraSettings
from recorder.storage.layout import DETECTOR
from recorder.units import parse_seconds
from tests.system.conftest import COMMAND

# How long a file may take to be closed once the recorder has gone on to the next one.
CLOSED_S = 60.0

# The frames' stamps count whole us, the column's are doubles.
STAMP_S = 2e-6

# A low priority, but not the lowest: with two cores that are always busy that one would never come to an end.
NICE = 10

# Of each kind of mistake in a file, so many are reported.
REPORTED = 5


@dataclass
class Found:
    """What one file holds, and what is wrong with it."""

    frames: int = 0
    losses: Counter[str] = field(default_factory=Counter)
    marks: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    closed_after_s: float = 0.0
    verdict: str = ""

    def require(self, ok: bool, problem: str) -> None:
        if not ok:
            self.problems.append(problem)


class Checker:
    """Check files in the order in which they were recorded."""

    def __init__(self, width: int, height: int) -> None:
        self._scene = Scene(height, width, 0, SimulatedCameraSettings().electrons)
        self._run, self._last, self._run_lost = 0, 0, 0
        shown = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=False).stdout
        self._has_verify = any(line.startswith("  verify ") for line in shown.splitlines())

    def check(self, path: Path, run: int) -> Found:
        """Check the file at `path`, of the session's run number `run`."""
        if run != self._run:
            self._run, self._last, self._run_lost = run, 0, 0
        found = Found()
        began_s = time.monotonic()
        file = open_closed(path)
        found.closed_after_s = time.monotonic() - began_s
        with file:
            found.verdict = file["entry/verdict"][()].decode()
            numbers = file[DETECTOR]["sequence_number"][:].astype(np.int64)
            found.frames = len(numbers)
            found.require(len(file["data"]) == len(numbers), f"{len(file['data'])} frames in data")
            self._check_numbers(file, numbers, found)
            check_rows(file, numbers, found)
            self._check_frames(file[DETECTOR], numbers, found)
        if self._has_verify:
            command = [*COMMAND, "verify", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            # 3: sound, with the losses that it tells, which the report has.
            is_sound = done.returncode == (3 if found.losses else 0)
            found.require(is_sound, f"verify: {done.returncode}: {done.stdout}{done.stderr}")
        return found

    def _check_numbers(self, file: h5py.File, numbers: Any, found: Found) -> None:
        """See that every gap between the counters, also to the file before, is told, and no other."""
        told: dict[int, tuple[int, int]] = {}
        for row in file["entry/losses"]:
            after = int(row["after_frame"])
            count, first = told.get(after, (0, int(row["first_missing"])))
            told[after] = count + int(row["count"]), min(first, int(row["first_missing"]))
            found.losses[row["cause"].decode()] += int(row["count"])
        at_end = told.pop(len(numbers) - 1, (0, 0))[0]
        steps = np.diff(numbers, prepend=self._last)
        gaps = {
            int(i) - 1: (int(steps[i]) - 1, int(numbers[i] - steps[i]) + 1)
            for i in np.flatnonzero(steps != 1)
        }
        found.require(gaps == told, f"gaps {gaps}, told {told} (after frame: count, first missing)")
        self._last = (int(numbers[-1]) if len(numbers) else self._last) + at_end
        self._run_lost += found.losses.total()
        allowed = {"frames lost"} if found.losses else {"complete"}
        if self._run_lost:
            allowed.add("frames lost")
        found.require(found.verdict in allowed, f"verdict {found.verdict} with losses {dict(found.losses)}")

    def _check_frames(self, detector: h5py.Group, numbers: Any, found: Found) -> None:
        """Compare every frame's stamp with its row, and every pixel with the camera's picture."""
        data, exposures = detector["data"], detector["count_time"][:]
        times = detector["start_time"][:]
        step = data.chunks[0]
        unstamped, unlike, late = [], [], []
        first_s: float | None = None
        for start in range(0, len(numbers), step):
            for i, frame in enumerate(data[start : start + step], start):
                stamp = timestamp.read(frame)
                if stamp is None or stamp.number != numbers[i]:
                    unstamped.append((i, int(numbers[i]), stamp and stamp.number))
                    continue
                seconds = stamp.time_ns * 1e-9 - times[i]
                first_s = seconds if first_s is None else first_s
                if abs(seconds - first_s) > STAMP_S:
                    late.append((i, seconds - first_s))
                picture = self._scene.frame(int(numbers[i]), float(exposures[i]))
                if not np.array_equal(
                    picture.reshape(-1)[timestamp.PIXELS :], frame.reshape(-1)[timestamp.PIXELS :]
                ):
                    unlike.append((i, int(numbers[i])))
        for wrong, what in (
            (unstamped, "another stamp than number (frame, number, stamp)"),
            (unlike, "other pixels than the camera's (frame, number)"),
            (late, "another time in the stamp than in start_time (frame, s)"),
        ):
            found.require(not wrong, f"{len(wrong)} frames with {what}: {wrong[:REPORTED]}")


def open_closed(path: Path) -> h5py.File:
    """Open a file as any program would, without SWMR; wait for it to be closed by its recorder."""
    end_s = time.monotonic() + CLOSED_S
    while True:
        problem = "it says it is being recorded"
        try:
            file = h5py.File(path, "r")
            if file["entry/verdict"][()] != b"recording":
                return file
            file.close()
        except OSError as error:
            problem = str(error)
        if time.monotonic() > end_s:
            raise ValueError(f"not closed {CLOSED_S:g} s after the next one began: {problem}")
        time.sleep(1)


def check_rows(file: h5py.File, numbers: Any, found: Found) -> None:
    """Collect marks and notes, and see that commands name frames by the counters that these have."""
    for row in file["entry/marks"]:
        label, frame = row["label"].decode(), int(row["frame"])
        found.require(label not in found.marks, f"{label} is there twice")
        found.require(0 <= frame < len(numbers), f"{label} is on frame {frame} of {len(numbers)}")
        found.marks[label] = frame
    exposures = file[DETECTOR]["count_time"][:]
    for row in file["entry/commands"]:
        line = row["command"].decode()
        for index, number in ("frame", "number"), ("effective_frame", "effective_number"):
            frame = int(row[index])
            if frame >= 0:
                same = frame < len(numbers) and numbers[frame] == row[number]
                found.require(same, f"{line}: {index} {frame} is not the one with counter {row[number]}")
        if line.startswith("note "):
            found.notes.append(line.split()[1])
        frame = int(row["effective_frame"])
        if line.startswith("exposure ") and 0 <= frame < len(exposures):
            around = [round(float(s) * 1e6) for s in exposures[max(0, frame - 1) : frame + 1]]
            wanted = round(parse_seconds(line.split()[1]) * 1e6)
            is_first = around[-1] == wanted and around[:-1] != [wanted]
            found.require(is_first, f"{line} from frame {frame} on, where the exposures are {around} us")


def main() -> None:
    with contextlib.suppress(OSError):
        os.nice(NICE)
    checker = Checker(int(sys.argv[1]), int(sys.argv[2]))
    for line in sys.stdin:
        asked = json.loads(line)
        path = Path(asked["file"])
        time.sleep(max(0.0, asked["not_before"] - time.time()))
        began_s = time.monotonic()
        try:
            found = checker.check(path, asked["run"])
        except Exception as error:  # whatever is wrong with a file is what we look for
            found = Found(problems=[f"cannot be checked: {error!r}"])
        if not found.problems:
            path.unlink()
        told = {**vars(found), "file": str(path), "run": asked["run"], "took_s": time.monotonic() - began_s}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
