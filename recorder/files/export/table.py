"""The rows of the frames as text with commas; with a region, its mean in each."""

import csv
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np

from recorder.files.export.content import Content


def write(path: Path, content: Content) -> None:
    """Write a row for each frame into `path`, which is made; blocks.

    Columns: `frame` (index in the recording), `number` (the camera's counter), `time_s`, `utc`, `exposure_s`,
    `mark` (labels, with a bar between several), `channel` where there are some, and `mean` of the region
    where one is asked for. What is not known is empty. Raises OSError.
    """
    facts = content.facts
    marks: dict[int, list[str]] = {}
    for at, label, _ in facts.marks:
        marks.setdefault(at, []).append(label)
    columns: dict[str, Iterable[object]] = {
        "frame": facts.indices,
        "number": facts.numbers,
        "time_s": (f"{time_s:.9f}" for time_s in facts.times_s),
        "utc": map(partial(_utc, facts.zero_utc), facts.times_s.tolist()),
        "exposure_s": ("" if np.isnan(value) else f"{value:.9g}" for value in facts.exposures_s),
        "mark": ("|".join(marks.get(at, [])) for at in range(len(facts.times_s))),
    }
    if facts.channels:
        columns["channel"] = facts.channels
    if content.shaping.roi is not None:
        # Means are read before the file is made.
        columns["mean"] = [mean for block in content.blocks() for mean in block.mean(axis=(1, 2)).tolist()]
    with path.open("x", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))


def _utc(zero: datetime | None, time_s: float) -> str:
    if zero is None:
        return ""
    try:
        moment = zero + timedelta(seconds=time_s)
    except (ValueError, OverflowError):  # a time of a damaged file
        return ""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
