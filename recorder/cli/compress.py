"""`recorder compress`: finished recordings, packed."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import click

from recorder.cli.files import FILES, each
from recorder.cli.interruption import until_interrupted
from recorder.cli.noise_options import ladder_of, wanted_noise
from recorder.cli.progress import progress_bar
from recorder.errors import UsageError
from recorder.files.compress.compressing import Compressed, Progress
from recorder.files.compress.compressing import compress as compress_file
from recorder.files.opened.session_files import SUFFIX
from recorder.files.opening import require_file
from recorder.files.probe import Probe
from recorder.frontends.printing import print_error, print_line
from recorder.frontends.priority import step_back
from recorder.storage.noise_ladder import NoiseLadder, lossy_text
from recorder.storage.writer_lock import is_being_written

# What a new file is called beside the old one: mouse.compressed.h5.
NAME = ".compressed"

# A process that takes only what others leave over may wait for long.
PATIENCE = 10.0


@click.command()
@FILES
@click.option(
    "--codec",
    type=click.Choice(["zstd", "lz4"]),
    default="zstd",
    show_default=True,
    help="lz4 is twice as fast, and packs less.",
)
@click.option(
    "--shot-noise",
    metavar="F",
    help="Nearly lossless: values closer than F (0.05 to 1) of their noise become one first.",
)
@click.option("--conversion-factor", metavar="N", help="With --shot-noise: electrons per count.")
@click.option("--read-noise", metavar="N", help="With --shot-noise: electrons; by default what FILE says.")
@click.option("--dark-offset", metavar="N", help="With --shot-noise: counts of a pixel without light.")
@click.option("--output", metavar="PATH", type=click.Path(path_type=Path), help="A folder, or a new file.")
@click.option(
    "--in-place", is_flag=True, help="Put the new file into the old one's place, which is gone then."
)
def compress(
    files: tuple[Path, ...],
    codec: Literal["zstd", "lz4"],
    output: Path | None,
    in_place: bool,
    **noise: str | None,
) -> int:
    """Compress each finished FILE, every pixel as it was, into FILE.compressed.h5 beside it.

    With --shot-noise pixels are not quite what they were: how far they were moved stands in the new file.

    All of it is read back from the disk and compared before the new file takes its name; whenever it is
    interrupted or killed, the old one is whole. Others go first; beside a recorder that writes to the same
    folder, it takes only what nobody else wants.
    """
    if in_place and output is not None:
        raise UsageError("--in-place and --output contradict each other; leave one of them out")
    if output is not None and output.suffix == SUFFIX and len(files) > 1:
        raise UsageError(f"{output}: one file for {len(files)} recordings; name a folder")
    wanted = wanted_noise(noise)
    step_back(behind_all=_a_recorder_works(files, output))
    interrupted: list[Path] = []
    with until_interrupted() as go_on:

        def pack(file: Path, probe: Probe) -> int:
            if interrupted:
                return 0
            try:
                target = None if in_place else _target(file, output)
                _pack(file, target, codec, ladder_of(file, wanted), probe, go_on)
            except KeyboardInterrupt:
                interrupted.append(file)
            return 0

        code = each(files, pack, damaged_code=1, patience=PATIENCE)
    if interrupted:
        print_error(f"interrupted: {interrupted[0]} is as it was, and nothing else is left")
    return 130 if interrupted else code


def _a_recorder_works(files: tuple[Path, ...], output: Path | None) -> bool:
    """Return whether a recorder writes to a file beside those that are read or written."""
    folders = {file.resolve().parent for file in files}
    if output is not None:
        folders.add(output.parent if output.suffix == SUFFIX else output)
    beside = (path for folder in folders for path in folder.glob(f"*{SUFFIX}") if path.is_file())
    return any(is_being_written(path, may_write=False) for path in beside)


def _target(file: Path, output: Path | None) -> Path:
    """Return the name of the new file; a link's is beside what it points at."""
    require_file(file)
    real = file.resolve()
    if output is None:
        return real.with_name(f"{real.stem}{NAME}{real.suffix}")
    return output if output.suffix == SUFFIX else output / real.name


def _pack(
    file: Path,
    target: Path | None,
    codec: str,
    ladder: NoiseLadder | None,
    probe: Probe,
    go_on: Callable[[], object],
) -> None:
    with progress_bar() as bar:
        task = bar.add_task(file.name, total=None)

        def begin(phase: str, frames: int) -> None:
            bar.reset(task, description=f"{phase} {file.name}", total=frames)
            go_on()

        def advance(frames: int) -> None:
            bar.advance(task, frames)
            go_on()

        done = compress_file(file, probe, target, codec, ladder, Progress(begin, advance))
    for leftover in done.leftovers:
        print_error(f"{leftover}: left by one that was killed, and removed")
    moved = f"; {lossy_text(ladder.details())}" if ladder is not None and not done.why_not else ""
    print_line(f"{file}: {_in_words(done, target)}{moved}")


def _in_words(done: Compressed, target: Path | None) -> str:
    if done.why_not:
        return f"stays as it is: {done.why_not}"
    where = "" if target is None else f"{done.path}, "
    return (
        f"{where}{done.before / done.after:.2f} times smaller: {done.after / 1e9:.3f} GB of "
        f"{done.before / 1e9:.3f} GB, {done.frames} frames read back and compared"
    )
