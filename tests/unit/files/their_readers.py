"""The readers of suite2p and CaImAn, their own code, on a recording; each from a folder that has its source.

    VENV/bin/python tests/unit/files/their_readers.py FILE.h5 --suite2p FOLDER --caiman FOLDER

FOLDER has the package of that name. Their packages as a whole bring gigabytes, and have other licences:
they are no part of the tests, and only the module that reads is loaded, in an environment that has what it
imports. (What PyPI has under the name of caiman is another program.)
"""

import argparse
import importlib
import importlib.util
import sys
import tempfile
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray


def frames_of(recording: Path) -> NDArray[Any]:
    """Return the frames of a recording (N, H, W)."""
    with h5py.File(recording) as file:
        return np.asarray(file["data"][:])


def check_suite2p(module: Path, recording: Path) -> str:
    """Have suite2p/io/h5.py take the frames into its binary file; return what it took.

    Raises AssertionError where that are not the frames.
    """
    spec = importlib.util.spec_from_file_location("suite2p_io_h5", module)
    assert spec is not None
    assert spec.loader is not None
    reader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reader)
    frames = frames_of(recording)
    with tempfile.TemporaryDirectory() as folder:
        # As its configuration says it for one plane and one channel; batches do not fit the file's chunks.
        db: dict[str, Any] = {"nplanes": 1, "nchannels": 1, "functional_chan": 1, "batch_size": 7}
        db |= {"file_list": [str(recording)], "h5py_key": "data"}
        db |= {name: str(Path(folder, f"{name}.npy")) for name in ("db_path", "settings_path")}
        with Path(folder, "data.bin").open("wb") as binary:
            (done,) = reader.h5py_to_binary([db], {"run": {"do_registration": True}}, [binary], None)
        taken = np.fromfile(Path(folder, "data.bin"), np.int16).reshape(-1, *frames.shape[1:])
    # It halves 16 bit, to fit them into 15.
    expected = (frames / 2).astype(np.int16) if frames.dtype == np.uint16 else frames.astype(np.int16)
    assert (done["nframes"], done["Ly"], done["Lx"]) == frames.shape
    assert np.array_equal(taken, expected)
    np.testing.assert_allclose(done["meanImg"], expected.mean(axis=0), rtol=1e-5)
    return f"suite2p's h5py_to_binary: {taken.shape} {taken.dtype}, every pixel"


def check_caiman(folder: Path, recording: Path, without: Sequence[str] = ()) -> str:
    """Have caiman/base/movies.py load the frames; return what it loaded.

    `without` are modules that it imports and does not read with: others, whose names are all None, stand for
    them.

    Raises AssertionError where that are not the frames.
    """
    for name in without:
        sys.modules[name] = types.ModuleType(name)
        vars(sys.modules[name])["__getattr__"] = lambda _name: None
    # The package itself starts its pipeline; its modules are found without.
    package = types.ModuleType("caiman")
    package.__path__ = [str(folder / "caiman")]
    sys.modules["caiman"] = package
    movies = importlib.import_module("caiman.base.movies")
    frames = frames_of(recording)
    size, count = movies.get_file_size(str(recording), var_name_hdf5="data")
    assert (count, *size) == frames.shape
    whole = movies.load(str(recording), var_name_hdf5="data")
    assert np.array_equal(np.asarray(whole), frames)
    some = movies.load(str(recording), var_name_hdf5="data", subindices=slice(2, 12, 3))
    assert np.array_equal(np.asarray(some), frames[2:12:3])
    one_by_one = list(movies.load_iter(str(recording), var_name_hdf5="data"))
    assert np.array_equal(np.stack(one_by_one), frames)
    return f"CaImAn's load, load_iter and get_file_size: {whole.shape} {whole.dtype}, every pixel"


def main() -> None:
    """Check what is given, and print what was read."""
    parser = argparse.ArgumentParser(description="suite2p and CaImAn read a recording.")
    parser.add_argument("recording", type=Path)
    parser.add_argument("--suite2p", type=Path, help="the folder that has suite2p/io/h5.py")
    parser.add_argument("--caiman", type=Path, help="the folder that has caiman/base/movies.py")
    parser.add_argument("--without", nargs="*", default=(), help="modules that caiman does not read with")
    given = parser.parse_args()
    if given.suite2p:
        sys.stdout.write(check_suite2p(given.suite2p / "suite2p" / "io" / "h5.py", given.recording) + "\n")
    if given.caiman:
        sys.stdout.write(check_caiman(given.caiman, given.recording, given.without) + "\n")


if __name__ == "__main__":
    main()
