"""What commands tell of a session: of `status` one line that programs can read and a table for people."""

import json
import math
import re
import time

from recorder.camera.acquisition_result import AcquisitionStatistics
from recorder.control.command_types import Table
from recorder.errors import UsageError, did_you_mean
from recorder.session.session import Session
from recorder.session.status import Statistics
from recorder.settings.model import SECTIONS, keys
from recorder.settings.reference import describe
from recorder.units import format_percent, format_seconds

_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def status_line(session: Session) -> str:
    """Return the figures of this moment in one line; other programs take it apart, so its words stay."""
    figures = session.statistics()
    if figures is None or figures.acquisition is None:
        return "idle" if figures is None else figures.state.value
    camera = figures.acquisition
    saving = f"saving {figures.path} ({figures.mode})" if figures.path else "saving nothing"
    is_saved = figures.path or figures.frames
    written = f"{figures.frames} frames written ({figures.durable} durable)"
    parts = [
        f"{figures.state.value}, {saving}",
        *([str(figures.captures)] if figures.captures else []),
        f"{written if is_saved else f'{figures.unsaved} frames not written'}, {camera.frames} delivered, "
        f"{figures.lost} lost",
        _rate(session, figures),
        f"exposure {_exposure(camera)}",
        *_form(session),
        f"sensor {_temperature(camera)}",
        f"pool {figures.pool.fill if figures.pool else 0:.0%}",
        f"longest pause of the camera thread {camera.longest_pause_s * 1e3:.1f} ms",
        _longest_write(figures),
        *([_inside(camera)] if camera.in_camera is not None else []),
        *([figures.unanswered] if figures.unanswered else []),
        *([f"disk {figures.free_bytes / 1e9:.1f} GB free"] if figures.path else []),
        *([f"compression {figures.packing}"] if figures.packing else []),
        *([f"signals {session.signals.figures}"] if session.signals.figures else []),
        f"preview {_preview(session)}",
    ]
    if analysis := _analysis(session):
        parts.append(f"analysis {analysis}")
    return "; ".join(parts)


def status_table(session: Session) -> Table:
    """Return the figures of this moment as rows of a table."""
    figures = session.statistics()
    if figures is None or figures.acquisition is None:
        return ()
    camera = figures.acquisition
    rows = [("state", figures.state.plain)]
    rows.append(("file", f"{figures.path} ({figures.mode})" if figures.path else "none, nothing is saved"))
    if figures.path or figures.frames:
        size = figures.frames * figures.frame_bytes / 1e9
        rows.append(
            ("written", f"{figures.frames} frames, {size:.2f} GB; {figures.durable} survive a power cut")
        )
    if figures.captures:
        rows.append(("captures", str(figures.captures)))
    if figures.unsaved:
        why = "no capture has asked for" if figures.captures else "came while nothing was saved"
        rows.append(("not saved", f"{figures.unsaved} frames {why}"))
    rows += [
        ("camera", f"{camera.frames} frames delivered, {figures.lost} lost"),
        ("rate", _rate(session, figures)),
        ("exposure", _exposure(camera)),
        ("sensor", _temperature(camera)),
    ]
    if camera.in_camera is not None:
        rows.append(("memory", _inside(camera)))
    if pool := figures.pool:
        most = format_percent(pool.blocks - pool.lowest_free, pool.blocks)
        rows.append(
            ("buffer", f"{format_percent(pool.blocks - pool.free, pool.blocks)} full, {most} at most")
        )
    longest = f"longest time without reading the camera {camera.longest_pause_s * 1e3:.1f} ms"
    rows.append(("pauses", f"{longest}; {_longest_write(figures)}"))
    if figures.unanswered:
        rows.append(("trouble", figures.unanswered))
    if figures.packing:
        stored = figures.rate * figures.frame_bytes / figures.packing.ratio / 1e6
        rows.append(("compression", f"{figures.packing}; {stored:.0f} MB/s to the disk"))
    if figures.path:
        rows.append(("disk", f"{figures.free_bytes / 1e9:.1f} GB free"))
    if session.signals.figures:
        rows.append(("signals", str(session.signals.figures)))
    rows.append(("preview", _preview(session)))
    if analysis := _analysis(session):
        rows.append(("analysis", analysis))
    return tuple(rows)


def _frames_per_s(session: Session, figures: Statistics) -> float:
    """Return the rate of the last second, or on average of a run that is over or has only begun."""
    recent = session.run.timeline.rate(time.perf_counter_ns()) if session.run and session.running else 0.0
    return recent or figures.rate


def _rate(session: Session, figures: Statistics) -> str:
    rate = _frames_per_s(session, figures)
    return f"{rate:.1f} frames/s, {rate * figures.frame_bytes / 1e6:.0f} MB/s"


def _exposure(camera: AcquisitionStatistics) -> str:
    return "unknown" if math.isnan(camera.exposure_s) else format_seconds(camera.exposure_s)


def _form(session: Session) -> list[str]:
    """Return size and type of the frames, once the camera is open."""
    described = session.run.description if session.run else None
    form = described.format if described else None
    return [f"frames {form.width}x{form.height} {form.dtype}"] if form else []


def _temperature(camera: AcquisitionStatistics) -> str:
    return "unknown" if math.isnan(camera.temperature_c) else f"{camera.temperature_c:.1f} °C"


def _longest_write(figures: Statistics) -> str:
    write_s = figures.writer.longest_write_s if figures.writer else 0.0
    sync_s = figures.writer.longest_sync_s if figures.writer else 0.0
    return f"longest write {write_s * 1e3:.1f} ms and sync {sync_s * 1e3:.1f} ms"


def _inside(camera: AcquisitionStatistics) -> str:
    """Return what a camera with a memory of its own does."""
    waits = f", waits for {camera.waits_for}" if camera.waits_for else ""
    return f"{camera.in_camera} frames in the camera{waits}"


def _preview(session: Session) -> str:
    seen = session.preview.latest
    picture = f"; counter {seen.number}: {seen.min} to {seen.max}, mean {seen.mean:.0f}" if seen else ""
    return f"{'on' if session.preview.on else 'off'}{picture}"


def _analysis(session: Session) -> str:
    """Return what the user's function found last, "" where there is none."""
    if (analysis := session.analysis) is None:
        return ""
    found = ", ".join(f"{name} {value:g}" for name, value in analysis.latest.items()) or "nothing yet"
    errors = f", {analysis.errors} errors" if analysis.errors else ""
    return f"{found}{errors}{', switched off' if analysis.given_up else ''}"


def exposure_text(session: Session) -> str:
    """Return how long frames are exposed, and how often."""
    figures = session.statistics()
    if session.running and figures is not None and figures.acquisition is not None:
        return f"exposure {_exposure(figures.acquisition)}; {_frames_per_s(session, figures):.1f} frames/s"
    seconds = getattr(session.settings.camera, "exposure", None)
    if seconds is None:
        return "exposure as recorded: this camera plays frames back"
    return f"exposure {format_seconds(seconds)} from the next start on"


def rate_text(session: Session, before_s: float, now_s: float) -> str:
    """Return what a new exposure does to the rate, "" where the old and the new one leave it alone."""
    rate = session.run.description.rate if session.run and session.run.description else math.inf
    if math.isinf(rate) or max(before_s, now_s) * rate <= 1:
        return ""
    # A real camera may also need time between two exposures.
    most = "" if session.settings.camera.kind == "simulated" else "at most "
    return f"; the rate is now {most}{min(rate, 1 / now_s):.1f}/s"


def saving_text(session: Session) -> str:
    """Return what frames are written to."""
    if not session.saving:
        return "saving nothing; save on writes a file"
    figures = session.statistics()
    if session.running and figures is not None and figures.captures is not None:
        return f"{figures.captures}; capture saves what is held"
    if session.running and figures is not None and figures.path is not None:
        return f"saving {figures.path}"
    return "not running; the next start saves into a new file"


def value_text(session: Session, key: str) -> str:
    """Return the value of a key such as "camera.rate"; raises UsageError where the session has none."""
    section, _, name = key.partition(".")
    if name == "token":
        raise UsageError(f"{key} is a password, and is not shown")
    settings = session.settings
    if section not in SECTIONS or name not in type(getattr(settings, section)).model_fields:
        of = f" of a {settings.camera.kind} camera" if section == "camera" else ""
        near = "" if key in keys() else did_you_mean(key, keys())
        raise UsageError(f"{key}: no such setting{of}{near}")
    value = settings.to_tree().get(section, {}).get(name)
    if section == "preview" and name in {"on", "rate", "levels"}:
        # Commands of their own change them while it runs.
        value = getattr(session.preview, name)
    if value is None:
        return "not set"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def value_with_unit(session: Session, key: str) -> str:
    """Return the value of a key as `value_text` does, with its unit where it is a bare number."""
    value = value_text(session, key)
    unit = describe(key, session.settings.camera.kind).unit
    return f"{value} {unit}" if unit and _NUMBER.fullmatch(value) else value
