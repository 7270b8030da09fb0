"""`recorder export`: a recording, or a part of it, in the formats of other programs."""

import contextlib
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Unpack

import click

import recorder
from recorder.cli.interruption import until_interrupted
from recorder.cli.progress import progress_bar
from recorder.files.export.formats import FORMATS, advice, ending_of, export_one
from recorder.files.export.request import Options, Output, Request
from recorder.files.opened.problems import RecoverWarning
from recorder.files.opened.recording import OpenedRecording
from recorder.frontends.printing import print_error, print_line


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--frames", metavar="FIRST:STOP", help="These frames, as a slice in Python: 100:200 are 100.")
@click.option(
    "--time", metavar="FROM:TO", help="The frames between two times after the first, such as 2s:5s."
)
@click.option(
    "--around", metavar="LABEL", help='One output for each mark of this label ("trial*": any such).'
)
@click.option("--before", default="0.2s", show_default=True, help="So much before each mark.")
@click.option("--after", default="0.6s", show_default=True, help="So much after it.")
@click.option("--every", default="1", metavar="N", help="Of these frames, every n-th only.")
@click.option("--channel", metavar="NAME", help="Of these, the frames of one channel, such as blue.")
@click.option("--roi", metavar="X,Y,W,H", help="This part of each frame, in pixels from 0 on.")
@click.option("--bin", default="1", metavar="N", help="Means of n x n pixels.")
@click.option(
    "--meta", metavar="KEY=VALUE", multiple=True, help="Said of it besides its own, such as subject=M12."
)
@click.option(
    "--levels", default="auto", metavar="LOW:HIGH", help="Films: what is black and white; auto, full."
)
@click.option("--colours", default="grey", help="Films: grey, inferno, viridis or diverging.")
@click.option("--speed", default="1x", help="Films: 0.1x is ten times slower than it was.")
@click.option("--plain", is_flag=True, help="Films: without the time and the marks in the picture.")
def export(files: tuple[Path, ...], out: Path, **options: Unpack[Options]) -> int:
    """Write FILE, or a part of it, as OUT: .tif, .ome.tif, .ome.zarr, .nwb, .mp4, .npy or .csv.

    Several FILEs of one session are one recording, as is what a journal names. Times count from its first
    frame, with --around from the mark. What keeps every pixel is read back and compared before it gets its
    name; nothing is ever overwritten, and what is interrupted leaves nothing.
    """
    request = Request.of(out, options)
    checked = ", read back and compared" if FORMATS[ending_of(out)].is_lossless else ""
    with _opened(files) as recording, until_interrupted() as go_on:
        outputs = request.outputs(recording)
        if said := advice(outputs[0].path, outputs[0].content):
            print_error(said)
        for number, output in enumerate(outputs, 1):
            place = f" ({number} of {len(outputs)})" if len(outputs) > 1 else ""
            try:
                _write(output, place, go_on)
            except KeyboardInterrupt:
                print_error(f"interrupted: {output.path} is not written, and nothing is left of it")
                return 130
            count = len(output.content.part.indices)
            print_line(f"{output.path}: {count} frame{'s' * (count != 1)}{checked}")
    return 0


def _write(output: Output, place: str, go_on: Callable[[], object]) -> None:
    """Write one output behind a bar that names it and its `place` among others."""
    total, name = len(output.content.part.indices), output.path.name
    with progress_bar() as bar:
        task = bar.add_task(name, total=total)

        def tell(phase: str) -> None:
            bar.reset(task, description=f"{phase} {name}{place}", total=total)
            go_on()

        def advance(frames: int) -> None:
            bar.advance(task, frames)
            go_on()

        output.content.progress = advance
        export_one(output.path, output.content, output.options, tell)


@contextlib.contextmanager
def _opened(files: tuple[Path, ...]) -> Iterator[OpenedRecording]:
    """Open files as one recording during `with`; what is wrong, but can be read, is said in a line each."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecoverWarning)
        recording = recorder.open(*files)
    with recording:
        for problem in recording.problems:
            print_error(problem)
        yield recording
