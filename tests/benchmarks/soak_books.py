"""What a soak test keeps account of: its log, and the marks, notes, files and losses told and found."""

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.benchmarks.soak_report import read_log

# What a healthy recorder does not print.
SUSPICIOUS = ("Traceback", "error", "ERROR", "failed", "journal only")

# A line of progress, every five seconds.
PROGRESS = " MB/s  pool "

SHOWN = 20


class Books:
    """Everything that was acknowledged is expected in one file, once, where the answer said."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._out = log.open("w")
        self.began_s = time.monotonic()
        self.counts: Counter[str] = Counter()
        self.slowest: dict[str, float] = {}
        self.checked: dict[str, int] = {}
        self.handed = 0
        # Acknowledged and not yet found; and found before the answer was read.
        self._open_marks: dict[str, int] = {}
        self._early_marks: dict[str, int] = {}
        self._open_notes: set[str] = set()
        self._early_notes: set[str] = set()
        self._lost = 0

    @property
    def now_s(self) -> float:
        """The time since the test began."""
        return time.monotonic() - self.began_s

    def write(self, kind: str, **fields: Any) -> None:
        """Add a record to the log, in the file at once."""
        self._out.write(json.dumps({"kind": kind, "t": round(self.now_s, 3), **fields}) + "\n")
        self._out.flush()

    def problem(self, text: str) -> None:
        self.write("problem", text=text)
        print(f"PROBLEM {text}", file=sys.stderr, flush=True)

    def took(self, word: str, seconds: float) -> None:
        """Take note of how long an answer took."""
        self.slowest[word] = max(self.slowest.get(word, 0.0), seconds)

    def mark(self, label: str, frame: int) -> None:
        """A mark was acknowledged to be on a frame of its file."""
        self.counts["acknowledged"] += 1
        if label in self._early_marks:
            self._settle(label, frame, self._early_marks.pop(label))
        else:
            self._open_marks[label] = frame

    def _settle(self, label: str, answered: int, found: int) -> None:
        self.counts["found"] += 1
        if answered != found:
            self.problem(f"mark {label} was answered with frame {answered} and is on frame {found}")

    def note(self, name: str) -> None:
        """A note was acknowledged."""
        self.counts["notes"] += 1
        if name in self._early_notes:
            self.counts["notes found"] += 1
        else:
            self._open_notes.add(name)

    def file(self, found: dict[str, Any]) -> None:
        """A file was checked: what soak_check tells of it."""
        self.checked[found["file"]] = found["frames"]
        self._lost += sum(found["losses"].values())
        for label, frame in found["marks"].items():
            if label in self._open_marks:
                self._settle(label, self._open_marks.pop(label), frame)
            else:
                self._early_marks[label] = frame
        notes = set(found["notes"])
        self.counts["notes found"] += len(notes & self._open_notes)
        self._early_notes |= notes - self._open_notes
        self._open_notes -= notes
        self.write("file", **{**found, "marks": len(found["marks"]), "notes": len(notes)})
        for text in found["problems"]:
            self.problem(f"{Path(found['file']).name}: {text}")

    def close(self, told: dict[str, Any], printed: str, runs: int) -> None:
        """Compare what the recorder told at its end with what was found, and write the last record.

        `told` is its line of JSON (empty: none), `printed` what stood on its standard error.
        """
        for label, frame in self._open_marks.items():
            self.problem(f"mark {label}, answered with frame {frame}, is in no file")
        for name in self._open_notes:
            self.problem(f"note {name}, acknowledged, is in no file")
        if told:
            listed = {entry["file"]: entry["frames"] for entry in told["files"]}
            if differing := set(listed.items()) ^ set(self.checked.items()):
                self.problem(f"files that are only told of or only found, with their frames: {differing}")
            if told["lost"] != self._lost:
                self.problem(f"lost: {told['lost']} by the recorder's last line, {self._lost} by the files")
            marks = self.counts["found"] + len(self._early_marks)
            if told["marks"] != marks:
                self.problem(f"marks: {told['marks']} by the recorder's last line, {marks} in the files")
        lines = [line for line in printed.splitlines() if PROGRESS not in line]
        if seen := [line for line in lines if any(word in line for word in SUSPICIOUS)]:
            self.problem(f"the recorder printed {len(seen)} such lines: {seen[:3]}")
        figures = {
            "recorder": {name: told.get(name) for name in ("verdict", "frames", "durable", "lost", "marks")},
            "runs": runs,
            "counts": dict(self.counts),
            "in a file, and not acknowledged": list(self._early_marks),
            "slowest answers, s": {name: round(value, 3) for name, value in self.slowest.items()},
            "printed besides progress": lines[:SHOWN],
        }
        self.write("end", figures=figures)

    def read(self) -> list[dict[str, Any]]:
        """Return all records of the log."""
        self._out.flush()
        return read_log(self.log)
