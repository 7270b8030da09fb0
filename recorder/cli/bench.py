"""`recorder bench`: measure what this machine sustains, against what the camera needs."""

import signal
from pathlib import Path

import click
from rich.console import Console

from recorder.cli.options import CONFIG, SET, load_settings
from recorder.cli.throughput import default_folder, measure
from recorder.errors import UsageError
from recorder.frontends.printing import print_json
from recorder.frontends.terminal import SafeConsole
from recorder.units import parse_bytes

# In a narrower table, the figures would be cut off.
TABLE_WIDTH = 124


@click.command()
@CONFIG
@SET
@click.option(
    "--folder", type=click.Path(path_type=Path), help="The disk to measure (default: where CONFIG records)."
)
@click.option(
    "--seconds",
    default=2.0,
    show_default=True,
    type=click.FloatRange(0.01, 600),
    help="How long one measurement takes, about.",
)
@click.option(
    "--rounds", default=5, show_default=True, type=click.IntRange(1, 50), help="Interleaved rounds."
)
@click.option(
    "--write",
    "limit",
    default="20GB",
    show_default=True,
    metavar="SIZE",
    help="Write no more than this, in all; it is removed again.",
)
@click.option("--small-frames", is_flag=True, help="Measure frames of 128x128 and 256x256 pixels too.")
@click.option(
    "--compression",
    type=click.Choice(["lossless", "shot-noise"]),
    help="Measure the recorder with this storage.compression too, in turn with none.",
)
@click.option(
    "--disk-limit",
    metavar="RATE",
    help="Slow the recorder's disk down, for example to 500MB/s, as storage.limit does.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def bench(
    config_file: Path | None,
    overrides: tuple[str, ...],
    folder: Path | None,
    seconds: float,
    rounds: int,
    limit: str,
    small_frames: bool,
    compression: str | None,
    disk_limit: str | None,
    as_json: bool,
) -> int:
    """Measure whether this computer keeps up with the camera of CONFIG, and how many times over.

    It writes scratch files where CONFIG records, and compares the recorder with the raw disk.
    """
    settings = load_settings(config_file, overrides, {"--disk-limit": disk_limit})
    try:
        limit_bytes = parse_bytes(limit)
    except ValueError as error:
        raise UsageError(f"--write {limit}: {error}") from None
    console = SafeConsole(stderr=True)
    # Gigabytes of scratch files are removed on SIGTERM too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = folder or default_folder(settings)
    report = measure(
        settings,
        folder,
        seconds,
        rounds,
        limit_bytes,
        small_frames=small_frames,
        compression=compression,
        console=console,
    )
    if as_json:
        print_json(report.for_json())
    else:
        report.show(SafeConsole(width=max(Console().width, TABLE_WIDTH)))
    return 0
