"""Options that several sub-commands share, and the settings that follow from them."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import click

from recorder.errors import ConfigurationError, UsageError
from recorder.settings.model import Settings, load, override

S = TypeVar("S")

# Options of `run` that set a key of the configuration.
OPTION_KEYS = {
    "--disk-limit": "storage.limit",
    "--frames": "recording.frames",
    "--duration": "recording.duration",
    "--output": "recording.output",
}

CONFIG = click.argument("config_file", metavar="[CONFIG]", required=False, type=click.Path(path_type=Path))
SET = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="KEY=VALUE",
    help="Override a key of the configuration, for example camera.exposure=5ms.",
)
HEADLESS = click.option(
    "--headless", "is_headless", is_flag=True, help="Run without a console, until a limit or Ctrl-C."
)
FRAMES = click.option("--frames", metavar="N", help="Stop after N frames.")
DURATION = click.option("--duration", metavar="TIME", help="Stop after a time, for example 10s.")
OUTPUT = click.option(
    "--output", metavar="PATH", help="A folder for the file, or the file itself, ending in .h5."
)


def has_terminal() -> bool:
    """Return whether there is a terminal to type at."""
    return bool(sys.stdin and sys.stdin.isatty() and sys.stderr.isatty())


def load_settings(
    config_file: Path | None, overrides: tuple[str, ...], options: dict[str, str | None]
) -> Settings:
    """Load the configuration with `overrides` (KEY=VALUE) and `options` (--frames and such) on top.

    Raises UsageError for what is wrong; a wrong option is called by its own name instead of its key.
    """
    return with_options(lambda typed: load(config_file, overrides, typed), options)


def with_options(load_with: Callable[[dict[str, str]], S], options: Mapping[str, str | None]) -> S:
    """Return what `load_with` makes of the options that are given, by their keys.

    Raises UsageError for what it says is wrong; a wrong option is called by its own name instead of its key.
    """
    typed = {OPTION_KEYS[name]: value for name, value in options.items() if value is not None}
    try:
        return load_with(typed)
    except UsageError as error:
        text = str(error)
        for name, key in OPTION_KEYS.items():
            if options.get(name) is not None:
                text = text.replace(f"--set {key} =", f"{name} =")
        raise UsageError(text) from None


def override_by_options(settings: Settings, options: dict[str, str | None]) -> Settings:
    """Return settings with `options` (--frames and such) on top; raises as `load_settings` does."""
    for name, value in options.items():
        if value is not None:
            try:
                settings = override(settings, f"{OPTION_KEYS[name]}={value}")
            except ConfigurationError as error:
                raise UsageError(str(error).replace(f"{OPTION_KEYS[name]} =", f"{name} =")) from None
    return settings
