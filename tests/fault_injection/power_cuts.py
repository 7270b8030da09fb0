"""What power cuts leave of a session, and what `recover` makes of it.

The sequence of writes and syncs of a real session is recorded. A cut is a moment in it: what was written
before a sync that is over is on the disk; of what came later each 512 or 4096 bytes are, or are not.

    python -m tests.fault_injection.power_cuts --images 1000 [--compressed]
"""

import argparse
import os
import random
import struct
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import h5py

from recorder.errors import NotOurFileError
from recorder.storage.axes import AXES
from recorder.storage.direct_io import open_again
from recorder.storage.file_addresses import FileAddresses
from recorder.storage.file_bytes import Changed, OnDisk, Readable
from recorder.storage.layout import DETECTOR
from recorder.storage.superblock import Superblock
from tests.fault_injection.sessions import Case, Runner, check_file, compiled_shim

WRITE, SYNC, TRUNCATE, SYNCED = 1, 2, 3, 4
RECORD = struct.Struct("<iiqq")

# Marks and files enough, and syncs every 0.1 s.
STEP = "wait 130ms\nmark a\nmeta dose 1\nwait 200ms\nmark b\nmeta dose 2\n"
SCRIPT = f"{STEP}save new\n{STEP}save new\n{STEP}quit\n"
OPTIONS = ("--set", "storage.durable_every=100ms")
COMPRESSED = ("--set", "storage.compression=lossless")


@dataclass(frozen=True)
class Call:
    """A write (`data` at `offset`), a truncation to `offset`, the beginning of a sync, or its end.

    A sync's end has the number of its beginning as `offset`; numbers count from 1.
    """

    kind: int
    name: str
    offset: int
    data: bytes


def read_log(path: Path) -> list[Call]:
    """Return the calls of a session in their order."""
    content, at, calls = path.read_bytes(), 0, []
    while at < len(content):
        kind, name_length, offset, size = RECORD.unpack_from(content, at)
        at += RECORD.size
        name = content[at : at + name_length].decode()
        at += name_length
        data = content[at : at + size] if kind == WRITE else b""
        at += len(data)
        calls.append(Call(kind, name, offset, data))
    return calls


@dataclass
class Disk:
    """A file's bytes on the disk, and the calls since that may have reached it."""

    content: bytearray = field(default_factory=bytearray)
    later: list[tuple[int, Call]] = field(default_factory=list)  # with the number of each

    def sync(self, call: int) -> None:
        """What was written before call number `call` is on the disk."""
        for number, done in self.later:
            if number < call:
                _apply(self.content, done)
        self.later = [(number, done) for number, done in self.later if number >= call]

    def after_a_cut(self, chance: random.Random) -> bytes:
        """Return what is there after a cut: of the latest writes any parts."""
        content = bytearray(self.content)
        whole = bytearray(self.content)
        unit = chance.choice([512, 4096])
        share = chance.choice([0.0, 0.1, 0.5, 0.9, 1.0])
        for _, call in self.later:
            _apply(whole, call)
            if call.kind == WRITE:
                end = call.offset + len(call.data)
                for begin in range(call.offset // unit * unit, end, unit):
                    if chance.random() < share:
                        start, stop = max(begin, call.offset), min(begin + unit, end)
                        piece = call.data[start - call.offset : stop - call.offset]
                        _apply(content, Call(WRITE, call.name, start, piece))
        # The length is written down at another time than the bytes are.
        size = chance.randint(len(self.content), max(len(self.content), len(whole)))
        return bytes(content[:size].ljust(size, b"\0"))


def _apply(content: bytearray, call: Call) -> None:
    if call.kind == TRUNCATE:
        del content[call.offset :]
    end = call.offset + len(call.data)
    if len(content) < end:
        content.extend(bytes(end - len(content)))
    content[call.offset : end] = call.data


def disks_until(calls: Sequence[Call], stop: int) -> dict[str, Disk]:
    """Return every file of the folder as it is after the first `stop` calls."""
    disks: dict[str, Disk] = {}
    number = 0
    for call in calls[:stop]:
        if call.name.endswith("(deleted)"):
            continue
        disk = disks.setdefault(call.name, Disk())
        number += call.kind != SYNCED
        if call.kind == SYNCED:
            disk.sync(call.offset)
        elif call.kind != SYNC:
            disk.later.append((number, call))
    return disks


class Simulation:
    """A recorded session, whose power is then cut again and again."""

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self.folder = folder
        log = folder / "log"
        with Runner(compiled_shim(folder)) as runner:
            code = runner.run(folder / "session", Case(0, "none"), log, SCRIPT, (*OPTIONS, *options))
        assert code == 0, (folder / "session.stderr").read_text()
        self.calls = read_log(log)
        # Files after cuts, those that HDF5 does not read; frames known to be durable, and recovered.
        self.files = self.unreadable = self.durable = self.kept = 0
        self.places = {str(path): _places(path) for path in (folder / "session").glob("*.h5")}

    def check(self, seed: int) -> str:
        """Cut the power at a moment, and recover; return what is wrong, "" for nothing."""
        chance = random.Random(seed)
        stop = chance.randrange(1, len(self.calls))
        for name, disk in disks_until(self.calls, stop).items():
            if not name.endswith(".h5"):
                continue
            promised = self._promised(name, disk)
            path = self.folder / f"cut{seed}.h5"
            path.write_bytes(disk.after_a_cut(chance))
            self.files += 1
            self.unreadable += not _is_readable(path)
            try:
                frames, marks, said = check_file(path, is_failed=True), 0, 0
                if frames:
                    with h5py.File(path) as file:
                        marks, said = len(file["entry/marks"]), len(file["entry/metadata_changes"])
                        axes = [file["data"].dims[axis][0].name for axis in range(3)]
                        if [name.rpartition("/")[2] for name in axes] != list(AXES):
                            return f"cut {seed} after call {stop}: {path}: axes {axes}"
            except Exception as error:
                return f"cut {seed} after call {stop}: {path}: {error!r}"
            if any(
                is_there < durable for is_there, durable in zip((frames, marks, said), promised, strict=True)
            ):
                return f"cut {seed} after call {stop}: {path}: {frames, marks, said} of {promised}"
            self.durable, self.kept = self.durable + promised[0], self.kept + frames
            path.unlink()
        return ""

    def _promised(self, name: str, disk: Disk) -> tuple[int, int, int]:
        """Return how many frames, marks and metadata the recorder knows to be on the disk at that moment."""
        address, size = self.places[name].values["durable"]
        counts = bytes(disk.content[address : address + size]).ljust(size, b"\0")
        frames, marks, *_, said = struct.unpack(f"<{size // 8}Q", counts)
        return frames, marks, said


def _places(path: Path) -> FileAddresses:
    readable = Readable.of(path)
    try:
        with h5py.File(path) as file:
            return FileAddresses.of(file, readable.content)
    finally:
        readable.close()


def _is_readable(path: Path) -> bool:
    """Whether HDF5 reads the frames and their numbers of a file, as one that is closed."""
    fd = open_again(path)
    try:
        content = Changed(OnDisk(fd))
        Superblock.read(content, path).closed().ending_at(content.size).write(content)
        with h5py.File(Readable(content), "r") as file:
            _ = file["data"][:], file[DETECTOR]["frame_number"][:]
    except (OSError, KeyError, RuntimeError, NotOurFileError):
        return False
    finally:
        os.close(fd)
    return True


@contextmanager
def simulation(folder: Path, options: Sequence[str] = ()) -> Iterator[Simulation]:
    """Record a session, to recover its files on a computer that has been down since."""
    with (
        mock.patch("recorder.files.presence.is_same_boot", lambda _: False),
        mock.patch("recorder.files.recover.STILL_S", 0),
    ):
        yield Simulation(folder, options)


def main() -> None:
    """Check so many images, and exit with 1 where one was not recovered."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--compressed", action="store_true")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="power_cuts"))
    with simulation(folder, COMPRESSED if arguments.compressed else ()) as session:
        found = list(filter(None, map(session.check, range(arguments.images))))
        sys.stdout.write(
            f"{arguments.images} cuts, {session.files} files, {session.unreadable} unreadable for HDF5; "
            f"{session.kept} frames recovered, {session.durable} were durable; {len(found)} wrong\n"
        )
    sys.stdout.write("".join(f"{line}\n" for line in found))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
