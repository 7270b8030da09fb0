"""What matters at a glance, for the toolbar and the displays."""

import math
from dataclasses import dataclass
from typing import Any

from recorder.frontends.rate_meter import RateMeter
from recorder.session.session import Session
from recorder.units import format_seconds


@dataclass(frozen=True)
class LiveStatus:
    """A session at one moment: `rate` in frames/s, `flow` in bytes/s, `disk_time_left_s` until it is full."""

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
    analysis: dict[str, float]

    def for_json(self) -> dict[str, Any]:
        """Return what a display gets; what is not known is None."""
        told = dict(vars(self))
        told["MBps"] = told.pop("flow") / 1e6
        for name in ("temperature", "disk_time_left_s"):
            told[name] = told[name] if math.isfinite(told[name]) else None
        told["analysis"] = {
            name: value if math.isfinite(value) else None for name, value in self.analysis.items()
        }
        return told


def live_status(session: Session, recent: RateMeter) -> LiveStatus:
    """Return the figures of this moment; `recent` remembers where the rate is counted from."""
    now = session.statistics()
    camera = now.acquisition if now else None
    rate = recent.look(now) if now and camera else 0.0
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
        analysis=dict(session.analysis.latest) if session.analysis else {},
    )
