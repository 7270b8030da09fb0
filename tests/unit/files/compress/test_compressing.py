"""What was compressed is the same recording; and whatever goes wrong, the old file is as it was."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401 - the filter
import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.camera import timestamp
from recorder.errors import DamagedFileError, DiskFullError, NotOurFileError, StorageError, UsageError
from recorder.files import hdf5_target
from recorder.files.compress import compressing
from recorder.files.compress.compressing import Compressed, Progress, compress
from recorder.files.compress.unfinished import Unfinished
from recorder.files.journals import journal_of
from recorder.files.opened.recording import open_files
from recorder.files.probe import Probe
from recorder.files.reader import describe
from recorder.files.recover import recover
from recorder.files.verify import verify
from recorder.storage.layout import DETECTOR
from recorder.storage.noise_ladder import NoiseLadder, NoiseModel
from tests.unit.files.compress.conftest import FORM, FRAMES, record
from tests.unit.files.export.test_robustness import FailingFile
from tests.unit.files.opened.recordings import Written
from tests.unit.files.packed import chunk_at, kill, overwrite, pack
from tests.unit.files.test_packed_files import problems

DATA = Path(__file__).parents[3] / "data"
CHANGED = ("file_update_time", "definition_version")


def everything(path: Path) -> dict[str, Any]:
    """Return all there is in a file, as h5py shows it."""
    found: dict[str, Any] = {}

    def attributes(thing: Any) -> dict[str, Any]:
        return {
            name: (str(value.dtype), value.tolist()) if isinstance(value, np.ndarray | np.generic) else value
            for name in thing.attrs
            if name not in {"DIMENSION_LIST", "REFERENCE_LIST", *CHANGED}
            for value in (thing.attrs[name],)
        }

    def look(group: h5py.Group) -> None:
        found[group.name] = attributes(group)
        for name in group:
            link, place = group.get(name, getlink=True), f"{group.name}/{name}"
            if isinstance(link, h5py.HardLink) and isinstance(group[name], h5py.Group):
                look(group[name])
            elif isinstance(link, h5py.HardLink) and isinstance(group[name], h5py.Dataset):
                one = group[name]
                # As text: a number that is not known is not equal to itself.
                values = repr(one[()].tolist()) if one.shape is not None else None
                scales = [[scale.name for scale in axis.values()] for axis in one.dims]
                found[place] = (str(one.dtype), one.maxshape, one.chunks, scales, attributes(one), values)
            else:
                found[place] = (type(link).__name__, getattr(link, "path", ""))

    with h5py.File(path) as file:
        look(file)
        version = file.get("entry/definition_version")
        found.pop("/entry/definition_version", None)
        found["version"] = None if version is None else min(3, int(version[()]))
    return found


def packed_by_recorder(path: Path) -> None:
    record(path)
    pack(path)


def of_layout(name: str) -> Callable[[Path], object]:
    return lambda path: shutil.copy(DATA / f"{name}.h5", path)


MADE: dict[str, Callable[[Path], object]] = {
    "new": record,
    "packed": packed_by_recorder,
    **{name: of_layout(name) for name in ("layout1", "layout1_2", "layout2", "layout3")},
}


@pytest.mark.parametrize("in_place", [False, True], ids=["new", "in place"])
@pytest.mark.parametrize("made", MADE)
def test_everything_of_a_recording_survives(tmp_path: Path, probe: Probe, made: str, in_place: bool) -> None:
    path = tmp_path / "x.h5"
    MADE[made](path)
    before, said, size = everything(path), problems(path, probe), path.stat().st_size
    with h5py.File(path) as file:
        frames = file["entry/instrument/detector/data"][:]
    done = compress(path, probe, None if in_place else tmp_path / "y.h5")
    assert (done.why_not, done.before) == ("", size)
    assert done.path == (path if in_place else tmp_path / "y.h5")
    assert done.after == done.path.stat().st_size < size
    assert sorted(tmp_path.iterdir()) == sorted({path, done.path})
    assert everything(done.path) == before
    assert problems(done.path, probe) == said
    assert recover(done.path, probe).removed is None
    told = describe(done.path)
    assert told.compression is not None
    assert told.compression["ratio"] > 1
    with open_files([done.path], probe) as opened:
        assert np.array_equal(opened.frames[:], frames)


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_the_filter_says_what_it_is_packed_with(recorded: Written, probe: Probe, codec: str) -> None:
    to = recorded.path.with_name("y.h5")
    compress(recorded.path, probe, to, codec)
    with h5py.File(to) as file:
        values = file[DETECTOR]["data"].id.get_create_plist().get_filter(0)[2]
        assert values[6] == {"zstd": 5, "lz4": 1}[codec]
        assert file["entry/definition_version"][()] == 4
        assert file.attrs["file_update_time"]
    again = compress(to, probe, recorded.path.with_name("z.h5"), codec)
    assert again.why_not == f"it is compressed with {codec} already"
    assert not recorded.path.with_name("z.h5").exists()


def test_values_are_moved_and_all_else_survives(recorded: Written, probe: Probe) -> None:
    path, to = recorded.path, recorded.path.with_name("y.h5")
    ladder = NoiseLadder(NoiseModel(0.46, 1.4, 2), 1.0)
    before, said = everything(path), problems(path, probe)
    assert compress(path, probe, to, ladder=ladder).why_not == ""
    after = everything(to)
    own = {f"/{DETECTOR}/{name}" for name in ("data", "checksum", *ladder.details())}
    links = {"/data", "/entry/data/data"}
    changed = {place for place in before.keys() | after.keys() if before.get(place) != after.get(place)}
    assert own <= changed <= own | links
    with h5py.File(to) as file:
        frames = file["data"][:]
        assert file[DETECTOR]["lossy_method"][()] == b"shot-noise"
        assert file[DETECTOR]["lossy_largest_error"][()] == ladder.largest_error
    expected = np.empty_like(recorded.frames)
    ladder.apply(recorded.frames, expected, exact=timestamp.PIXELS)
    assert np.array_equal(frames, expected)
    assert not np.array_equal(frames, recorded.frames)
    # Its own checksums are those of the pixels that it has.
    assert problems(to, probe) == said
    with open_files([to], probe) as opened:
        assert "shot-noise 1.0: values moved by" in repr(opened)


def test_the_way_that_makes_it_smaller_is_chosen(tmp_path: Path, probe: Probe) -> None:
    """Noise in the low byte only is left to the entropy coder; greater noise is divided into bits."""
    shuffles = []
    for name, most in (("low", 40), ("great", 20000)):
        file = Written(tmp_path / f"{name}.h5", FORM, keep=False)
        for seed in range(4):
            picture = np.random.default_rng(seed).poisson(most, (4, 48, 100)).astype(np.uint16)
            file.write(picture=picture)
        file.close()
        compress(file.path, probe, tmp_path / f"{name}.small.h5")
        with h5py.File(tmp_path / f"{name}.small.h5") as opened:
            shuffles.append(opened[DETECTOR]["data"].id.get_create_plist().get_filter(0)[2][5])
    assert shuffles == [1, 2]


def test_what_others_added_survives(recorded: Written, probe: Probe) -> None:
    path = recorded.path
    with h5py.File(path, "r+", libver=("v110", "v110")) as file:
        group = file.create_group("analysis/mine", track_order=True)
        group.attrs["note"] = "ΔF/F of any length"
        group.attrs["nothing"] = h5py.Empty("f8")
        group.attrs["flags"] = np.array([True, False])
        group.create_dataset(
            "masks", data=np.arange(60).reshape(3, 4, 5), compression="gzip", chunks=(1, 4, 5)
        )
        group.create_dataset("names", data=["a", "bb", "ü"], dtype=h5py.string_dtype())
        group.create_dataset("nothing", data=h5py.Empty("i4"))
        group["again"] = group["masks"]
        group["soft"] = h5py.SoftLink("/entry/title")
        group["gone"] = h5py.ExternalLink("other.h5", "/data")
        file["a_type"] = np.dtype([("a", "i4"), ("b", "S5")])
    before = everything(path)
    compress(path, probe, None)
    assert everything(path) == before
    with h5py.File(path) as file:
        assert file["analysis/mine/again"] == file["analysis/mine/masks"]
        assert file["analysis/mine/masks"].compression == "gzip"
        assert file["a_type"].dtype == np.dtype([("a", "i4"), ("b", "S5")])


# What is not packed.


def folder(path: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in path.iterdir() if one.is_file()}


def refused(
    path: Path, probe: Probe, error: type[Exception], text: str, to: Path | None = None, **options: Any
) -> None:
    """See that a file is refused in a line, and that nothing is changed."""
    before = folder(path.parent)
    with pytest.raises(error, match=text) as raised:
        compress(path, probe, to, **options)
    assert "\n" not in str(raised.value)
    assert folder(path.parent) == before


def test_what_is_no_finished_recording_is_refused(tmp_path: Path, probe: Probe) -> None:
    path = tmp_path / "x.h5"
    refused(path, probe, UsageError, "x.h5: no such file")
    refused(tmp_path, probe, UsageError, "a folder, not a file")
    path.write_text("hello")
    refused(path, probe, NotOurFileError, "x.h5: not an HDF5 file")
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["data"] = [1, 2]
    refused(tmp_path / "foreign.h5", probe, NotOurFileError, "that this recorder wrote")
    shutil.copy(DATA / "layout1_killed.h5", tmp_path / "killed.h5")
    refused(tmp_path / "killed.h5", probe, UsageError, "was never closed by its recorder; recorder recover")


def test_a_file_that_is_being_written_or_was_never_closed_is_refused(tmp_path: Path, probe: Probe) -> None:
    growing = Written(tmp_path / "x.h5")
    growing.write()
    refused(growing.path, probe, UsageError, "a recorder writes to it")
    growing.close()
    kill(growing.path, 0)
    refused(growing.path, probe, UsageError, "was never closed by its recorder; recorder recover")


@pytest.mark.parametrize("was_packed", [False, True])
def test_damage_is_never_packed(recorded: Written, probe: Probe, was_packed: bool) -> None:
    path = recorded.path
    if was_packed:
        pack(path, lambda _: False)
    address, _ = chunk_at(path, 2)
    overwrite(path, address + 20, b"\xff\xfe")
    refused(path, probe, DamagedFileError, r"x\.h5: damaged.*(frame 8|frames 8 to 11)")
    refused(path, probe, DamagedFileError, r"x\.h5: damaged", path.with_name("y.h5"))


def test_a_file_whose_structure_is_damaged_is_refused(recorded: Written, probe: Probe) -> None:
    with h5py.File(recorded.path, "r+", libver=("v110", "v110")) as file:
        file[f"{DETECTOR}/host_time"][3] = 99
    refused(recorded.path, probe, DamagedFileError, "stays as it is: .*host_time does not rise after frame 3")


def test_references_that_would_be_lost_are_refused(recorded: Written, probe: Probe) -> None:
    with h5py.File(recorded.path, "r+", libver=("v110", "v110")) as file:
        file["entry/marks"].attrs["of"] = file["entry/title"].ref
    refused(recorded.path, probe, UsageError, r"x\.h5: /entry/marks, of refers to other things")


def test_names_that_are_taken_and_files_that_may_not_be_changed(recorded: Written, probe: Probe) -> None:
    path = recorded.path
    path.with_name("y.h5").write_text("mine")
    refused(path, probe, UsageError, "y.h5: exists already", path.with_name("y.h5"))
    refused(path, probe, UsageError, "no such folder", path.parent / "nowhere" / "y.h5")
    path.chmod(0o444)
    refused(path, probe, UsageError, "read-only")
    done = compress(path, probe, path.with_name("z.h5"))
    assert done.path.stat().st_mode & 0o777 == 0o444


def test_what_does_not_become_smaller_stays(tmp_path: Path, probe: Probe) -> None:
    file = record(tmp_path / "x.h5", levels=65536)
    before = folder(tmp_path)
    size = file.path.stat().st_size
    done = compress(file.path, probe, None)
    assert done == Compressed(file.path, FRAMES, size, size, "it would hardly become smaller with zstd")
    empty = Written(tmp_path / "empty.h5")
    empty.close()
    assert compress(empty.path, probe, None).why_not == "it has no frames"
    assert {"x.h5": folder(tmp_path)["x.h5"]} == before


# What goes wrong on the way.


def spoil(place: Callable[[Path], int]) -> Callable[[Unfinished], None]:
    sync = Unfinished.sync

    def sync_and_spoil(new: Unfinished) -> None:
        address = place(new.path)
        byte = new.path.read_bytes()[address]
        overwrite(new.path, address, bytes([byte ^ 0x10]))
        sync(new)

    return sync_and_spoil


def in_a_chunk(path: Path) -> int:
    return chunk_at(path, 3)[0] + 200


def in_a_table(path: Path) -> int:
    return path.read_bytes().index(b"trial1")


def in_a_column(path: Path) -> int:
    with h5py.File(path) as file:
        return int(file[f"{DETECTOR}/temperature"].id.get_chunk_info(0).byte_offset)


@pytest.mark.parametrize(
    ("place", "named"),
    [
        (in_a_chunk, r"(frame \d+|what was written)"),
        (in_a_table, "/entry/marks"),
        (in_a_column, f"/{DETECTOR}/temperature"),
        (lambda _: 12, "what was written"),
    ],
    ids=["chunk", "table", "column", "first bytes"],
)
def test_what_does_not_read_back_never_gets_the_name(
    recorded: Written,
    probe: Probe,
    monkeypatch: pytest.MonkeyPatch,
    place: Callable[[Path], int],
    named: str,
) -> None:
    monkeypatch.setattr(Unfinished, "sync", spoil(place))
    text = f"stays as it is: {named}.* does not read back as it was written"
    refused(recorded.path, probe, StorageError, text)
    refused(recorded.path, probe, StorageError, text, recorded.path.with_name("y.h5"))


@pytest.mark.parametrize("writes", [0, 1, 5, 20, 30])
def test_a_disk_that_is_full_is_one_line(
    recorded: Written, probe: Probe, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    init = hdf5_target.HDF5Target.__init__
    made = []

    def on_a_failing_disk(self: Any, *arguments: Any, **options: Any) -> None:
        init(self, *arguments, **options | {"past_cache": False})
        self._file = FailingFile(self._file, writes)
        made.append(self._file)

    monkeypatch.setattr(hdf5_target.HDF5Target, "__init__", on_a_failing_disk)
    refused(recorded.path, probe, DiskFullError, "the disk is full; make room, or choose another disk")
    assert made[0]._left < 0


def test_room_is_looked_for_before(recorded: Written, probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(recorded.path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100_000))
    monkeypatch.setattr(compressing, "Unfinished", lambda _: pytest.fail("was begun"))
    refused(recorded.path, probe, DiskFullError, "0.000 GB are free, and x.h5 takes about")


@pytest.mark.parametrize("phase", ["compressing", "comparing"])
@pytest.mark.parametrize("in_place", [False, True])
def test_an_interrupt_leaves_nothing(recorded: Written, probe: Probe, phase: str, in_place: bool) -> None:
    path = recorded.path
    before = folder(path.parent)
    begun: list[str] = []

    def stop(_frames: int) -> None:
        if begun[-1] == phase:
            raise KeyboardInterrupt

    progress = Progress(lambda name, _count: begun.append(name), stop)
    with pytest.raises(KeyboardInterrupt):
        compress(path, probe, None if in_place else path.with_name("y.h5"), progress=progress)
    assert folder(path.parent) == before


def test_progress_counts_every_frame_twice(recorded: Written, probe: Probe) -> None:
    told: list[Any] = []
    compress(recorded.path, probe, None, progress=Progress(lambda *phase: told.append(phase), told.append))
    assert [one for one in told if isinstance(one, tuple)] == [("compressing", FRAMES), ("comparing", FRAMES)]
    assert sum(one for one in told if isinstance(one, int)) == 2 * FRAMES


def test_a_file_that_changes_meanwhile_stays(recorded: Written, probe: Probe) -> None:
    path = recorded.path

    def change(phase: str, _frames: int) -> None:
        if phase == "comparing":
            os.utime(path, ns=(1, 1))

    with pytest.raises(UsageError, match="another program has changed it meanwhile"):
        compress(path, probe, None, progress=Progress(change))
    assert [one.name for one in path.parent.iterdir()] == ["x.h5"]
    with h5py.File(path) as file:
        assert not file[DETECTOR]["data"].id.get_create_plist().get_nfilters()


def test_where_the_place_cannot_be_taken_the_old_one_is_there(
    recorded: Written, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    refused(recorded.path, probe, StorageError, "cannot be written: Permission denied")


def test_a_link_stays_one(recorded: Written, probe: Probe, tmp_path: Path) -> None:
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    link = elsewhere / "link.h5"
    link.symlink_to(recorded.path)
    stat = recorded.path.stat()
    done = compress(link, probe, None)
    assert done.path == recorded.path
    assert link.is_symlink()
    now = link.stat()
    assert now.st_size < stat.st_size
    assert (now.st_mode, now.st_mtime_ns) == (stat.st_mode, stat.st_mtime_ns)
    assert list(elsewhere.iterdir()) == [link]


def test_what_a_killed_one_left_is_removed_unless_it_is_at_work(recorded: Written, probe: Probe) -> None:
    path = recorded.path
    left = path.with_name(".x.h5.0123abcd.compressing")
    others = [
        path.with_name(name) for name in (".x.h5.compressing", ".y.h5.0123abcd.compressing", "x.h5.part")
    ]
    for one in (left, *others):
        one.write_bytes(b"half")
    with Unfinished(path) as at_work:
        done = compress(path, probe, None)
        assert at_work.path.exists()
    assert done.leftovers == (left,)
    assert sorted(path.parent.iterdir()) == sorted([path, *others])


def test_the_journal_goes_along(recorded: Written, probe: Probe, tmp_path: Path) -> None:
    journal = tmp_path / "layout3.commands.jsonl"
    shutil.copy(DATA / "layout3.h5", tmp_path)
    shutil.copy(DATA / journal.name, journal)
    archive = tmp_path / "archive"
    archive.mkdir()
    compress(tmp_path / "layout3.h5", probe, archive / "layout3.h5")
    assert sorted(path.name for path in archive.iterdir()) == [journal.name, "layout3.h5"]
    assert (archive / journal.name).read_bytes() == journal.read_bytes()
    assert verify(archive / "layout3.h5", probe, lambda *_: None).exit_code == 0
    # Under another name beside the old one, it is found by what it has in common with it.
    compress(tmp_path / "layout3.h5", probe, tmp_path / "layout3.compressed.h5")
    assert journal_of(tmp_path / "layout3.compressed.h5", probe) == journal
    assert recorded.path.exists()


def test_the_journal_of_a_recording_without_commands_is_found(tmp_path: Path, probe: Probe) -> None:
    file = record(tmp_path / "x.h5")
    journal = tmp_path / "x.commands.jsonl"
    journal.write_text("{}\n")
    compress(file.path, probe, tmp_path / "x.compressed.h5")
    assert journal_of(tmp_path / "x.compressed.h5", probe) == journal


def test_frames_are_those_of_the_camera(recorded: Written, probe: Probe) -> None:
    compress(recorded.path, probe, None)
    with h5py.File(recorded.path) as file:
        frames: NDArray[Any] = file["data"][:]
    assert np.array_equal(frames, recorded.frames)
