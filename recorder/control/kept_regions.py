"""The regions of the preview in a file of the recording's folder, from which the next session takes them."""

import asyncio
import contextlib
import logging
import os
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

import tomli_w

from recorder.errors import UsageError
from recorder.frames.region_means import Box
from recorder.session.session import Session
from recorder.settings.model import validate

log = logging.getLogger(__name__)

# Its content can be put into a configuration as it is.
NAME = "preview-regions.toml"


def _place(session: Session, recording: Path) -> Path:
    """Return the file beside `recording`; of one camera among several it is its own."""
    return recording.with_name(f"preview-regions-{session.name}.toml" if session.name else NAME)


def set_regions(session: Session, regions: Mapping[str, Box]) -> None:
    """Have these regions from now on, in the settings too; raises UsageError where they cannot be."""
    tree = session.settings.model_dump(exclude_none=True)
    tree["preview"]["regions"] = dict(regions)
    session.settings = validate(tree)
    session.preview.regions = dict(session.settings.preview.regions)


async def keep_session_regions(session: Session, regions: Mapping[str, Box]) -> None:
    """Have these regions from now on, and in the next session in this folder; raises as `set_regions`."""
    set_regions(session, regions)
    if session.path is not None:
        await asyncio.to_thread(keep_regions, _place(session, session.path), session.preview.regions)


def keep_regions(path: Path, regions: Mapping[str, Box]) -> None:
    """Write regions into the file `path`, in place of what it held; blocks for the disk.

    An error is logged: they are then those of this session only.
    """
    partial = ""
    try:
        handle, partial = tempfile.mkstemp(prefix=f".{NAME}.", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(tomli_w.dumps({"preview": {"regions": dict(regions)}}))
        Path(partial).replace(path)
    except OSError as error:
        log.warning("%s: regions are not kept for the next session: %s", path, error.strerror)
        with contextlib.suppress(OSError):
            Path(partial).unlink()


def restore_regions(session: Session) -> None:
    """Add the regions that an earlier session kept in this folder; those of the configuration come first.

    Blocks for the disk. A file that makes no sense is left alone, with a warning.
    """
    if session.path is None:
        return
    path = _place(session, session.path)
    try:
        kept = tomllib.loads(path.read_text(encoding="utf-8"))["preview"]["regions"]
        set_regions(session, {**kept, **session.settings.preview.regions})
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError, UsageError) as error:
        log.warning("%s: its regions cannot be shown: %s", path, error)
