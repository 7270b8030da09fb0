"""`recorder replay`: run again with the configuration and the commands of a journal."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import click

from recorder.cli.options import SET, load_settings
from recorder.cli.record import record
from recorder.control.dispatcher import Dispatcher
from recorder.control.journal import read_journal
from recorder.control.journal_replay import replay_journal
from recorder.settings.model import override
from recorder.storage.layout import JOURNAL_SUFFIX


@click.command()
@click.argument("journal_file", metavar="JOURNAL", type=click.Path(path_type=Path))
@SET
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="Another configuration than the journal's.",
)
@click.option("--align", type=click.Choice(["frame", "time"]), default="frame", show_default=True)
@click.option("--output", metavar="PATH", help="A folder for the file, or the file itself, ending in .h5.")
@click.option("--dry-run", is_flag=True, help="Do everything but write the file.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON at the end, and nothing else.")
def replay(
    journal_file: Path,
    overrides: tuple[str, ...],
    config_file: Path | None,
    align: Literal["frame", "time"],
    output: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Run again with the configuration and the commands of JOURNAL, at the same frames or times."""
    journal = read_journal(journal_file)
    if config_file is not None:
        settings = load_settings(config_file, overrides, {"--output": output})
    else:
        # Beside the recording that is replayed, under a name of its own.
        stem = journal_file.name.removesuffix(JOURNAL_SUFFIX)
        beside = journal_file.with_name(f"{stem}_replay_{datetime.now(UTC):%Y%m%dT%H%M%SZ}.h5")
        target = output or str(beside)
        settings = journal.settings
        for text in overrides:
            settings = override(settings, text)
        settings = override(settings, "recording.output", target)

    async def journal_lines(dispatch: Dispatcher) -> None:
        await replay_journal(journal, dispatch, align)

    return record(settings, journal_lines, dry_run, as_json, None, is_headless=True)
