"""Measure the throughput of this machine: memory, raw disk and whole recorder, in turn.

Times include the fsync; the recorder is measured with the real session on a simulated camera.
"""

import asyncio
import contextlib
import math
import mmap
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from recorder.assembly import build_session
from recorder.cli.throughput_report import Measurement, Report
from recorder.errors import StorageError, UsageError
from recorder.frames.pool import BLOCK_BYTES, PAGE
from recorder.session.status import Summary
from recorder.settings.cameras import SimulatedCameraSettings
from recorder.settings.model import Settings, validate
from recorder.storage.packed_span import PackingFigures
from recorder.units import format_bytes, format_seconds

# The small frames that are measured too: width and height.
SMALL_FRAMES = (128, 256)

# How much is written to find out how fast the disk is, and so how much to write in the time asked for.
CALIBRATION_BYTES = 256 * 2**20

# The room that every measurement leaves free on the disk.
SPARE_BYTES = 500 * 10**6


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
    compression: str | None,
    console: Console,
) -> Report:
    """Measure everything `rounds` times in turn, about `seconds` each, with scratch files in `folder`.

    With `compression` the recorder is measured without it and with it.

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
        modes = ("buffered", "direct") if direct else ("buffered",)
        compressions = ("none", compression) if compression else (settings.storage.compression,)
        measurements = len(sizes) * len(modes) * (1 + len(compressions)) * rounds
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
        for line in _conditions(settings, camera, compressions):
            console.print(line, highlight=False)
        for turn in range(rounds):
            console.print(f"round {turn + 1} of {rounds}, {size / 1e6:,.0f} MB each", highlight=False)
            report.measurements.append(_memcpy(configured, frame_bytes[configured], size))
            for group, (width, height) in sizes.items():
                report.measurements += _raw_disk(Path(scratch), group, frame_bytes[group], size, modes)
                for mode in modes:
                    for packed in compressions:
                        report.measurements.append(
                            _pipeline(settings, Path(scratch), group, width, height, size, mode, packed)
                        )
    return report


def _conditions(
    settings: Settings, camera: SimulatedCameraSettings, compressions: Sequence[str]
) -> Iterator[str]:
    """Yield what decides about the figures, besides this computer."""
    if set(compressions) != {"none"}:
        scene = f"{camera.electrons:g} electrons (camera.electrons)"
        yield f"frames show a scene of {scene}, exposed for {format_seconds(camera.exposure)}"
    if math.isfinite(settings.storage.limit):
        limit = f"{settings.storage.limit / 1e6:g} MB/s"
        yield f"the recorder's disk is slowed down to {limit}, the raw one is not"


@contextlib.contextmanager
def _disk_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(f"{folder}: cannot be measured: {error.strerror or error}") from None


def _raw_disk(
    scratch: Path, group: str, frame: int, size: int, modes: Sequence[str]
) -> Iterator[Measurement]:
    """Measure the disk alone, with pieces as the recorder writes them for frames of so many bytes."""
    piece = _piece(frame)
    source = _source(4 * piece)
    for mode in modes:
        direct = mode == "direct"
        name = f"raw {mode}"
        yield _raw(scratch / "raw", source, piece, size, direct=direct, group=group, name=name, frame=frame)


def _piece(frame: int) -> int:
    """Return how many bytes are written at once, of frames of so many bytes; whole pages."""
    piece = max(frame, BLOCK_BYTES // frame * frame)
    return -(-piece // PAGE) * PAGE


def _pipeline(
    settings: Settings,
    scratch: Path,
    group: str,
    width: int,
    height: int,
    size: int,
    mode: str,
    compression: str,
) -> Measurement:
    tree = settings.model_dump(exclude_none=True)
    frames = max(1, size // (2 * width * height))
    tree["camera"] |= {"width": width, "height": height, "rate": "max", "faults": [], "events": []}
    tree["recording"] = {"frames": frames, "output": str(scratch / "pipeline.h5")}
    tree["analysis"].pop("trigger", None)
    tree["storage"] |= {"mode": mode, "compression": compression}
    summary = asyncio.run(_record(validate(tree)))
    (scratch / "pipeline.h5").unlink()
    gb = summary.bytes / 1e9
    packing = summary.packing or PackingFigures()
    return Measurement(
        group,
        f"recorder {mode}" + (f", {compression}" if compression != "none" else ""),
        gb / summary.seconds,
        summary.cpu_s / gb,
        summary.frames / summary.seconds,
        summary.lost,
        packing.ratio,
        packing.share_as_is if summary.packing else 1.0,
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
