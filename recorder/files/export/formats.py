"""The formats by the endings of names, and carrying out one export."""

import contextlib
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recorder.errors import UsageError, did_you_mean
from recorder.files.export.content import Content
from recorder.files.export.target import partial

_PACKAGE = "recorder.files.export"


@dataclass(frozen=True)
class Format:
    """A format: the module that writes it, what people call it, and the extra with its library."""

    module: str
    name: str
    extra: str = ""
    is_lossless: bool = True


# The longer endings first.
FORMATS = {
    ".ome.zarr": Format("zarr_image", "OME-Zarr", extra="zarr"),
    ".ome.tif": Format("tiff", "OME-TIFF"),
    ".ome.tiff": Format("tiff", "OME-TIFF"),
    ".tif": Format("tiff", "OME-TIFF"),
    ".tiff": Format("tiff", "OME-TIFF"),
    ".zarr": Format("zarr_image", "OME-Zarr", extra="zarr"),
    ".nwb": Format("nwb", "NWB", extra="nwb"),
    ".mp4": Format("movie", "MP4", extra="movie", is_lossless=False),
    ".npy": Format("npy", "numpy's format"),
    ".csv": Format("table", "a table", is_lossless=False),
}


def ending_of(path: Path) -> str:
    """Return the ending of a name that says its format; raises UsageError where none does."""
    for ending in FORMATS:
        if path.name.endswith(ending) and len(path.name) > len(ending):
            return ending
    near = did_you_mean(path.suffix, [ending for ending in FORMATS if ending.count(".") == 1])
    raise UsageError(f"{path}: write a name that ends in {', '.join(FORMATS)}{near}")


def require_installed(path: Path) -> Any:  # noqa: ANN401 - a module
    """Return the module that writes the format of `path`; raises UsageError where its library is missing."""
    known = FORMATS[ending_of(path)]
    try:
        return importlib.import_module(f"{_PACKAGE}.{known.module}")
    except ModuleNotFoundError as error:
        if not known.extra or error.name is None or error.name.partition(".")[0].startswith("recorder"):
            raise
        raise UsageError(
            f"{path.name}: {known.name} needs the package {error.name}: "
            f"pip install 'recorder[{known.extra}]' beside this recorder"
        ) from None


def advice(path: Path, content: Content) -> str:
    """Return what others may miss in an output, in one line, "" where nothing."""
    advise = getattr(require_installed(path), "advice", None)
    said = advise(content.facts) if advise else ""
    return f"{path.name}: {said}" if said else ""


def export_one(
    path: Path, content: Content, options: dict[str, Any], on_phase: Callable[[str], object]
) -> None:
    """Write one output, read it back where its format keeps every pixel, and then call it `path`; blocks.

    `options` are those of the format alone; `on_phase` hears what is done next. Raises UsageError and
    StorageError; then nothing is left behind.
    """
    module, known = require_installed(path), FORMATS[ending_of(path)]
    with partial(path) as hidden, contextlib.closing(content):
        on_phase("writing")
        module.write(hidden, content, **options)
        if known.is_lossless:
            on_phase("reading back")
            content.compare(module.read(hidden), str(path))
