"""How a recording in files is shown at first: as its configuration says, and what is known of its pixels."""

import re
from collections.abc import Mapping
from typing import Any

from recorder.errors import DamagedFileError, UsageError
from recorder.files.export.plan import bits_of, pixel_size_um
from recorder.files.opened.recording import OpenedRecording
from recorder.frames.pool import FrameFormat
from recorder.frames.region_means import Box
from recorder.frontends.view.region_traces import stored_regions
from recorder.preview.baseline import Baseline
from recorder.preview.live import Preview
from recorder.preview.picture import Renderer
from recorder.settings.model import PreviewSettings, validate

# The keys of `preview` that are about the picture.
KEYS = ("levels", "decimate", "saturation", "range", "regions", "colours", "gamma")

# First column, first row, last ones, from 1 on, as the detector tells it.
_ROI = re.compile(r"\d{1,5},\d{1,5},\d{1,5},\d{1,5}")


def preview_of(recording: OpenedRecording) -> tuple[Preview, Renderer]:
    """Return a preview of a recording, with what makes its pictures; the regions are those it knows."""
    preview = Preview(_settings(recording))
    preview.stand = True
    preview.switch(True)
    _, height, width = recording.frames.shape
    roi = str(recording.metadata.get("instrument/detector/roi", ""))
    bits = bits_of(recording)
    details: dict[str, object] = {"roi": roi} if _ROI.fullmatch(roi) else {}
    details["bit_resolution"] = bits if 1 <= bits <= 16 else 16
    renderer = preview.begin(FrameFormat(height, width, recording.frames.dtype), details)
    size_um = pixel_size_um(recording)
    preview.pixel_um = size_um[0] if size_um else None
    x, y = preview.origin
    for name, (x0, y0, x1, y1) in stored_regions(recording).items():
        preview.regions.setdefault(name, (x0 + x, y0 + y, x1 + x, y1 + y))
    return preview, renderer


def whole_baseline(recording: OpenedRecording) -> Baseline:
    """Return a baseline that is to be the mean of all of a recording."""
    times = recording.time
    seconds = float(times[-1] - times[0]) if len(times) > 1 else 0.0
    return Baseline(round(seconds, 3) if seconds > 0 else 1.0, running=False)


def checked_regions(regions: Mapping[str, Box]) -> dict[str, Box]:
    """Return regions as the settings have them; raises UsageError where they cannot be."""
    return dict(validate({"preview": {"regions": dict(regions)}}).preview.regions)


def _settings(recording: OpenedRecording) -> PreviewSettings:
    """Return those of the recording, as far as they are about the picture and make sense."""
    try:
        told: Any = recording.settings.get("preview", {})
        return validate({"preview": {key: told[key] for key in KEYS if key in told}}).preview
    except (DamagedFileError, UsageError, AttributeError, TypeError):
        return PreviewSettings()
