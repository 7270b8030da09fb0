"""`recorder replay`: a journal again."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import click

from recorder.cli.options import SET, load_settings
from recorder.cli.record import record
from recorder.control import journal as journal_file
from recorder.control import replay as replay_log
from recorder.control.dispatcher import Dispatcher
from recorder.settings.model import override
from recorder.storage.layout import JOURNAL_SUFFIX


@click.command()
@click.argument("log", type=click.Path(path_type=Path))
@SET
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), help="Another configuration than the log's."
)
@click.option("--align", type=click.Choice(["frame", "time"]), default="frame", show_default=True)
@click.option("--output", metavar="PATH", help="A folder for the file, or the file itself, ending in .h5.")
@click.option("--dry-run", is_flag=True, help="Do everything but write the file.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON at the end, and nothing else.")
def replay(
    log: Path,
    overrides: tuple[str, ...],
    config_file: Path | None,
    align: Literal["frame", "time"],
    output: str | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Run again with the configuration and the commands of a journal, at the same frames or times."""
    journal = journal_file.read(log)
    if config_file is not None:
        settings = load_settings(config_file, overrides, {"--output": output})
    else:
        # Beside the recording that is replayed, under a name of its own.
        stem = log.name.removesuffix(JOURNAL_SUFFIX)
        target = output or str(log.with_name(f"{stem}_replay_{datetime.now(UTC):%Y%m%dT%H%M%SZ}.h5"))
        settings = journal.settings
        for text in overrides:
            settings = override(settings, text)
        settings = override(settings, "recording.output", target)

    async def play(dispatch: Dispatcher) -> None:
        await replay_log.play(journal, dispatch, align)

    return record(settings, play, dry_run, as_json, None, is_headless=True)
