"""The figures that the toolbar and the displays show while a session goes on."""

import math
from dataclasses import dataclass
from typing import Any

from recorder.frontends.rate_meter import RateMeter
from recorder.session.session import Session
from recorder.units import format_seconds


@dataclass(frozen=True)
class LiveStatus:
    """A session at one moment: `rate` in frames/s, `flow` in bytes/s, `temperature` of the sensor in °C.

    `disk_time_left_s` is the time until the disk is full, inf where nothing is written. `in_camera` counts
    frames in the camera's own memory (None: it does not record there), which waits for `waits_for`, "" for
    nothing. `analysis`: the latest values.
    """

    state: str
    saving: str  # the file's name, "" where nothing is saved
    number: int  # the camera's counter of the last frame
    rate: float
    flow: float
    pool: float  # share of its blocks in use
    lost: int
    exposure: str
    temperature: float
    disk_time_left_s: float
    preview: bool
    in_camera: int | None
    waits_for: str
    analysis: dict[str, float]
    durable: int  # frames that survive a power cut
    unanswered: str  # what the disk or the camera has not answered for too long
    marks: int  # made in this session
    labels: list[str]  # the last ones, the newest first
    captures: str = ""  # how what waits for a trigger stands, "" where every frame is written
    packed: float | None = None  # by how much compression makes frames smaller, None where there is none

    def for_json(self) -> dict[str, Any]:
        """Return the fields for JSON, `flow` as MBps in MB/s; None in place of NaN and infinity."""
        fields = dict(vars(self))
        fields["MBps"] = fields.pop("flow") / 1e6
        for name in ("temperature", "disk_time_left_s"):
            fields[name] = fields[name] if math.isfinite(fields[name]) else None
        fields["analysis"] = {
            name: value if math.isfinite(value) else None for name, value in self.analysis.items()
        }
        return fields


def live_status(session: Session, recent: RateMeter) -> LiveStatus:
    """Return the figures of this moment; `recent` measures the rate from one call to the next."""
    now = session.statistics()
    camera = now.acquisition if now else None
    rate = recent.update(now) if now and camera else 0.0
    flow = rate * now.frame_bytes if now else 0.0
    running = session.running and now is not None
    return LiveStatus(
        state=now.state.value if now else "idle",
        saving=now.path.name if running and now and session.saving and now.path else "",
        number=camera.last_number if camera else 0,
        rate=rate if running else 0.0,
        flow=flow if running else 0.0,
        pool=now.pool.fill if now and now.pool else 0.0,
        lost=now.lost if now else 0,
        exposure=format_seconds(camera.exposure_s) if camera and math.isfinite(camera.exposure_s) else "?",
        temperature=camera.temperature_c if camera else math.nan,
        disk_time_left_s=now.disk_time_left_s(rate) if now else math.inf,
        preview=session.preview.on,
        in_camera=camera.in_camera if camera else None,
        waits_for=camera.waits_for if camera else "",
        analysis=dict(session.analysis.latest) if session.analysis else {},
        durable=now.durable if now else 0,
        unanswered=now.unanswered if running and now else "",
        marks=session.marks.count,
        labels=list(session.marks.labels),
        captures=str(now.captures) if running and now and now.captures else "",
        packed=now.packing.ratio if running and now and now.packing else None,
    )
