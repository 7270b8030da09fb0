"""Record a PCO camera: every frame on disk, in order, or told exactly which are missing and why.

    camera thread   camera.read_into(slot) fills blocks of a pool     camera/, frames/
    event loop      channels carry spans, commands act on a session   session/, control/, frontends/
    storage thread  pixels, then rows, then flush                     storage/

A block is lent, never copied; the pool is the only bound on memory; the index row is the commit record;
what the camera counted and the file lacks stands in the ledger of losses.

In a notebook, `recorder.open(path)` has what was recorded.
"""

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from os import PathLike

    from recorder.files.opened.recording import OpenedRecording
    from recorder.files.opened.rig import OpenedRig

__all__ = ["open", "open_rig"]
__version__ = "0.1.0"


def open(*paths: "str | PathLike[str]") -> "OpenedRecording":
    """Open a recording to read: frames as an array that stays on the disk, times, marks, losses, settings.

    One file; several of one session, as one; a pattern ("trial*.h5"); a journal (.commands.jsonl), or a
    folder with one session: then all of its files. The file of a rig (.rig.h5) gives what `open_rig` does;
    a type checker knows of it by that name. Nothing is ever written. Raises UsageError where there is
    no such file, NotOurFileError where it is another program's, DamagedFileError where it cannot be read;
    warns with RecoverWarning where `recorder recover` is needed. Blocks for about half a second: another
    process looks into the files first.
    """
    from recorder.files.opened.recording import open_files  # noqa: PLC0415 - importing recorder costs nothing

    if len(paths) == 1 and str(paths[0]).endswith(".rig.h5"):
        return cast("OpenedRecording", open_rig(paths[0]))
    return open_files(paths)


def open_rig(path: "str | PathLike[str]") -> "OpenedRig":
    """Open the recordings of several cameras by the file NAME.rig.h5: rig["left"].frames, rig.aligned().

    Raises, warns and blocks as `open` does.
    """
    from recorder.files.opened.rig import open_rig_file  # noqa: PLC0415 - importing recorder costs nothing

    return open_rig_file(path)
