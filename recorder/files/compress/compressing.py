"""Pack a finished recording: nothing has the new file's name before all of it was read back."""

import contextlib
import errno
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from recorder.errors import (
    DamagedFileError,
    DiskFullError,
    NotOurFileError,
    RecorderError,
    StorageError,
    UsageError,
)
from recorder.files.compress import everything_else
from recorder.files.compress.chunk_reader import ChunkReader
from recorder.files.compress.packing import Way, choose, packed, read_back
from recorder.files.compress.source import Source, ask_structure, told
from recorder.files.compress.unfinished import Unfinished, remove_leftovers
from recorder.files.export.target import require_new
from recorder.files.hdf5_target import hdf5_target
from recorder.files.journals import journal_of
from recorder.files.opening import DAMAGE, open_recording
from recorder.files.probe import Probe
from recorder.frames.pool import PAGE
from recorder.storage.atomic_file import new_file
from recorder.storage.noise_ladder import NoiseLadder
from recorder.storage.packed_chunk import codec_of

# What saves less is not worth another file.
_WORTH = 0.01

# What of a file's size samples may tell too little: of its pixels, and besides.
_ESTIMATE, _BESIDES = 1.02, 2_000_000


@dataclass(frozen=True)
class Compressed:
    """What became of a recording: `path` holds its frames, in `after` bytes instead of `before`.

    `why_not` says why it was left as it is, "" where it was packed. `leftovers` of one that was killed were
    removed.
    """

    path: Path
    frames: int
    before: int
    after: int
    why_not: str = ""
    leftovers: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Progress:
    """Whom to tell: `begin` what is done from now on with how many frames, `advance` with how many it was.

    What they raise ends it, and nothing is left.
    """

    begin: Callable[[str, int], object] = lambda _phase, _frames: None
    advance: Callable[[int], object] = lambda _frames: None


def compress(
    path: Path,
    probe: Probe,
    to: Path | None,
    codec: str = "zstd",
    ladder: NoiseLadder | None = None,
    progress: Progress | None = None,
) -> Compressed:
    """Pack the recording at `path` into a new file `to`, or in its own place where that is None; blocks.

    With `ladder` the values of its pixels are moved to these levels, and its checksums are those of them.

    Every frame and all else is read back from the disk and compared before the new file takes its name; what
    was there before goes last. Raises UsageError where a file may not be packed or `to` is there already,
    NotOurFileError and DamagedFileError for what is no sound recording, StorageError where the disk fails;
    then everything is as it was.
    """
    path = path.resolve()
    final = path if to is None else to
    with _errors(final):
        leftovers = tuple(remove_leftovers(final))
        if to is not None:
            require_new(to)
        done = _compress(path, final, probe, codec, ladder, progress or Progress())
        if not done.why_not:
            _bring_journal(path, final, probe)
    return replace(done, leftovers=leftovers)


def _compress(
    path: Path, final: Path, probe: Probe, codec: str, ladder: NoiseLadder | None, progress: Progress
) -> Compressed:
    source = Source.of(path, probe)
    if final == path and not path.stat().st_mode & 0o222:
        raise UsageError(f"{path}: may not be changed (read-only); leave out --in-place, or allow it")
    stays = Compressed(path, source.structure.frames, source.bytes, source.bytes)
    if why_not := _nothing_to_do(source, None if ladder else codec):
        return replace(stays, why_not=why_not)
    with ChunkReader(path, source.structure) as reader:
        way, share = choose(reader, codec, ladder)
        _require_room(source, final, share, reader.chunk_bytes)
        with Unfinished(final) as new:
            sums = _write(source, reader, way, new.path, progress)
            new.sync()
            after = new.path.stat().st_size
            if after > source.bytes * (1 - _WORTH):
                return replace(stays, why_not=f"it would hardly become smaller with {codec}")
            _compare(source, new.path, ladder, sums, probe, progress)
            shutil.copystat(path, new.path)
            source.require_unchanged()
            new.become(in_place=final == path)
    return Compressed(final, len(sums), source.bytes, after)


def _bring_journal(path: Path, final: Path, probe: Probe) -> None:
    """Copy the journal of a recording, if there is one, to where the new file is, if it is not there."""
    if final.parent.resolve() == path.parent:
        return
    with contextlib.suppress(UsageError):
        journal = journal_of(path, probe)
        with journal.open("rb") as old, new_file(final.parent / journal.name) as new:
            shutil.copyfileobj(old, new)


def _nothing_to_do(source: Source, codec: str | None) -> str:
    """Return why nothing is to be done, "" where something is; `codec` is None where values are moved."""
    structure = source.structure
    if not structure.frames:
        return "it has no frames"
    if codec is None:
        return ""
    with _reading(source.path), open_recording(source.path) as file:
        plist = file[everything_else.PIXELS].id.get_create_plist()
        values = plist.get_filter(0)[2] if plist.get_nfilters() else ()
    # The recorder itself packs with lz4 what it has the time for; nothing else packs with zstd.
    whole = structure.packed[: structure.frames // structure.frames_per_chunk]
    if codec_of(values) == codec and (codec != "lz4" or all(whole)):
        return f"it is compressed with {codec} already"
    return ""


def _require_room(source: Source, final: Path, share: float, chunk_bytes: int) -> None:
    structure = source.structure
    stored = sum(size or chunk_bytes for size in structure.packed)
    wanted = int(len(structure.packed) * chunk_bytes * share * _ESTIMATE)
    wanted += max(0, source.bytes - stored) + _BESIDES
    free = shutil.disk_usage(final.parent).free
    if free < wanted:
        raise DiskFullError(
            f"{final.parent}: {free / 1e9:.3f} GB are free, and {source.path.name} takes about "
            f"{wanted / 1e9:.3f} GB compressed; make room, or choose another disk with --output"
        )


def _write(
    source: Source, reader: ChunkReader, way: Way, new: Path, progress: Progress
) -> NDArray[np.uint32]:
    """Write the new file; return the checksum of each frame."""
    progress.begin("compressing", source.structure.frames)
    sums: list[NDArray[np.uint32]] = []
    # A packed chunk may take a single page.
    form = {"libver": ("v110", "v110"), "alignment_threshold": PAGE, "alignment_interval": PAGE}
    with (
        open_recording(source.path) as old,
        hdf5_target(new, exists=True, past_cache=True, **form) as (target, file),
    ):
        with _reading(source.path):
            pixels = everything_else.copy(old, file, way.codec)
        with contextlib.closing(packed(source, reader, way)) as chunks:
            for chunk in chunks:
                pixels.write_direct_chunk((chunk.frames.start, 0, 0), chunk.data, int(not chunk.is_packed))
                target.check()
                sums.append(chunk.sums)
                progress.advance(len(chunk.frames))
        if way.ladder is not None:
            everything_else.tell_moved(file, way.ladder, np.concatenate(sums))
    return np.concatenate(sums)


def _compare(
    source: Source,
    new: Path,
    ladder: NoiseLadder | None,
    sums: NDArray[np.uint32],
    probe: Probe,
    progress: Progress,
) -> None:
    """Raise StorageError where the new file does not hold what the old one does."""
    progress.begin("comparing", len(sums))
    try:
        other = _difference(source, new, ladder, sums, probe, progress)
    except NotOurFileError as error:
        other = f"what was written ({error})"
    if other:
        raise StorageError(
            f"{source.path}: stays as it is: {other} does not read back as it was written; check the disk"
        )


def _difference(
    source: Source,
    new: Path,
    ladder: NoiseLadder | None,
    sums: NDArray[np.uint32],
    probe: Probe,
    progress: Progress,
) -> str:
    """Return what of the new file is another than in the old one, "" where nothing is."""
    structure = ask_structure(new, probe)
    if told(structure) != source.problems:
        return "; ".join(problem.text for problem in told(structure)) or "what is wrong with it"
    with contextlib.closing(read_back(new, structure)) as found:
        for frames, now in found:
            wrong = np.flatnonzero(now != sums[frames.start : frames.stop])
            if len(wrong):
                return f"frame {frames[wrong[0]]}"
            progress.advance(len(frames))
    if structure.frames != len(sums):
        return f"frame {structure.frames}"
    with h5py.File(new) as file, open_recording(source.path) as old:
        return everything_else.difference(old, file, ladder)


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Raise DamagedFileError for what HDF5 says of a file that it reads."""
    try:
        yield
    except RecorderError:
        raise
    except DAMAGE as error:
        raise DamagedFileError(f"{path}: cannot be read: {error}") from None


@contextlib.contextmanager
def _errors(final: Path) -> Iterator[None]:
    """Raise UsageError, DiskFullError or StorageError for what the disk says of the new file."""
    try:
        yield
    except RecorderError:
        raise
    except FileExistsError:
        raise UsageError(f"{final}: exists already, and nothing is ever overwritten") from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            text = f"{final.parent}: the disk is full; make room, or choose another disk with --output"
            raise DiskFullError(text) from None
        raise StorageError(f"{final}: cannot be written: {error.strerror or error}") from None
