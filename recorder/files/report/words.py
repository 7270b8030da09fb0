"""What a report says, in words: the verdict, the facts, the captions."""

import math
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recorder.camera.base import PIXEL_SIZE
from recorder.files.clocks import drift_text, unknown_of
from recorder.files.report.found import Found
from recorder.files.report.samples import Samples
from recorder.storage.noise_ladder import LOSSY, lossy_text
from recorder.storage.records import Verdict
from recorder.units import format_bytes, format_metres, seconds_text

# What becomes of a mark or loss that has no room in a table.
MAX_ROWS = 40

# What describes the camera and its pixels, and is told among the facts.
TOLD = {"description", "serial_number", "bit_resolution", *PIXEL_SIZE, *LOSSY}

# Exposures that are told one by one.
MAX_EXPOSURES = 6

# What the causes of a loss mean (`frames.ledger.Cause`): frames are missing because ...
CAUSES = {
    "counter gap": "the camera's counter skipped them (look at the camera and its cable)",
    "camera overflow": "the camera's own buffer overflowed (this program got no processor time)",
    "buffer exhausted": "no memory was free (something other than the disk held it)",
    "storage": "the disk was too slow, full or broken",
    "aborted": "they were left in the camera by an abort",
}

# What the answer to `status` tells of memory and disk (`control.status_text.status_line`).
_STATUS = {
    "memory in use": re.compile(r"\bpool (\d+%)"),
    "longest time without reading the camera": re.compile(
        r"\blongest pause of the camera thread ([\d.]+ ms)"
    ),
    "longest write": re.compile(r"\blongest write ([\d.]+ ms)"),
    "longest sync": re.compile(r"\bsync ([\d.]+ ms)"),
    "free on the disk": re.compile(r"\bdisk ([\d.]+ GB) free"),
}

Mood = Literal["good", "bad", "open"]


@dataclass(frozen=True)
class VerdictText:
    """What became of a recording: a word, whether that is good, and sentences that explain it."""

    word: str
    mood: Mood
    sentences: tuple[str, ...]


def verdict(found: Found) -> VerdictText:
    """Return the verdict that `recorder info` has, and what it means."""
    recording = found.recording
    word, problems, losses = recording.verdict, recording.problems, _losses(found)
    if word == Verdict.RECORDING and not problems:
        there = "This is what was there when the report was made."
        return VerdictText("still being recorded", "open", (there, *losses))
    if word == Verdict.COMPLETE and not problems:
        if not losses:
            all_of_them = (
                f"Every frame that the camera exposed is there: {len(recording):,} frames, none lost."
            )
            return VerdictText(word, "good", (all_of_them,))
        word = Verdict.FRAMES_LOST
    sentences = [f"It ended so: {_ended(found)}."] if word != Verdict.FRAMES_LOST or not losses else []
    if word == Verdict.RECORDING:
        # Of what came after the last frame of a file that was left nobody knows.
        word, sentences = "not closed", [] if losses else ["Up to its last frame none was lost."]
    elif not losses and word != Verdict.FRAMES_LOST:
        sentences.append("No frame was lost.")
    is_open = word == Verdict.INTERRUPTED and not problems and not losses
    told = (*sentences, *losses, *(f"{problem}." for problem in problems))
    return VerdictText(word, "open" if is_open else "bad", told)


def _ended(found: Found) -> str:
    """Return why it ended, as the files say."""
    return "; ".join(dict.fromkeys(file.cause for file in found.recording.files if file.cause))


def _losses(found: Found) -> tuple[str, ...]:
    """Return how many frames are missing and why, nothing where none is."""
    lost, count = found.lost, len(found.recording)
    if not lost:
        return ()
    rows = found.recording.losses
    by_cause = {
        cause: int(rows["count"][rows["cause"] == cause].sum())
        for cause in dict.fromkeys(rows["cause"].tolist())
    }
    places = f"in {len(rows)} places" if len(rows) > 1 else "in one place"
    why = [f"{number:,} because {CAUSES.get(cause, cause)}" for cause, number in by_cause.items()]
    share = 100 * lost / (lost + count)
    percent = f"{share:.2g}" if share >= 0.01 else "less than 0.01"
    told = f"{lost:,} of {lost + count:,} frames are missing ({percent} %), {places}:"
    return (f"{told} {', '.join(why)}.",)


def facts(found: Found) -> dict[str, str]:
    """Return what one wants to know first, by its name."""
    recording = found.recording
    frames, known = recording.frames, recording.metadata
    _, height, width = frames.shape
    bits = known.get("instrument/detector/bit_resolution", 8 * frames.dtype.itemsize)
    told = {
        "frames": f"{len(recording):,} of {width} x {height} pixels, {bits} bit, {size_text(frames.nbytes)}",
        "began": _utc_text(recording.start),
        "length": _length(found),
        "rate": _rate(found),
        "ended": _ended(found),
        "lost": f"{found.lost:,}" if found.lost else "none",
        "exposure": _exposures(found),
        "sensor": _temperature(found.temperature),
        "camera": _camera(found),
        "pixel": _pixel(found),
        "marks": f"{len(recording.marks):,}" if len(recording.marks) else "none",
    }
    return {name: text for name, text in told.items() if text}


def size_text(size: int) -> str:
    """Return a number of bytes to three digits."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return format_bytes(size)


def _utc_text(moment: np.datetime64) -> str:
    return "" if np.isnat(moment) else f"{np.datetime_as_string(moment, 'ms').replace('T', ' ')} UTC"


def _length(found: Found) -> str:
    times = found.recording.time
    known = times[np.isfinite(times)]
    return seconds_text(float(known.max() - known.min())) if len(known) > 1 else ""


def _rate(found: Found) -> str:
    regular = found.intervals.regular
    if not len(regular) or not (total := float(regular.sum())) > 0:
        return ""
    flow = found.recording.frames.frame_bytes * len(regular) / total
    return f"{len(regular) / total:.5g} frames/s, {size_text(round(flow))}/s"


def _exposures(found: Found) -> str:
    changes = [
        ("not known" if math.isnan(seconds) else seconds_text(seconds))
        + (f" from frame {first} on" if first else "")
        for first, seconds in found.exposures[:MAX_EXPOSURES]
    ]
    more = len(found.exposures) - len(changes)
    return ", ".join(changes) + (f", and {more} changes more" if more else "")


def _temperature(known: NDArray[np.float32]) -> str:
    if not len(known):
        return ""
    low, high = float(known.min()), float(known.max())
    return f"{low:.1f} °C" if high - low < 0.05 else f"{low:.1f} to {high:.1f} °C"


def _camera(found: Found) -> str:
    known = found.recording.metadata
    name, number = (known.get(f"instrument/detector/{key}", "") for key in ("description", "serial_number"))
    return f"{name}, serial {number}" if name and number else str(name)


def _pixel(found: Found) -> str:
    known = found.recording.metadata
    parts = []
    for where, factor, what in (("optics", 1e-6, "on the sample"), ("detector", 1.0, "on the sensor")):
        sizes = [known.get(f"instrument/{where}/{name}") for name in PIXEL_SIZE]
        texts = [_metres(size * factor) for size in sizes if isinstance(size, float) and size > 0]
        if len(texts) == 2:
            parts.append(f"{' x '.join(dict.fromkeys(texts))} {what}")
    return ", ".join(parts)


def _metres(size: float) -> str:
    return re.sub(r"([nµm]?m)$", r" \1", format_metres(size).replace("um", "µm"))


def interval_text(found: Found) -> str:
    """Return how long the time between two frames was, "" where there are no two."""
    intervals = found.intervals
    if not len(intervals.regular):
        return ""
    median, low, high = (seconds_text(each, 6) for each in (intervals.median_s, *intervals.range_s))
    longest = int(np.argmax(intervals.seconds))
    longest_text = seconds_text(float(intervals.seconds[longest]), 6)
    spread = "99 % of them the same" if low == high else f"99 % between {low} and {high}"
    told = f"From frame to frame {median} (median); {spread}."
    if longest_text == high:
        return told
    return f"{told} The longest, {longest_text}, is behind frame {int(intervals.after[longest]):,}."


def sample_text(samples: Samples) -> str:
    """Return which pixels the mean was taken from."""
    if len(samples.indices) == samples.count:
        read = f"Mean of all pixels of all {samples.count:,} frames."
    else:
        step = round(samples.count / len(samples.indices))
        read = (
            f"Mean of all pixels of {len(samples.indices):,} of {samples.count:,} frames, one in {step:,}: "
            "the others were not read."
        )
    top, saturated = int(samples.brightest.max()), samples.saturated
    if saturated:
        return f"{read} In {saturated:,} of these frames a pixel is saturated ({samples.saturation} counts)."
    return f"{read} The brightest pixel has {top} of {samples.saturation} counts."


def clock_facts(found: Found) -> dict[str, str]:
    """Return what is known of the camera's clock against the computer's, by its name."""
    known = found.late_s[np.isfinite(found.late_s)]
    if not len(known):
        return {}
    median, nearly, latest = (max(0.0, float(value)) for value in np.percentile(known, [50, 99, 100]))
    told = {
        "zero": f"{_utc_text(found.recording.start)}, the begin of the first frame, by the computer's clock"
    }
    fit = next((fit for fit in found.clocks if fit is not None), None)
    if fit is None:
        told["fit"] = f"none: {unknown_of(found.recording.metadata) or 'no frame tells it'}"
    else:
        offset_s = fit.host_of(0) * 1e-9
        told |= {
            "offset": (
                f"{seconds_text(offset_s)}: host_time is start_time + exposure + this, for a frame that came "
                "as soon as frames come"
            ),
            "drift": drift_text(fit.drift),
            "residual": f"{seconds_text(fit.residual_s)}, the quickest frame of a stretch of time (median)",
            "uncertainty": "a single frame tells none"
            if math.isnan(fit.uncertainty_s)
            else f"{seconds_text(fit.uncertainty_s)}, from one clock to the other (95 % sure)",
        }
        if fit.jumps:
            told["set"] = f"{fit.jumps} times while it recorded; all of this is about the time since"
    return told | {
        "arrival": (
            f"half of the frames came less than {seconds_text(median)} later than the quickest, 99 % less "
            f"than {seconds_text(nearly)}, the latest {seconds_text(latest)}"
        ),
    }


def disk_facts(found: Found) -> dict[str, str]:
    """Return what is known of disk and memory, by its name."""
    recording, known = found.recording, found.recording.metadata
    modes = {"direct": "past the page cache", "buffered": "through the page cache"}
    mode = str(known.get("storage_mode", ""))
    unread_s = float(recording.losses["unread_s"].max(initial=0.0))
    told = {
        "written": f"{mode}: {modes.get(mode, '')}".rstrip(": ") if mode else "",
        "pixels": lossy_text({name: known.get(f"instrument/detector/{name}") for name in LOSSY}),
        "memory for frames": str(recording.settings.get("pool", {}).get("memory", "")),
        "longest time in which no frame was read, before a loss": seconds_text(unread_s) if unread_s else "",
    }
    return {name: text for name, text in (told | _last_status(found)).items() if text}


def _last_status(found: Found) -> dict[str, str]:
    """Return the figures of the last answer to `status`, none where nobody asked."""
    for row in found.recording.commands[::-1]:
        if row["command"] == "status":
            seen = {name: pattern.search(str(row["message"])) for name, pattern in _STATUS.items()}
            if any(seen.values()):
                told = {name: match[1] for name, match in seen.items() if match}
                return {"last status": str(row["time"])[:19].replace("T", " ") + " UTC"} | told
    return {}
