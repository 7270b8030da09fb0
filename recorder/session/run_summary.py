"""What is told of a run when it is over."""

from collections.abc import Sequence

from recorder.frames.ledger import Ledger
from recorder.session import status
from recorder.session.session_file import FileState, SessionFile
from recorder.session.status import RunOutcome, Statistics, Summary


def summary_of(
    figures: Statistics,
    outcome: RunOutcome,
    ledger: Ledger,
    entries: Sequence[SessionFile],
    marks: int,
    cpu_s: float,
) -> Summary:
    """Return the summary of a run whose last figures these are, `entries` its files, `cpu_s` what it used."""
    verdict, cause = outcome.of_run(ledger.lost)
    acquisition, pool = figures.acquisition, figures.pool
    files = [entry.file for entry in entries if entry.state is not FileState.WITHDRAWN]
    written = [file for file in files if file.path is not None]
    return Summary(
        files=tuple((file.path, file.frames) for file in written if file.path is not None),
        verdict=verdict,
        cause=cause,
        frames=figures.frames,
        unsaved=figures.unsaved,
        durable=figures.durable,
        lost=ledger.lost,
        losses=ledger.by_cause(),
        marks=marks,
        seconds=figures.elapsed_s,
        cpu_s=cpu_s,
        bytes=figures.frames * figures.frame_bytes,
        mode=(written or files)[-1].mode if files else "",
        longest_pause_s=acquisition.longest_pause_s if acquisition else 0.0,
        blocks=pool.blocks if pool else 0,
        lowest_free=pool.lowest_free if pool else 0,
        exit_code=status.EXIT_CODES[verdict],
        reason=outcome.reason,
        packing=figures.packing,
        captures=None if figures.captures is None else figures.captures.done,
    )
