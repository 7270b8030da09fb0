"""`recorder report`: a recording as one page that a person reads in a minute."""

import warnings
from pathlib import Path

import click

import recorder
from recorder.cli.progress import progress_bar
from recorder.errors import UsageError
from recorder.files.export.target import require_new
from recorder.files.opened.problems import RecoverWarning
from recorder.files.opened.session_files import session_files
from recorder.files.report.writing import require_matplotlib, write_report
from recorder.frontends.printing import print_line
from recorder.storage.layout import JOURNAL_SUFFIX

# What the name of a report ends in where none is given.
SUFFIX = ".report.html"


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("out", required=False, metavar="[OUT.html]", type=click.Path(path_type=Path))
@click.option("--png", metavar="OUT.png", type=click.Path(path_type=Path), help="The same as a picture, too.")
def report(file: Path, out: Path | None, png: Path | None) -> int:
    """Write a page about FILE: frames, intervals, losses, marks, clocks, disk, settings, verdict.

    FILE is a recording, also one that grows or was killed; or the journal, or the folder, of a session: then
    all of its files. The page, FILE.report.html unless named, is one file for any browser.
    """
    _require_ending(out, ".html")
    _require_ending(png, ".png")
    require_matplotlib()
    for path in (out, png):
        if path is not None:
            require_new(path)
    with warnings.catch_warnings():
        # What the warning says is on the page, and below.
        warnings.simplefilter("ignore", RecoverWarning)
        recording = recorder.open(file)
    with recording, progress_bar() as bar:
        # Beside what was named, which may be a link; of a session beside its first file.
        named = file if file.is_file() and file.suffix == ".h5" else recording.files[0].path
        out = out or named.with_name(f"{named.stem}{SUFFIX}")
        task = bar.add_task(f"reading {named.name}", total=None)
        write_report(recording, out, png, lambda done, count: bar.update(task, completed=done, total=count))
        count = len(recording)
    for problem in recording.problems:
        print_line(problem)
    told = "" if len(recording.files) == 1 else f" in {len(recording.files)} files"
    print_line(f"{out}: {count} frames{told}, {recording.verdict}")
    if png is not None:
        print_line(f"{png}: the same as a picture")
    journal = named.with_suffix(JOURNAL_SUFFIX)
    if len(recording.files) == 1 and journal.is_file() and (more := len(session_files(journal))) > 1:
        print_line(f"{named}: one of the {more} files of its session; recorder report {journal} is about all")
    return 0


def _require_ending(path: Path | None, ending: str) -> None:
    if path is not None and path.suffix.lower() != ending:
        raise UsageError(f"{path}: write a name that ends in {ending}")
