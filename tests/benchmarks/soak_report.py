"""What a soak test measures of the recorder's process, and the tables made of its log.

python -m tests.benchmarks.soak_report LOG      the table and the summary of a log, also of one cut short
"""

import itertools
import json
import os
import re
import statistics
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROWS = 30

# How much the resident memory may grow after the first tenth.
RSS_GROWTH = 0.05

# The fewest samples that a tenth of the time is made of.
TENTH = 3

NAP_S = 0.02

_TICKS = os.sysconf("SC_CLK_TCK")

_STATUS = re.compile(
    r"(?P<state>\w+), saving (?P<path>.*?)(?: \(\w+\))?; (?P<frames>\d+) frames (?:not )?written"
    r"(?: \((?P<durable>\d+) durable\))?, (?P<delivered>\d+) delivered, (?P<lost>\d+) lost;"
    r".*; pool (?P<pool>\d+)%; longest pause of the camera thread (?P<pause_ms>[\d.]+) ms"
    r"; longest write (?P<write_ms>[\d.]+) ms and sync (?P<sync_ms>[\d.]+) ms"
)


def parse_status(message: str) -> dict[str, Any]:
    """Return the figures of the answer to `status`; empty where no run has begun."""
    match = _STATUS.match(message)
    if match is None:
        return {}
    found: dict[str, Any] = match.groupdict()
    for name, value in found.items():
        if name.endswith("_ms"):
            found[name] = float(value)
        elif name not in {"state", "path"}:
            found[name] = int(value or 0)
    return found


def look_at(pid: int) -> dict[str, Any]:
    """Return memory, threads, descriptors and processor time of a process, from /proc.

    `by_thread`: for each thread the processor time and the time it waited for a processor, in s.
    """
    folder = Path(f"/proc/{pid}")
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    by_thread = {}
    for thread in (folder / "task").iterdir():
        try:
            ran, waited, _ = (thread / "schedstat").read_text().split()
        except OSError:
            continue
        by_thread[thread.name] = [round(int(ran) * 1e-9, 3), round(int(waited) * 1e-9, 3)]
    kinds: Counter[str] = Counter()
    for descriptor in (folder / "fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except OSError:
            continue
        kinds[re.sub(r"\d+", "#", target.rpartition("/")[2])] += 1
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    return {
        "rss_mb": int(status["VmRSS"].split()[0]) / 1024,
        # The pools are shared, all else is anonymous.
        "anonymous_mb": int(status["RssAnon"].split()[0]) / 1024,
        "shared_mb": int(status["RssShmem"].split()[0]) / 1024,
        "threads": int(status["Threads"]),
        "descriptors": kinds.total(),
        "kinds": kinds,
        "cpu_s": (int(fields[11]) + int(fields[12])) / _TICKS,
        "by_thread": by_thread,
        "load": os.getloadavg()[0],
    }


class Machine:
    """What keeps every program of this machine from running: stolen time, and how late a short sleep ends.

    A recorder that stands still while this does too was kept by the machine, not by a thread of its own.
    """

    def __init__(self) -> None:
        self._latest_s = 0.0
        threading.Thread(target=self._watch, name="machine", daemon=True).start()

    def _watch(self) -> None:
        before_s = time.monotonic()
        while True:
            time.sleep(NAP_S)
            now_s = time.monotonic()
            self._latest_s = max(self._latest_s, now_s - before_s - NAP_S)
            before_s = now_s

    def look(self) -> dict[str, float]:
        """Return the longest delay since the last look, and the time stolen from all processors so far."""
        late_s, self._latest_s = self._latest_s, 0.0
        with Path("/proc/stat").open() as file:
            stolen = int(file.readline().split()[8]) / _TICKS
        return {"late_ms": round(late_s * 1e3, 1), "stolen_s": stolen}


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the records of a log; a last line that was cut off is left out."""
    records = []
    for line in path.read_text().splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records


def waited_s(before: dict[str, Any], after: dict[str, Any]) -> float:
    """Return how long threads that were there at both samples waited for a processor between them."""
    both = before["by_thread"].keys() & after["by_thread"].keys()
    return sum(float(after["by_thread"][t][1] - before["by_thread"][t][1]) for t in both)


def table(samples: list[dict[str, Any]]) -> str:
    """Return the samples in about `ROWS` rows: the largest of each figure in the time of the row."""
    heads = "   time    frames  lost  RSS MB thr  fd CPU %  wait % load  late  pause  write   sync pool "
    lines = [f"{heads} marks  found files open", " " * 57 + "    ms     ms     ms     ms    %"]
    size = max(1, -(-len(samples) // ROWS))
    before: dict[str, Any] | None = None
    for i in range(0, len(samples), size):
        group = samples[i : i + size]
        last, began = group[-1], before or group[0]
        seconds = last["t"] - began["t"]
        cpu = (last["cpu_s"] - began["cpu_s"]) / seconds * 100 if seconds else 0.0
        waiting = sum(waited_s(a, b) for a, b in zip([began, *group], group, strict=False))
        wait = waiting / seconds * 100 if seconds else 0.0

        def most(name: str, group: list[dict[str, Any]] = group) -> float:
            return max((float(s[name]) for s in group if name in s), default=0.0)

        lines.append(
            f"{last['t'] / 60:6.1f}m {last['all_frames']:9d} {last['all_lost']:5d} {most('rss_mb'):7.1f} "
            f"{most('threads'):3.0f} {most('descriptors'):3.0f} {cpu:5.1f} {wait:7.1f} {most('load'):4.1f} "
            f"{most('late_ms'):5.0f} {most('pause_ms'):6.1f} {most('write_ms'):6.1f} "
            f"{most('sync_ms'):6.1f} {most('pool'):4.0f} "
            f"{last['acknowledged']:6d} {last['found']:6d} {last['files']:5d} {last['backlog']:4d}"
        )
        before = last
    return "\n".join(lines)


def growth(samples: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Return lines about what the process held in the first and in the last tenth, and what has grown."""
    lines, grown = [], []
    tenth = samples[-1]["t"] / 10
    first = [s for s in samples if s["t"] <= tenth]
    last = [s for s in samples if s["t"] > samples[-1]["t"] - tenth]
    first = first if len(first) >= TENTH else samples[:TENTH]
    last = last if len(last) >= TENTH else samples[-TENTH:]
    limits = {
        "rss_mb": RSS_GROWTH,
        "threads": 0.0,
        "descriptors": 0.0,
        "anonymous_mb": None,
        "shared_mb": None,
    }
    for name, allowed in limits.items():
        parts = [[s[name] for s in part] for part in (first, last)]
        middles = [statistics.median_low(part) for part in parts]
        more = middles[1] / middles[0] - 1
        ranges = [
            f"{middle:g} ({min(part):g} to {max(part):g})"
            for middle, part in zip(middles, parts, strict=True)
        ]
        lines.append(f"{name}: {ranges[0]} in the first tenth, {ranges[1]} in the last, {more:+.2%}")
        if allowed is not None and more > allowed:
            grown.append(f"{name} grew from {middles[0]:g} to {middles[1]:g}")
    later = [s for s in samples if s["t"] > tenth]
    if len(later) > TENTH:
        times = [s["t"] / 3600 for s in later]
        for name in "rss_mb", "anonymous_mb":
            slope = statistics.linear_regression(times, [s[name] for s in later]).slope
            lines.append(f"{name} after the first tenth: {slope:+.2f} MB/h by a straight line")
    return lines, grown


def losses_with_their_machine(samples: list[dict[str, Any]]) -> list[str]:
    """Return a line for each sample in which frames were lost, with what the machine did then.

    Where processor time was stolen as at no other time, the machine stood still, and not the recorder.
    """
    pairs = list(itertools.pairwise(samples))
    most_s = max((after["stolen_s"] - before["stolen_s"] for before, after in pairs), default=0.0)
    lines = []
    for before, after in pairs:
        lost, stolen_s = after["all_lost"] - before["all_lost"], after["stolen_s"] - before["stolen_s"]
        if lost:
            machine = f"{stolen_s:.2f} s of processor time stolen ({most_s:.2f} s at most in any sample)"
            late = f"a nap ended {after['late_ms']:.0f} ms late"
            lines.append(f"{after['t'] / 60:.1f}m {lost} frames were lost; meanwhile {machine}, {late}")
    return lines


def report(records: list[dict[str, Any]]) -> tuple[str, int]:
    """Return the table and the summary of a log, and the exit code: 0 where nothing is wrong."""
    samples = [r for r in records if r["kind"] == "sample"]
    files = [r for r in records if r["kind"] == "file"]
    problems = [f"{r['t'] / 60:.1f}m {r['text']}" for r in records if r["kind"] == "problem"]
    ends = [r for r in records if r["kind"] == "end"]
    lines = []
    if samples:
        lines.append(table(samples))
    if len(samples) >= TENTH:
        told, grown = growth(samples)
        lines += ["", *told]
        problems += grown
        problems += losses_with_their_machine(samples)
    losses: Counter[str] = Counter()
    for file in files:
        losses.update(file["losses"])
    by_cause = ", ".join(f"{count} {cause}" for cause, count in losses.items()) or "none"
    end = ends[-1] if ends else {}
    lines += [
        f"files checked: {len(files)} with {sum(f['frames'] for f in files)} frames, every stamp and pixel; "
        f"{sum(bool(f['problems']) for f in files)} wrong; a check took "
        f"{max((f['took_s'] for f in files), default=0):.1f} s at most, "
        f"a file was closed {max((f['closed_after_s'] for f in files), default=0):.1f} s late at most",
        f"lost, as the files tell: {by_cause}",
    ]
    if end:
        lines += [f"{name}: {value}" for name, value in end["figures"].items()]
    else:
        problems.append("the log has no end: the soak test was cut short")
    lines += [f"PROBLEM {problem}" for problem in problems] or ["no problem"]
    return "\n".join(lines), 1 if problems else 0


if __name__ == "__main__":
    text, code = report(read_log(Path(sys.argv[1])))
    print(text)
    sys.exit(code)
