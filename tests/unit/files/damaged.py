"""Files as they should not be, and what every program of ours makes of them.

python -m tests.unit.files.damaged --files 1000
"""

import argparse
import asyncio
import contextlib
import functools
import importlib
import random
import shutil
import sys
import tempfile
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import h5py
import numpy as np

from recorder.errors import RecorderError
from recorder.files.export.formats import export_one
from recorder.files.export.movie_look import Look
from recorder.files.export.plan import Wanted, bits_of, plan
from recorder.files.export.selection import Shaping
from recorder.files.opened.problems import RecoverWarning
from recorder.files.opened.recording import OpenedRecording, open_files
from recorder.files.probe import Probe, probing
from recorder.files.reader import describe
from recorder.files.recorded_source import RecordedSource
from recorder.files.recover import recover
from recorder.files.report.writing import write_report
from recorder.files.verify import verify
from recorder.frontends.view.displays import Opened, opened
from recorder.storage.layout import DETECTOR
from tests.unit.files.packed import pack
from tests.unit.frontends.view.displays import page

DATA = Path(__file__).parents[2] / "data"
SOUND = ("layout1.h5", "layout1_2.h5", "layout1_killed.h5", "layout2.h5", "layout3.h5", "packed.h5")

# A file is exported in one of these.
EXPORTED = (".npy", ".tif", ".csv", ".mp4", ".nwb", ".ome.zarr")

# What each program may take for a file that is damaged; the process that looks at it begins in about 0.5 s.
LIMIT_S = 5.0

# And for one that is well enough to be drawn, which takes a second of a processor that is alone.
DRAWING_S = 15.0


def flipped(content: bytearray, chance: random.Random) -> None:
    """Change single bits anywhere."""
    for _ in range(chance.choice([1, 3, 30, 300])):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)


def flipped_in_front(content: bytearray, chance: random.Random) -> None:
    """Change bytes where the structures are."""
    for _ in range(chance.choice([1, 3, 30])):
        content[chance.randrange(min(len(content), 16_000))] = chance.randrange(256)


def shortened(content: bytearray, chance: random.Random) -> None:
    """Take away the end."""
    del content[chance.randrange(len(content)) :]


def holed(content: bytearray, chance: random.Random) -> None:
    """Zeros where something was."""
    start = chance.randrange(len(content))
    size = min(len(content) - start, chance.choice([1, 8, 512, 4096, 65536]))
    content[start : start + size] = bytes(size)


def shifted(content: bytearray, chance: random.Random) -> None:
    """Bytes too many, or too few, in the midst."""
    start = chance.randrange(len(content))
    if chance.random() < 0.5:
        content[start:start] = bytes(chance.randrange(1, 64))
    else:
        del content[start : start + chance.randrange(1, 64)]


def looped(content: bytearray, chance: random.Random) -> None:
    """Addresses that point somewhere else in the file."""
    for _ in range(chance.choice([1, 5, 20])):
        start = chance.randrange(min(len(content), 16_000) - 8)
        content[start : start + 8] = chance.randrange(len(content)).to_bytes(8, "little")


WAYS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    flipped,
    flipped_in_front,
    shortened,
    holed,
    shifted,
    looped,
)


def crafted(folder: Path) -> Iterator[Path]:
    """Files that somebody made on purpose: of other programs, or nearly ours."""
    (folder / "empty.h5").touch()
    yield folder / "empty.h5"
    (folder / "text.h5").write_text("hello")
    yield folder / "text.h5"
    with h5py.File(folder / "foreign.h5", "w") as file:
        file["data"] = np.arange(10)
    yield folder / "foreign.h5"
    changes: dict[str, Callable[[h5py.File], None]] = {
        "flat": lambda file: _replaced(file, f"{DETECTOR}/data", np.zeros((4, 4), np.uint16)),
        "floats": lambda file: _replaced(file, f"{DETECTOR}/data", np.zeros((4, 4, 4))),
        "a group": lambda file: _group(file, f"{DETECTOR}/data"),
        "no rows": lambda file: file.__delitem__(f"{DETECTOR}/sequence_number"),
        "a group more": lambda file: _group(file, f"{DETECTOR}/more"),
        "marks of another kind": lambda file: _replaced(file, "entry/marks", np.arange(3)),
        "losses of another kind": lambda file: _replaced(file, "entry/losses", np.arange(3)),
        "a version": lambda file: _replaced(file, "entry/definition_version", np.bytes_(b"no number")),
        "a verdict": lambda file: _replaced(file, "entry/verdict", np.arange(3)),
        "a loop": lambda file: file.__setitem__("entry/again", h5py.SoftLink("/entry/again")),
    }
    for name, change in changes.items():
        path = folder / f"{name}.h5"
        shutil.copy(DATA / "layout2.h5", path)
        with h5py.File(path, "r+") as file:
            change(file)
        yield path


def _replaced(file: h5py.File, name: str, values: object) -> None:
    del file[name]
    file[name] = values


def _group(file: h5py.File, name: str) -> None:
    if name in file:
        del file[name]
    file.create_group(name)


@functools.cache
def sound(name: str) -> bytes:
    """Return a file as it should be; packed.h5 is made of another one."""
    if name != "packed.h5":
        return (DATA / name).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        shutil.copy(DATA / "layout3.h5", path)
        pack(path)
        return path.read_bytes()


def damaged(folder: Path, seed: int) -> Path:
    """Make a copy of a sound file and damage it."""
    chance = random.Random(seed)
    content = bytearray(sound(chance.choice(SOUND)))
    chance.choice(WAYS)(content, chance)
    path = folder / f"damaged{seed}.h5"
    path.write_bytes(content)
    return path


def _play(path: Path, _probe: Probe) -> None:
    source = RecordedSource(path)
    try:
        slot = np.zeros((source.format.height, source.format.width), source.format.dtype)
        for i in range(min(source.count, 100)):
            source.read(i, slot)
    finally:
        source.close()


def _opened(path: Path, probe: Probe) -> OpenedRecording:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecoverWarning)
        return open_files([path], probe)


def _open(path: Path, probe: Probe) -> None:
    with _opened(path, probe) as recording:
        assert repr(recording)
        assert len(recording.time) == len(recording.utc) == len(recording.frame_number) == len(recording)
        assert recording.frames[-1:].shape == (min(1, len(recording)), *recording.frames.shape[1:])
        assert len(recording.trace((0, 0, 1, 1))) == len(recording)
        if set(recording.marks["label"]):
            recording.clips("*", before=0.1, after=0.1).trace()
        assert "camera" in recording.settings


def _export(path: Path, probe: Probe) -> None:
    """Export all of it, and around its marks, in one format for each file; a failure leaves nothing."""
    ending = EXPORTED[zlib.crc32(path.name.encode()) % len(EXPORTED)]
    with _opened(path, probe) as recording, tempfile.TemporaryDirectory() as folder:
        look = {"look": Look(), "bits": bits_of(recording)} if ending == ".mp4" else {}
        wanted = [Wanted(shaping=Shaping((0, 0, 1, 1)) if ending == ".csv" else Shaping())]
        wanted += [Wanted(around="*")] if len(recording.marks) else []
        done: list[Path] = []
        try:
            for i, what in enumerate(wanted):
                for out, content in plan(recording, Path(folder, f"out{i}{ending}"), what):
                    export_one(out, content, look, lambda _phase: None)
                    done.append(out)
        finally:
            assert sorted(Path(folder).iterdir()) == sorted(done)


def _report(path: Path, probe: Probe) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecoverWarning)
        recording = open_files([path], probe)
    out = path.with_suffix(".report.html")
    try:
        with recording:
            write_report(recording, out)
        assert out.read_bytes().endswith(b"</html>\n")
    finally:
        out.unlink(missing_ok=True)
    assert not list(path.parent.glob(".*"))


def _view(path: Path, probe: Probe) -> None:
    """Have a page of it show the first frame and the last one."""

    async def pictures(recording: Opened) -> None:
        async with page(recording, probe) as shown:
            assert (await shown.picture())["index"] == 0
            if len(recording.recording) > 1:
                last = len(recording.recording) - 1
                assert (await shown.picture(go={"edge": 1}))["index"] == last

    with opened([path], probe) as recording:
        asyncio.run(pictures(recording))


PROGRAMS: dict[str, Callable[[Path, Probe], object]] = {
    "info": lambda path, probe: probe.ask(describe, path),
    "verify": lambda path, probe: verify(path, probe, lambda _done, _all: None),
    "playback": _play,
    "open": _open,
    "export": _export,
    "report": _report,
    "view": _view,
    "recover": recover,
}


def wrong_with(path: Path, probe: Probe) -> Iterator[str]:
    """Have every program look at a file; yield what it should not have done."""
    content = path.read_bytes()
    for name, program in PROGRAMS.items():
        began_s = time.monotonic()
        refused = False
        try:
            program(path, probe)
        except RecorderError as error:
            refused = True
            if "\n" in str(error):
                yield f"{name} of {path.name}: more than a line: {error}"
        except Exception as error:
            yield f"{name} of {path.name}: {error!r}"
        if time.monotonic() - began_s > (DRAWING_S if program is _report and not refused else LIMIT_S):
            yield f"{name} of {path.name}: took {time.monotonic() - began_s:.1f} s"
        if (name != "recover" or refused) and path.read_bytes() != content:
            yield f"{name} of {path.name}: has changed it"


def check(folder: Path, seeds: range) -> Iterator[str]:
    """Yield what is wrong with our programs on crafted and damaged files."""
    with probing() as probe, mock.patch("recorder.files.recover.STILL_S", 0), _zarr_let_go():
        for path in crafted(folder):
            yield from wrong_with(path, probe)
        for seed in seeds:
            path = damaged(folder, seed)
            found = list(wrong_with(path, probe))
            yield from found
            if not found:
                path.unlink()


@contextlib.contextmanager
def _zarr_let_go() -> Iterator[None]:
    """End the threads that zarr, where it was used, keeps for ever."""
    yield
    if "zarr" in sys.modules:
        importlib.import_module("zarr.core.sync").cleanup_resources()


def main() -> None:
    """Check so many files, and exit with 1 where a program of ours did something wrong."""
    parser = argparse.ArgumentParser(description="Have every program look at damaged files.")
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--program", choices=PROGRAMS, help="This one alone.")
    arguments = parser.parse_args()
    if arguments.program:
        for name in set(PROGRAMS) - {arguments.program}:
            del PROGRAMS[name]
    folder = Path(tempfile.mkdtemp(prefix="damaged"))
    wrong = list(check(folder, range(arguments.files)))
    sys.stdout.write("".join(f"{line}\n" for line in wrong))
    sys.stdout.write(f"{arguments.files} damaged files, {len(wrong)} times something wrong ({folder})\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
