"""`recorder export`: a recording, or a part of it, in the formats of other programs."""

from pathlib import Path
from typing import Any

import click

import recorder
from recorder.cli.progress import progress_bar
from recorder.errors import UsageError
from recorder.files.export.formats import FORMATS, ending_of, export_one, require_installed
from recorder.files.export.movie_look import Look, check_colours, parse_levels, parse_speed
from recorder.files.export.plan import Wanted, bits_of, plan
from recorder.files.export.selection import Shaping, parse_roi
from recorder.frontends.printing import print_line
from recorder.units import parse_seconds

# Options of films, which other formats do not have.
_FILM = {"--levels": "auto", "--colours": "grey", "--speed": "1x"}


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
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
@click.option("--every", default=1, type=click.IntRange(1), help="Of these frames, every n-th only.")
@click.option("--roi", metavar="X,Y,W,H", help="This part of each frame, in pixels from 0 on.")
@click.option("--bin", "binning", default=1, type=click.IntRange(1, 64), help="Means of n x n pixels.")
@click.option(
    "--levels", default="auto", metavar="LOW:HIGH", help="Films: what is black and white; auto, full."
)
@click.option("--colours", default="grey", help="Films: grey, inferno, viridis or diverging.")
@click.option("--speed", default="1x", help="Films: 0.1x is ten times slower than it was.")
@click.option("--plain", is_flag=True, help="Films: without the time and the marks in the picture.")
def export(
    file: Path,
    out: Path,
    frames: str | None,
    time: str | None,
    around: str | None,
    before: str,
    after: str,
    every: int,
    roi: str | None,
    binning: int,
    levels: str,
    colours: str,
    speed: str,
    plain: bool,
) -> int:
    """Write FILE, or a part of it, as OUT: .tif, .ome.tif, .ome.zarr, .nwb, .mp4, .npy or .csv.

    Times count from the first frame of FILE, with --around from the mark. What keeps every pixel is read back
    and compared before it gets its name; nothing is ever overwritten.
    """
    ending = ending_of(out)
    is_film = FORMATS[ending].module == "movie"
    given = {"--levels": levels, "--colours": colours, "--speed": speed}
    for name, value in given.items():
        if not is_film and value != _FILM[name]:
            raise UsageError(f"{name}: is for films (.mp4) only, and {out.name} is none")
    look = Look(parse_levels(levels), check_colours(colours), parse_speed(speed), has_text=not plain)
    wanted = Wanted(
        frames, time, around, _seconds("--before", before), _seconds("--after", after), every,
        Shaping(parse_roi(roi) if roi else None, binning),
    )  # fmt: skip
    require_installed(out)
    with recorder.open(file) as recording:
        options: dict[str, Any] = {"look": look, "bits": bits_of(recording)} if is_film else {}
        with progress_bar() as bar:
            task = bar.add_task(out.name, total=None)
            outputs = plan(recording, out, wanted, lambda count: bar.advance(task, count))
            for path, content in outputs:

                def tell(phase: str, name: str = path.name, total: int = len(content.part.indices)) -> None:
                    bar.reset(task, description=f"{phase} {name}", total=total)

                export_one(path, content, options, tell)
        for path, content in outputs:
            count = len(content.part.indices)
            print_line(f"{path}: {count} frame{'s' * (count != 1)}{_checked(path)}")
    return 0


def _checked(path: Path) -> str:
    return ", read back and compared" if FORMATS[ending_of(path)].is_lossless else ""


def _seconds(option: str, text: str) -> float:
    try:
        return parse_seconds(text)
    except ValueError as error:
        raise UsageError(f"{option} {text}: {error}") from None
