"""Pictures into an MP4, by an ffmpeg of its own process; where it fails, its words become one line."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import IO, Any

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

# What all players decode: H.264 with colours of half the resolution. Quality 10 is hard to tell from the
# original, 0 would be without loss. "faststart": a browser shows it before all of it has come.
_FORM = (
    *("-c:v", "libx264", "-preset", "veryfast", "-crf", "10", "-pix_fmt", "yuv420p"),
    *("-vf", "scale=out_color_matrix=bt709:out_range=tv"),
    *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"),
    *("-movflags", "+faststart"),
)

# Reported where ffmpeg fails and says nothing.
_SILENT = "the encoder ended early"


@contextlib.contextmanager
def encoding(
    path: Path, width: int, height: int, rate: float
) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Yield what takes the pictures (height, width, 3) of a film, `rate` of them a second.

    Height and width are even. After `with` the film at `path` is whole. Raises OSError where it cannot be
    written; the encoder never outlives `with`.
    """
    command = [
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24"),
        *("-s", f"{width}x{height}", "-r", str(Fraction(rate).limit_denominator()), "-i", "-"),
        *(*_FORM, str(path.absolute())),
    ]
    # Ctrl-C is for us, who end the encoder in order.
    how: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        how = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    how |= {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL}
    with (
        tempfile.TemporaryFile() as words,
        subprocess.Popen(command, stderr=words, **how) as ffmpeg,
    ):
        pictures = ffmpeg.stdin
        assert pictures is not None

        def put(picture: NDArray[np.uint8]) -> None:
            try:
                pictures.write(np.ascontiguousarray(picture).data)
            except OSError:
                # It has ended: why, it says itself.
                ffmpeg.wait()
                raise _problem(words) from None

        try:
            yield put
            with contextlib.suppress(OSError):
                pictures.close()
            if ffmpeg.wait():
                raise _problem(words)
        finally:
            ffmpeg.kill()
            with contextlib.suppress(OSError):
                pictures.close()


def _problem(words: IO[bytes]) -> OSError:
    """Return the last of what ffmpeg said; the reason stands behind what it was doing."""
    words.seek(0, os.SEEK_SET)
    lines = words.read().decode(errors="replace").strip().splitlines()
    return OSError(0, lines[-1].rpartition(": ")[2] if lines else _SILENT)
