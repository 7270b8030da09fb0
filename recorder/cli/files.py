"""`recorder info` and `recorder recover`: show what a file holds, and repair one."""

from pathlib import Path
from typing import Any

import click

from recorder.errors import RecorderError, UsageError
from recorder.files import reader
from recorder.files.recover import recover as recover_file
from recorder.frontends.printing import escaped, print_error, print_json, print_line

FILES = click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))

# The width of the longest name in the description of a camera.
NAME_WIDTH = 24


@click.command()
@FILES
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each file.")
def info(files: tuple[Path, ...], as_json: bool) -> int:
    """Show what each FILE holds and how its recording ended; also while it grows."""
    for number, file in enumerate(files):
        found = reader.describe(file)
        if as_json:
            print_json(vars(found))
            continue
        losses = ", ".join(f"{count} {cause}" for cause, count in found.losses.items())
        shape = f"{found.width}x{found.height}"
        rows: dict[str, Any] = {
            "file": found.path,
            "verdict": found.verdict,
            "ended": found.cause or "not yet, or killed",
            "frames": f"{found.frames} of {shape} {found.dtype}, {found.bytes / 1e9:.3f} GB",
            "lost": f"{found.lost}" + (f" ({losses})" if losses else ""),
            "time": f"{found.start_time} to {found.end_time or 'now'}",
            "rate": f"{found.rate:.3f} frames/s over {found.seconds:.3f} s of the camera's clock",
            "marks": found.marks,
            "commands": found.commands,
            "written": f"{found.storage_mode}, {found.frames_per_chunk} frames a chunk",
            "camera": f"{found.camera}, serial {found.serial_number}",
            **{k: v for k, v in found.detector.items() if k not in {"description", "serial_number"}},
        }
        if number:
            print_line("")
        shown = ((escaped(name), escaped(str(value))) for name, value in rows.items())
        print_line("\n".join(f"{name:{NAME_WIDTH}} {value}" for name, value in shown))
    return 0


@click.command()
@FILES
def recover(files: tuple[Path, ...]) -> int:
    """Repair each FILE whose recorder was killed, in place, so that every program opens it."""
    code = 0
    for file in files:
        try:
            done = recover_file(file)
        except RecorderError as error:
            print_error(str(error))
            code = max(code, 2 if isinstance(error, UsageError) else 1)
            continue
        if done.removed is None:
            print_line(f"{file}: {done.frames} frames; it was closed in order, nothing to do")
            continue
        gone = f"; {done.removed} more have no pixels and are gone" if done.removed else ""
        print_line(f"{file}: recovered with {done.frames} frames{gone}")
    return code
