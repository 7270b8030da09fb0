"""A recording in a few lines, for who types its name in a notebook."""

from typing import TYPE_CHECKING

from recorder.storage.noise_ladder import LOSSY, lossy_text

if TYPE_CHECKING:
    from recorder.files.opened.recording import OpenedRecording


def summary_text(recording: "OpenedRecording") -> str:
    """Return what a recording is, and what is wrong with it."""
    times, frames = recording.time, recording.frames
    seconds = float(times[-1] - times[0]) if len(times) > 1 else 0.0
    rate = f", {(len(times) - 1) / seconds:.6g} frames/s" if seconds > 0 else ""
    more = f" and {len(recording.files) - 1} more" if len(recording.files) > 1 else ""
    lost = int(recording.losses["count"].sum())
    labels = list(dict.fromkeys(recording.marks["label"].tolist()))
    shown = ", ".join(labels[:6]) + (", ..." if len(labels) > 6 else "")
    pixels = lossy_text({name: recording.metadata.get(f"instrument/detector/{name}") for name in LOSSY})
    lines = [
        f"Recording {recording.files[0].path.name}{more}: {recording.verdict}",
        f"  frames  {' x '.join(map(str, frames.shape))} {frames.dtype}, {frames.nbytes / 1e9:.3f} GB",
        *([f"  pixels  {pixels}"] if pixels else []),
        f"  time    {seconds:.3f} s from {recording.start} UTC{rate}",
        f"  lost    {lost}" + (f" in {len(recording.losses)} gaps" if lost else ""),
        f"  marks   {len(recording.marks)}" + (f": {shown}" if labels else ""),
        *(
            [f"  signals {rows} row{'s' * (rows > 1)}"]
            if (rows := sum(file.signal_rows for file in recording.contents))
            else []
        ),
        *(f"  ! {problem}" for problem in recording.problems),
    ]
    return "\n".join(lines)
