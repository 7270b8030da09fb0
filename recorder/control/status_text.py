"""The answer to `status`: one line that programs can read, and a table for people."""

import math

from recorder.camera.acquisition_result import AcquisitionStatistics
from recorder.control.command_types import Table
from recorder.session.session import Session
from recorder.session.status import Statistics
from recorder.units import format_percent, format_seconds


def status_line(session: Session) -> str:
    """Return the figures of this moment in one line; other programs take it apart, so its words stay."""
    figures = session.statistics()
    if figures is None or figures.acquisition is None:
        return "idle" if figures is None else figures.state.value
    camera = figures.acquisition
    saving = f"saving {figures.path} ({figures.mode})" if figures.path else "saving nothing"
    parts = [
        f"{figures.state.value}, {saving}",
        f"{figures.frames} frames {'written' if figures.path else 'not written'}"
        f"{f' ({figures.durable} durable)' if figures.path else ''}, {camera.frames} delivered, "
        f"{figures.lost} lost",
        f"{figures.rate:.1f} frames/s, {figures.rate * figures.frame_bytes / 1e6:.0f} MB/s",
        f"exposure {_exposure(camera)}",
        f"sensor {_temperature(camera)}",
        f"pool {figures.pool.fill if figures.pool else 0:.0%}",
        f"longest pause of the camera thread {camera.longest_pause_s * 1e3:.1f} ms",
        _longest_write(figures),
        *([_inside(camera)] if camera.in_camera is not None else []),
        *([figures.unanswered] if figures.unanswered else []),
        *([f"disk {figures.free_bytes / 1e9:.1f} GB free"] if figures.path else []),
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
    rows = [("state", figures.state.value)]
    if figures.path:
        size = figures.frames * figures.frame_bytes / 1e9
        rows += [
            ("file", f"{figures.path} ({figures.mode})"),
            ("written", f"{figures.frames} frames, {size:.2f} GB; {figures.durable} survive a power cut"),
        ]
    else:
        rows.append(("file", "none, nothing is saved"))
    rows += [
        ("camera", f"{camera.frames} frames delivered, {figures.lost} lost"),
        ("rate", f"{figures.rate:.1f} frames/s, {figures.rate * figures.frame_bytes / 1e6:.0f} MB/s"),
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
    if figures.path:
        rows.append(("disk", f"{figures.free_bytes / 1e9:.1f} GB free"))
    rows.append(("preview", _preview(session)))
    if analysis := _analysis(session):
        rows.append(("analysis", analysis))
    return tuple(rows)


def _exposure(camera: AcquisitionStatistics) -> str:
    return "unknown" if math.isnan(camera.exposure_s) else format_seconds(camera.exposure_s)


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
