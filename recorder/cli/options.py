"""Options that several sub-commands share, and the settings that follow from them."""

from pathlib import Path

import click

from recorder.errors import UsageError
from recorder.settings.model import Settings, load

# Options of `run` that set a key of the configuration.
OPTION_KEYS = {
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


def load_settings(
    config_file: Path | None, overrides: tuple[str, ...], options: dict[str, str | None]
) -> Settings:
    """Load the configuration with `overrides` (KEY=VALUE) and `options` (--frames and such) on top.

    Raises UsageError for what is wrong; a wrong option is called by its own name instead of its key.
    """
    typed = {OPTION_KEYS[name]: value for name, value in options.items() if value is not None}
    try:
        return load(config_file, overrides, typed)
    except UsageError as error:
        text = str(error)
        for name, key in OPTION_KEYS.items():
            if options.get(name) is not None:
                text = text.replace(f"--set {key} =", f"{name} =")
        raise UsageError(text) from None
