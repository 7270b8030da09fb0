"""Measure the throughput of this machine: memory, raw disk and whole recorder, in turn.

Times include the fsync; the recorder is measured with the real session on a simulated camera.
"""

import asyncio
import contextlib
import math
import mmap
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from recorder.assembly import build_session
from recorder.errors import StorageError, UsageError
from recorder.frames.pool import BLOCK_BYTES, PAGE
from recorder.session.status import Summary
from recorder.settings.cameras import SimulatedCameraSettings
from recorder.settings.model import Settings, validate
from recorder.units import format_bytes

# The small frames that are measured too: width and height.
SMALL_FRAMES = (128, 256)

# How much is written to find out how fast the disk is, and so how much to write in the time asked for.
CALIBRATION_BYTES = 256 * 2**20

# The room that every measurement leaves free on the disk.
SPARE_BYTES = 500 * 10**6


@dataclass(frozen=True)
class Measurement:
    """One measurement: `group` is the frame size ("2560x2160"), `way` what was measured ("raw direct").

    GB/s and CPU s/GB are over the bytes of frames that are durable (of "memcpy": copied), `fps` is frames/s,
    `ratio` by how much compression made them smaller, 1 without.
    """

    group: str
    way: str
    gb_per_s: float
    cpu_s_per_gb: float
    fps: float
    lost: int = 0
    ratio: float = 1.0


@dataclass
class Report:
    """All measurements, and the `rate` of the configured camera in frames/s (inf: as fast as it can).

    `configured` is the group of the configured camera, `frame_bytes` the size of a frame of each group.
    """

    rate: float
    configured: str
    frame_bytes: dict[str, int]
    measurements: list[Measurement] = field(default_factory=list)

    def of(self, group: str, way: str) -> list[Measurement]:
        """Return the measurements of a frame size and a way, in the order of the rounds."""
        return [m for m in self.measurements if (m.group, m.way) == (group, way)]

    def median(self, group: str, way: str) -> float:
        """Return the median GB/s of a frame size and a way; raises StatisticsError where there is none."""
        return statistics.median(m.gb_per_s for m in self.of(group, way))

    def ratio(self, group: str, way: str, base: str) -> float:
        """Return the median, over the rounds, of the ratio of `way` to `base` in GB/s; NaN without a base."""
        pairs = zip(self.of(group, way), self.of(group, base), strict=False)
        ratios = [a.gb_per_s / b.gb_per_s for a, b in pairs]
        return statistics.median(ratios) if ratios else math.nan

    def verdict(self) -> str:
        """Return a sentence: whether this computer keeps up with the configured camera, and how well."""
        ways = {
            m.way for m in self.measurements if m.group == self.configured and m.way.startswith("recorder")
        }
        best = max(self.median(self.configured, way) for way in ways)
        if math.isinf(self.rate):
            frames = best * 1e9 / self.frame_bytes[self.configured]
            return f"this computer takes {frames:.0f} frames/s of {self.configured}: {best:.2f} GB/s"
        camera = f"{self.configured} at {self.rate:g} frames/s"
        needs = self.frame_bytes[self.configured] * self.rate / 1e9
        figures = f"{needs:.3g} GB/s needed, {best:.2f} GB/s sustained"
        times = best / needs
        if times < 1:
            return f"this computer does NOT keep up with {camera}: only {times:.2f} of it ({figures})"
        return f"this computer keeps up with {camera}, {times:.1f} times over ({figures})"

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each frame size and way, by the names of its columns; a missing ratio is NaN."""
        is_packed = any(m.ratio != 1 for m in self.measurements)
        for group, way in dict.fromkeys((m.group, m.way) for m in self.measurements):
            runs = self.of(group, way)
            yield {
                "frames": group,
                "way": way,
                "GB/s": self.median(group, way),
                "min": min(m.gb_per_s for m in runs),
                "max": max(m.gb_per_s for m in runs),
                "frames/s": statistics.median(m.fps for m in runs),
                "CPU s/GB": statistics.median(m.cpu_s_per_gb for m in runs),
                **({"smaller": statistics.median(m.ratio for m in runs)} if is_packed else {}),
                "of raw direct": self.ratio(group, way, "raw direct"),
                "of raw buffered": self.ratio(group, way, "raw buffered"),
            }

    def show(self, console: Console) -> None:
        """Print the verdict, and the table below it."""
        verdict = self.verdict()
        console.print(verdict, highlight=False, style="red" if " NOT " in verdict else "green")
        rows = list(self.rows())
        table = Table(title="durable (fsync) throughput; ratios are medians of interleaved pairs")
        for name in rows[0]:
            table.add_column(name, justify="left" if name in {"frames", "way"} else "right", no_wrap=True)
        for row in rows:
            table.add_row(*(value if isinstance(value, str) else _figure(value) for value in row.values()))
        console.print(table)

    def for_json(self) -> dict[str, Any]:
        """Return rows and verdict for JSON, which has no NaN: None in its place."""
        rows = [
            {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
            for row in self.rows()
        ]
        return {"verdict": self.verdict(), "rows": rows}


def _figure(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def default_folder(settings: Settings) -> Path:
    """Return the folder that the configuration records into, or the nearest one above that exists."""
    folder = Path(settings.recording.output).absolute()
    while not folder.is_dir():
        folder = folder.parent
    return folder


def measure(
    settings: Settings,
    folder: Path,
    seconds: float,
    rounds: int,
    limit: int,
    *,
    small_frames: bool,
    console: Console,
) -> Report:
    """Measure everything `rounds` times in turn, about `seconds` each, with scratch files in `folder`.

    At most `limit` bytes of pixels are written in all. Blocks until done, and runs event loops of its own.
    Progress goes to `console`. Raises UsageError for a folder, a camera or a limit that cannot be measured
    with, StorageError where the disk has too little room or fails.
    """
    if not folder.is_dir():
        raise UsageError(f"--folder {folder}: no such folder")
    camera = settings.camera
    if not isinstance(camera, SimulatedCameraSettings):
        raise UsageError(
            f'camera.kind = "{camera.kind}": bench measures with a simulated camera of its size and rate; '
            "write them, for example recorder bench --set camera.width=2560 --set camera.height=2160 "
            "--set camera.rate=100"
        )
    configured = f"{camera.width}x{camera.height}"
    sizes = {configured: (camera.width, camera.height)}
    if small_frames:
        sizes |= {f"{n}x{n}": (n, n) for n in SMALL_FRAMES}
    frame_bytes = {group: 2 * width * height for group, (width, height) in sizes.items()}
    report = Report(camera.rate, configured, frame_bytes)
    smallest = max(2 * BLOCK_BYTES, *map(_piece, frame_bytes.values()))
    with _disk_errors(folder), tempfile.TemporaryDirectory(prefix="recorder-bench-", dir=folder) as scratch:
        if shutil.disk_usage(folder).free < SPARE_BYTES:
            raise StorageError(f"{folder}: too little room to measure; choose another with --folder")
        path = Path(scratch) / "raw"
        source = _source(BLOCK_BYTES * 4)
        direct = hasattr(os, "O_DIRECT") and _takes_direct(path, source)
        measurements = len(sizes) * (4 if direct else 2) * rounds
        calibrating = min(CALIBRATION_BYTES, limit // 10 // BLOCK_BYTES * BLOCK_BYTES)
        most = (limit - calibrating - BLOCK_BYTES) // measurements
        if calibrating == 0 or most < smallest:
            needed = max(10 * BLOCK_BYTES, math.ceil((smallest * measurements + BLOCK_BYTES) / 0.9))
            raise UsageError(
                f"--write {format_bytes(limit)}: {measurements} measurements with frames of this size write "
                f"{math.ceil(needed / 1e6)}MB at least; fewer --rounds write less"
            )
        calibration = _raw(path, source, BLOCK_BYTES, calibrating, direct=direct)
        free = shutil.disk_usage(folder).free - SPARE_BYTES
        if free < smallest:
            raise StorageError(f"{folder}: too little room to measure; choose another with --folder")
        size = max(min(int(seconds * calibration.gb_per_s * 1e9), free, most), smallest)
        written = measurements * size
        console.print(f"{written / 1e9:.1f} GB are written and removed; Ctrl-C ends it", highlight=False)
        for turn in range(rounds):
            console.print(f"round {turn + 1} of {rounds}, {size / 1e6:,.0f} MB each", highlight=False)
            report.measurements.append(_memcpy(configured, frame_bytes[configured], size))
            for group, (width, height) in sizes.items():
                report.measurements += _one_size(settings, Path(scratch), group, width, height, size, direct)
    return report


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"{folder}: cannot be measured: {error.strerror or error}") from None


def _one_size(
    settings: Settings, scratch: Path, group: str, width: int, height: int, size: int, direct: bool
) -> Iterator[Measurement]:
    """Measure raw disk and pipeline with frames of one size, one after the other."""
    frame = 2 * width * height
    piece = _piece(frame)
    source = _source(4 * piece)
    path = scratch / "raw"
    for name, way in (("raw buffered", False), *((("raw direct", True),) if direct else ())):
        yield _raw(path, source, piece, size, direct=way, group=group, name=name, frame=frame)
    for mode in ("buffered", *(("direct",) if direct else ())):
        yield _pipeline(settings, scratch, group, width, height, size, mode)


def _piece(frame: int) -> int:
    """Return how many bytes are written at once, of frames of so many bytes; whole pages."""
    piece = max(frame, BLOCK_BYTES // frame * frame)
    return -(-piece // PAGE) * PAGE


def _pipeline(
    settings: Settings, scratch: Path, group: str, width: int, height: int, size: int, mode: str
) -> Measurement:
    tree = settings.model_dump(exclude_none=True)
    frames = max(1, size // (2 * width * height))
    tree["camera"] |= {"width": width, "height": height, "rate": "max", "faults": [], "events": []}
    tree["recording"] = {"frames": frames, "output": str(scratch / "pipeline.h5")}
    tree["analysis"].pop("trigger", None)
    tree["storage"] |= {"mode": mode}
    summary = asyncio.run(_record(validate(tree)))
    (scratch / "pipeline.h5").unlink()
    gb = summary.bytes / 1e9
    return Measurement(
        group,
        f"recorder {mode}",
        gb / summary.seconds,
        summary.cpu_s / gb,
        summary.frames / summary.seconds,
        summary.lost,
        summary.packing.ratio if summary.packing else 1.0,
    )


async def _record(settings: Settings) -> Summary:
    session = build_session(settings, dry_run=False)
    await session.start()
    await session.stopped()
    return await session.close()


def _source(size: int) -> memoryview:
    """Return page-aligned memory with the noise of a camera in it, every page touched."""
    memory = mmap.mmap(-1, -(-size // PAGE) * PAGE)
    pixels = np.frombuffer(memory, np.uint16)
    pixels[:] = np.random.default_rng(0).integers(100, 1000, len(pixels), np.uint16)
    return memoryview(memory)


def _takes_direct(path: Path, source: memoryview) -> bool:
    try:
        _raw(path, source, BLOCK_BYTES, BLOCK_BYTES, direct=True)
    except OSError:
        return False
    return True


def _raw(
    path: Path,
    source: memoryview,
    piece: int,
    size: int,
    *,
    direct: bool,
    group: str = "",
    name: str = "",
    frame: int = PAGE,
) -> Measurement:
    """Write `size` bytes in pieces to a new file and wait until they are on the disk."""
    flags = os.O_CREAT | os.O_WRONLY | os.O_EXCL | getattr(os, "O_BINARY", 0) | (os.O_DIRECT if direct else 0)
    aligned = -(-piece // PAGE) * PAGE if direct else piece
    pieces = [source[i : i + aligned] for i in range(0, len(source) - aligned + 1, aligned)]
    count = max(1, size // aligned)

    def write() -> None:
        fd = os.open(path, flags)
        try:
            for i in range(count):
                data = pieces[i % len(pieces)]
                if os.write(fd, data) != len(data):
                    raise OSError("the disk took a part only")
            os.fsync(fd)
        finally:
            os.close(fd)

    try:
        seconds, cpu_s = _timed(write)
    finally:
        path.unlink(missing_ok=True)
    gb = count * aligned / 1e9
    return Measurement(group, name, gb / seconds, cpu_s / gb, count * aligned / frame / seconds)


def _memcpy(group: str, frame: int, size: int) -> Measurement:
    """Copy frames from one memory to another, both touched before."""
    source, target = (np.frombuffer(_source(frame), np.uint8) for _ in range(2))
    count = max(1, size // frame)

    def copy() -> None:
        for _ in range(count):
            np.copyto(target, source)

    seconds, cpu_s = _timed(copy)
    gb = count * frame / 1e9
    return Measurement(group, "memcpy", gb / seconds, cpu_s / gb, count / seconds)


def _timed(work: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds that passed and the CPU seconds spent."""
    began, spent = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - began, time.process_time() - spent
