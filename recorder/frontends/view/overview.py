"""What the time line shows: the marks and the losses of a recording, and what is told of one frame."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.files.opened.recording import OpenedRecording

# So many marks are shown, and told to be the first ones; no person finds more on a line.
MAX_MARKS = 5000

# Losses that are nearer to each other than this share of the recording are one on the line.
APART = 1 / 1000

# Marks so near to a frame are told of with it, at most so many.
NEAR_S = 1.0
MAX_NEAR = 3


def marks_here(recording: OpenedRecording) -> NDArray[np.void]:
    """Return the marks whose frames are there, in the order of their frames."""
    marks = recording.marks
    marks = marks[(marks["frame"] >= 0) & (marks["frame"] < len(recording))]
    return marks[np.argsort(marks["frame"], kind="stable")]


def overview(recording: OpenedRecording, times: NDArray[np.float64]) -> dict[str, Any]:
    """Return marks, losses and what is told of a recording; `times` (N,) are those of its frames in s.

    `marks` are [frame, time, label, text], `losses` [frame after it, its time, that of the frame before
    it, frames lost, gaps, causes] of a gap, or of several near each other; `more_marks` are not among them.
    """
    marks = marks_here(recording)
    first = recording.files[0]
    _, height, width = recording.frames.shape
    return {
        "files": [file.path.name for file in recording.files],
        "size": [width, height],
        "start_s": None if np.isnat(first.start) else _unix_s(first.start),
        "marks": [
            [int(row["frame"]), float(times[row["frame"]]), str(row["label"]), str(row["text"])]
            for row in marks[:MAX_MARKS]
        ],
        "more_marks": max(0, len(marks) - MAX_MARKS),
        "losses": _losses(recording, times),
    }


def _losses(recording: OpenedRecording, times: NDArray[np.float64]) -> list[list[Any]]:
    """Return the losses, those near each other as one."""
    if not len(times):
        return []
    apart_s = (times[-1] - times[0]) * APART
    found: list[list[Any]] = []
    for row in recording.losses:
        frame = max(0, min(int(row["after_frame"]) + 1, len(times) - 1))
        at_s, count, cause = float(times[frame]), int(row["count"]), str(row["cause"])
        if found and 0 <= at_s - found[-1][1] < apart_s:
            found[-1][3] += count
            found[-1][4] += 1
            if cause not in found[-1][5]:
                found[-1][5].append(cause)
        else:
            found.append([frame, at_s, float(times[max(0, frame - 1)]), count, 1, [cause]])
    return found


def lost_between(losses: NDArray[np.void], before: int, after: int) -> tuple[int, str]:
    """Return how many frames are missing between frames `before` and `after`, and why: "" for none.

    `before` is the earlier one, -1 for what is missing before the first.
    """
    rows = losses[(losses["after_frame"] >= before) & (losses["after_frame"] < after)]
    return int(rows["count"].sum()), ", ".join(dict.fromkeys(map(str, rows["cause"].tolist())))


def facts_of(
    recording: OpenedRecording, times: NDArray[np.float64], index: int, shown_before: int
) -> dict[str, Any]:
    """Return what is told of frame `index` beside its picture; `shown_before` was the picture before it.

    `gap` are the frames missing right before it, or, while it plays, since the picture before: [count,
    causes, whether right before it].
    """
    at_s = float(times[index])
    utc = recording.start
    exposure_s = float(recording.exposure[index])
    right_before = lost_between(recording.losses, index - 1, index)
    passed = lost_between(recording.losses, shown_before, index) if shown_before < index else (0, "")
    gap: list[Any] = [*right_before, True] if right_before[0] else [*passed, False]
    return {
        "index": index,
        "time_s": at_s,
        "utc_s": None if np.isnat(utc) else _unix_s(utc) + at_s,
        "exposure_s": exposure_s if math.isfinite(exposure_s) else None,
        "near": _near(recording, times, index),
        "gap": gap if gap[0] else None,
    }


def _near(recording: OpenedRecording, times: NDArray[np.float64], index: int) -> list[list[Any]]:
    """Return [label, frames from the mark to this frame, time from it in s] of the nearest marks."""
    marks = marks_here(recording)
    away = times[marks["frame"]] - times[index]
    nearest = np.argsort(np.abs(away), kind="stable")[:MAX_NEAR]
    return [
        [str(marks["label"][i]), index - int(marks["frame"][i]), -float(away[i])]
        for i in nearest
        if abs(away[i]) <= NEAR_S
    ]


def _unix_s(moment: np.datetime64) -> float:
    return float(moment.astype("datetime64[ns]").astype(np.int64)) * 1e-9
