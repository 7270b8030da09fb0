"""The rows of the frames as text with commas; with a region, its mean in each."""

import csv
from datetime import timedelta
from pathlib import Path

import numpy as np

from recorder.files.export.content import Content


def write(path: Path, content: Content) -> None:
    """Write a row for each frame into `path`, which is made; blocks.

    Columns: `frame` (index in the recording), `number` (the camera's counter), `time_s`, `utc`, `exposure_s`,
    `mark` (labels, with a bar between several), and `mean` of the region where one is asked for. What is
    not known is empty. Raises OSError.
    """
    facts, wants_mean = content.facts, content.shaping.roi is not None
    marks: dict[int, list[str]] = {}
    for at, label, _ in facts.marks:
        marks.setdefault(at, []).append(label)
    means = [m for block in content.blocks() for m in block.mean(axis=(1, 2)).tolist()] if wants_mean else []
    with path.open("x", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["frame", "number", "time_s", "utc", "exposure_s", "mark", *["mean"] * wants_mean])
        for i, time_s in enumerate(facts.times_s):
            utc = ""
            if facts.zero_utc is not None:
                moment = facts.zero_utc + timedelta(seconds=float(time_s))
                utc = moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
            exposure = "" if np.isnan(facts.exposures_s[i]) else f"{facts.exposures_s[i]:.9g}"
            rows.writerow(
                [
                    facts.indices[i],
                    facts.numbers[i],
                    f"{time_s:.9f}",
                    utc,
                    exposure,
                    "|".join(marks.get(i, [])),
                ]
                + [repr(mean) for mean in means[i : i + 1]]
            )
