"""A dry first day with a PCO camera: ten frames, compared with what this program believes of all of them.

Nothing is written, and no setting survives: opening a camera with the vendor's package resets it anyway. A
recording in the camera's own memory stays. Called on one thread; blocks for seconds.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from recorder.camera import timestamp
from recorder.camera.base import CameraDescription, FrameInfo
from recorder.camera.pco.camera import PcoCamera
from recorder.camera.pco.errors import translated
from recorder.camera.pco.memory import images_in
from recorder.camera.pco.open_camera import OpenCamera
from recorder.camera.pco.roi import RoiRules
from recorder.camera.pco.sensor_count import images_finished
from recorder.camera.pco.setup import Readout
from recorder.camera.pco.timing import exposure_of, frame_time_of, image_timing_of
from recorder.errors import CameraError, CameraTimeoutError, RecorderError
from recorder.settings.pco_camera import PcoCameraSettings

FRAMES = 10

# How long a frame may take to come.
FRAME_TIMEOUT_S = 10.0

# Differences up to these are rounding: of times by the camera's clock, which has steps of 1 us; of the clocks
# of camera and computer, as frames wait in buffers; and of rates.
CLOCK_STEP_S = 2e-6
CLOCK_OFF_S = 1.0
RATE_OFF = 0.002


class Holds(StrEnum):
    """Whether something is as this program believes."""

    YES = "holds"
    NO = "differs"
    UNKNOWN = "not told"


@dataclass(frozen=True)
class Finding:
    """What was looked at, whether it is as believed, and what was seen."""

    about: str
    holds: Holds
    seen: str


@dataclass
class Report:
    """All findings about a camera; `told` is what it and this program said meanwhile.

    `descriptions` has what the camera says of itself, as the vendor's package gives it.
    """

    camera: str = ""
    findings: list[Finding] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    descriptions: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether nothing differs."""
        return all(finding.holds is not Holds.NO for finding in self.findings)


@dataclass(frozen=True)
class _Frame:
    info: FrameInfo
    stamp: timestamp.Timestamp | None
    came_ns: int  # by the computer's clock, UTC


@dataclass(frozen=True)
class _Seen:
    """An armed camera with the frames that came from it."""

    device: OpenCamera
    readout: Readout
    frames: list[_Frame]
    sensor_count: int | None


def look_at(serial: int | None) -> Report:
    """Open the camera with this serial number (None: the first one found) and compare it; raises nothing."""
    report = Report()
    settings = PcoCameraSettings(kind="pco", serial=serial, timestamp="binary")
    camera = PcoCamera(settings, report.told.append)
    with _warnings_of(report.told):
        try:
            described = _open(camera, report)
            seen = _record(camera, described, report)
            for check in CHECKS:
                report.findings += check(seen)
            camera.disarm()
            report.findings.append(_region(seen.device))
        except RecorderError as error:
            report.findings.append(Finding("course", Holds.NO, f"it ended early: {error}"))
        finally:
            for end in (camera.disarm, camera.close):
                with contextlib.suppress(CameraError):
                    end()
    holds = Holds.NO if report.told else Holds.YES
    report.findings.append(Finding("messages", holds, "; ".join(report.told) or "none"))
    return report


def _open(camera: PcoCamera, report: Report) -> CameraDescription:
    began_s = time.monotonic()
    described = camera.open()
    report.camera = f"{described.model} {described.serial}"
    seconds = time.monotonic() - began_s
    report.findings.append(Finding("opening", Holds.YES, f"{described.model}, after {seconds:.1f} s"))
    device, _ = camera.opened()
    changed = "others once the camera was armed" if device.changed else "as they were when it was opened"
    report.findings.append(Finding("descriptions", Holds.YES, changed))
    report.descriptions = {
        "type": device.kind,
        "description of the SDK": device.sensor,
        "description of pco.Camera": device.description,
        "as stored in a file": described.details,
    }
    return described


def _record(camera: PcoCamera, described: CameraDescription, report: Report) -> _Seen:
    """Take ten frames; raises CameraError, also where recording would overwrite what the memory holds."""
    device, readout = camera.opened()
    if device.has_memory:
        with translated("asking the camera what its memory holds"):
            if images := images_in(device, device.vendor.camram_segment):
                raise CameraError(
                    f"the camera's memory holds {images} images, which a recording would overwrite: read "
                    'them out with camera.memory = "camram read", then check again'
                )
    form = described.format
    slot = np.zeros((form.height, form.width), form.dtype)
    camera.arm()
    frames = [_read(camera, slot) for _ in range(FRAMES)]
    count = images_finished(device.sdk)
    camera.halt()
    stopped_s = time.monotonic()
    left = 0
    while time.monotonic() - stopped_s < FRAME_TIMEOUT_S:
        try:
            last = camera.read_into(slot, 0.1)
        except CameraTimeoutError:
            break
        left = last.number - frames[-1].info.number
    report.findings.append(Finding("stop", Holds.YES, f"{left} frames came after the {FRAMES} until it"))
    return _Seen(device, readout, frames, count)


def _read(camera: PcoCamera, slot: np.ndarray[Any, Any]) -> _Frame:
    until_s = time.monotonic() + FRAME_TIMEOUT_S
    while True:
        try:
            info = camera.read_into(slot, 0.1)
        except CameraTimeoutError:
            if time.monotonic() > until_s:
                raise
        else:
            return _Frame(info, timestamp.read(slot), time.time_ns())


def _counter(seen: _Seen) -> Iterator[Finding]:
    numbers = [frame.info.number for frame in seen.frames]
    are_in_order = numbers == list(range(1, FRAMES + 1))
    yield _finding(
        "counter", are_in_order, f"frames {numbers[0]} to {numbers[-1]}" if are_in_order else f"{numbers}"
    )
    stamps = [frame.stamp for frame in seen.frames if frame.stamp is not None]
    if len(stamps) < FRAMES:
        yield Finding("timestamp", Holds.NO, f"{len(stamps)} of {FRAMES} frames have one in their pixels")
        return
    in_pixels = [stamp.number for stamp in stamps]
    yield _finding("counter in the pixels", in_pixels == numbers, f"{in_pixels[0]} to {in_pixels[-1]}")
    if not seen.readout.metadata:
        yield Finding(
            "metadata", Holds.UNKNOWN, "this model sends none: numbers and times are the timestamp's"
        )
        return
    # The timestamp has the end of the exposure, from which the metadata's start is reckoned.
    off_s = max(
        abs((stamp.time_ns - frame.info.camera_time_ns) * 1e-9 - frame.info.exposure_s)
        for stamp, frame in zip(stamps, seen.frames, strict=True)
    )
    yield _finding(
        "time in the pixels", off_s <= CLOCK_STEP_S, f"within {off_s * 1e6:.1f} us of the metadata's"
    )


def _exposure(seen: _Seen) -> Iterator[Finding]:
    if not seen.readout.metadata:
        return
    with translated("asking the camera for its exposure"):
        wanted_s = exposure_of(seen.device)
    off_s = max(abs(frame.info.exposure_s - wanted_s) for frame in seen.frames)
    text = f"{seen.frames[0].info.exposure_s * 1e3:.6g} ms in the metadata, {wanted_s * 1e3:.6g} ms set"
    yield _finding("exposure", off_s <= 1e-3 * wanted_s + 1e-6, text)
    celsius = seen.frames[-1].info.temperature_c
    told = Holds.UNKNOWN if np.isnan(celsius) else _verdict(-60 < celsius < 80)
    yield Finding("temperature", told, f"{celsius:.0f} degrees Celsius in the metadata")


def _timing(seen: _Seen) -> Iterator[Finding]:
    times_s = np.diff([frame.info.camera_time_ns for frame in seen.frames]) * 1e-9
    with translated("asking the camera for its timing"):
        frame_s, timing = frame_time_of(seen.device), image_timing_of(seen.device)
    off_s = float(np.abs(times_s - frame_s).max())
    text = f"{np.median(times_s) * 1e3:.6g} ms between frames, {frame_s * 1e3:.6g} ms reckoned by the camera"
    yield _finding("frame time", off_s <= RATE_OFF * frame_s + CLOCK_STEP_S, text)
    if timing is None or timing.frame_s is None:
        yield Finding("image timing", Holds.UNKNOWN, "this model does not answer")
    else:
        same = abs(timing.frame_s - frame_s) <= RATE_OFF * frame_s
        yield _finding("image timing", same, f"{timing.frame_s * 1e3:.6g} ms for a frame")


def _clock(seen: _Seen) -> Iterator[Finding]:
    # Frames wait in buffers: the shortest delay counts.
    off_s = min((f.came_ns - f.info.camera_time_ns) * 1e-9 - seen.readout.period_s for f in seen.frames)
    text = f"the camera's is UTC less {off_s:.3f} s, with the first of the frames to come"
    yield _finding("clock", abs(off_s) < CLOCK_OFF_S, text)


def _sensor_count(seen: _Seen) -> Iterator[Finding]:
    if seen.sensor_count is None:
        yield Finding("count of the sensor", Holds.UNKNOWN, "this model does not tell, as pco.edges do")
        return
    last = seen.frames[-1].info
    # What waits was exposed, and a few more while the camera was asked.
    margin = last.backlog + 5 + 0.1 / max(seen.readout.period_s, 1e-4)
    fits = last.number <= seen.sensor_count <= last.number + margin
    yield _finding(
        "count of the sensor",
        fits,
        f"{seen.sensor_count}, with frame {last.number} read and {last.backlog} waiting",
    )


CHECKS: tuple[Callable[[_Seen], Iterator[Finding]], ...] = (
    _counter,
    _exposure,
    _timing,
    _clock,
    _sensor_count,
)


def _region(device: OpenCamera) -> Finding:
    """Set the smallest region about the middle, and compare it with what the camera reads out."""
    rules = RoiRules.of((1, 1), device.description, device.sensor, device.kind)
    (x0, x1), (y0, y1) = rules.x.centred(rules.x.least), rules.y.centred(rules.y.least)
    wanted = (x0, y0, x1, y1)
    with translated("reading out a small region"):
        device.sdk.set_roi(*wanted)
        device.arm()
        got, size = device.region, device.sdk.get_sizes()
    delivered = (size["x"], size["y"])
    fits = got == wanted and delivered == (x1 - x0 + 1, y1 - y0 + 1)
    described = device.description["roi steps"]
    steps = f"steps of {described[0]}x{described[1]} described, {rules.x.step}x{rules.y.step} used"
    return _finding(
        "region", fits, f"{list(wanted)} set, {list(got)} read out as {delivered[0]}x{delivered[1]}; {steps}"
    )


def _finding(about: str, holds: bool, seen: str) -> Finding:
    return Finding(about, _verdict(holds), seen)


def _verdict(holds: bool) -> Holds:
    return Holds.YES if holds else Holds.NO


@contextlib.contextmanager
def _warnings_of(told: list[str]) -> Iterator[None]:
    """Add what this program's camera code warns of meanwhile to `told`, and print none of it."""

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    keep, logger = Keep(logging.WARNING), logging.getLogger("recorder.camera.pco")
    logger.addHandler(keep)
    before, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.removeHandler(keep)
        logger.propagate = before
