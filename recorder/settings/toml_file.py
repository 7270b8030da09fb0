"""A TOML file as a dictionary, or a line about what is wrong with it."""

import tomllib
from pathlib import Path
from typing import Any

from recorder.errors import ConfigurationError, did_you_mean


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Return what is in a file; `what` it should be is said where it is not there.

    Blocks. Raises ConfigurationError.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, IsADirectoryError):
        near = did_you_mean(path.name, [p.name for p in path.parent.glob("*.toml")])
        raise ConfigurationError(f"{path}: no such {what}{near}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read: {error}") from None
    except (ValueError, RecursionError) as error:
        # Besides what is no TOML: numbers of thousands of digits, brackets in brackets in brackets.
        raise ConfigurationError(f"{path}: not valid TOML: {error}") from None
