"""`recorder verify` and `recover`: whether a file is sound, and repairing one; what `info` shares."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from recorder.errors import DamagedFileError, RecorderError, UsageError
from recorder.files.checks import Kind
from recorder.files.probe import Probe, probing
from recorder.files.recover import recover as recover_file
from recorder.files.verify import Verified
from recorder.files.verify import verify as verify_file
from recorder.frontends.printing import escaped, print_error, print_json, print_line

FILES = click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each file.")

# How often the progress of `verify` is shown, on a terminal.
PROGRESS_S = 0.5

# Of several files the worst one counts.
_SEVERITY = (0, 3, 2, 1)


@click.command()
@FILES
@AS_JSON
def verify(files: tuple[Path, ...], as_json: bool) -> int:
    """Check all of each FILE; exit code 0: it is sound, 3: sound, but not complete, 1: damaged."""

    def check(file: Path, probe: Probe) -> int:
        with_progress = sys.stderr.isatty() and not as_json
        found = verify_file(file, probe, _progress(file) if with_progress else lambda _done, _all: None)
        if with_progress:
            click.echo("\r\x1b[K", nl=False, err=True)
        if as_json:
            print_json(_for_json(found))
        else:
            print_line(_report(found))
        return found.exit_code

    return each(files, check, damaged_code=1)


def _report(found: Verified) -> str:
    verdict = {0: "sound", 3: "sound, but not complete", 1: "damaged"}[found.exit_code]
    stamps = f", {found.stamped} timestamps compared" if found.stamped else ""
    stamps += f", {found.summed} checksums compared" if found.summed else ""
    head = f"{found.path}: {verdict}: {found.frames} frames, {found.bytes / 1e9:.3f} GB{stamps}"
    return "\n".join([escaped(head), *(f"  {p.check}: {escaped(p.text)}" for p in found.problems)])


def _for_json(found: Verified) -> dict[str, Any]:
    problems = [{"kind": p.kind, "check": p.check, "text": p.text} for p in found.problems]
    damaged = any(p.kind is Kind.DAMAGE for p in found.problems)
    fields = {"frames": found.frames, "lost": found.lost, "bytes": found.bytes, "stamped": found.stamped}
    fields["summed"] = found.summed
    return {"file": str(found.path), "sound": not damaged, **fields, "problems": problems}


def _progress(file: Path) -> Callable[[int, int], None]:
    shown_s, began_s = 0.0, time.monotonic()

    def show(done: int, size: int) -> None:
        nonlocal shown_s
        now_s = time.monotonic()
        if now_s - shown_s >= PROGRESS_S:
            shown_s = now_s
            flow = done / max(now_s - began_s, 1e-3)
            click.echo(
                f"\r{escaped(file.name)}: {done / size:.0%} of {size / 1e9:.1f} GB, {flow / 1e9:.2f} GB/s ",
                nl=False,
                err=True,
            )

    return show


@click.command()
@FILES
def recover(files: tuple[Path, ...]) -> int:
    """Repair each FILE whose recorder was killed, in place, so that every program opens it."""

    def repair(file: Path, probe: Probe) -> int:
        done = recover_file(file, probe)
        if done.removed is None:
            print_line(f"{file}: {done.frames} frames; it was closed in order, nothing to do")
            return 0
        gone = f"; {done.removed} more have no pixels and are gone" if done.removed else ""
        gone += f"; {done.removed_rows} marks, commands or losses were not whole" if done.removed_rows else ""
        print_line(f"{file}: recovered with {done.frames} frames{gone}")
        return 0

    return each(files, repair)


def each(
    files: tuple[Path, ...],
    act: Callable[[Path, Probe], int],
    damaged_code: int = 2,
    patience: float = 1.0,
) -> int:
    """Do something with each file, whatever became of the others; return the worst exit code.

    `damaged_code` is that of a file which cannot be read; `patience` that with the process that looks at it.
    """
    codes = [0]
    with probing(patience) as probe:
        for file in files:
            try:
                codes.append(act(file, probe))
            except RecorderError as error:
                print_error(str(error))
                code = damaged_code if isinstance(error, DamagedFileError) else 2
                codes.append(code if isinstance(error, UsageError) else 1)
    return max(codes, key=_SEVERITY.index)
