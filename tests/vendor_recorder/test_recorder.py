"""What the vendor's recorder does with a FIFO and a memory, and what our readers make of it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import need

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the vendor's library for Linux")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our sc2_cam, compiled under the name by which the vendor's recorder asks for it."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    need(compiler, "a C compiler (gcc)")
    built = tmp_path_factory.mktemp("sc2cam") / "libpco_sc2cam.so.1"
    source = Path(__file__).with_name("sc2cam.c")
    options = ["-shared", "-fPIC", "-w", "-pthread", f"-Wl,-soname,{built.name}"]
    subprocess.run([str(compiler), *options, "-o", str(built), str(source)], check=True)
    return built


def seen(library: Path, case: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.vendor_recorder.rig", str(library), case]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_reader_that_keeps_up_blames_no_fifo_however_often_it_went_round(library: Path) -> None:
    found = seen(library, "keeping_up")
    ((before, after, blamed),) = found["gaps"]
    assert after - before in {8, 9}
    assert not blamed
    assert found["known"] == found["exposed"]
    assert found["told"] == []


def test_every_overflow_is_the_fifos_and_all_that_was_exposed_is_accounted_for(library: Path) -> None:
    found = seen(library, "overflowing")
    assert found["first"] == 1
    assert len(found["gaps"]) >= 2
    assert all(blamed for _, _, blamed in found["gaps"])
    assert found["last"] <= found["known"]
    # The camera goes on exposing for a moment while the recorder stops.
    assert -5 <= found["exposed"] - found["known"] <= found["in_stop"] + 5


def test_no_frame_has_the_pixels_of_a_later_one_however_full_the_fifo_was(library: Path) -> None:
    found = seen(library, "filled_anew")
    assert found["gaps"]
    assert all(blamed for _, _, blamed in found["gaps"])
    assert found["last"] <= found["known"]


def test_what_is_lost_behind_a_gap_that_still_waits_is_counted(library: Path) -> None:
    found = seen(library, "overflowing_again_before_the_end")
    assert found["last"] < found["known"]
    assert -5 <= found["exposed"] - found["known"] <= found["in_stop"] + 5


def test_a_frame_whose_transfer_failed_is_passed_over(library: Path) -> None:
    found = seen(library, "failing_transfer")
    assert found["gaps"] == [[9, 11, False]]
    assert any(
        "the transfer of 1 frame failed, the last time after frame 9" in told for told in found["told"]
    )


def test_a_camera_that_was_unplugged_is_gone(library: Path) -> None:
    found = seen(library, "unplugged")
    assert (found["read"], found["gone"]) == (9, True)
    assert "check its cable and power" in found["told"]


@pytest.mark.parametrize("case", ["other_time_base", "documented_time_base"])
def test_an_exposure_is_the_one_that_is_set_whichever_way_its_time_base_is_numbered(
    library: Path, case: str
) -> None:
    assert seen(library, case)["gaps"] == []


def test_images_in_the_cameras_memory_are_read_though_nobody_has_recorded(library: Path) -> None:
    assert seen(library, "images_of_before") == {"read": [*range(1, 201)]}


def test_a_camera_that_stops_by_itself_is_read_out(library: Path) -> None:
    assert seen(library, "stopping_by_itself") == {"read": [*range(1, 61)], "events": [41]}


def test_a_pair_is_one_frame_of_double_height_the_first_image_above(library: Path) -> None:
    found = seen(library, "pairs")
    assert found["height"] == 2 * 32
    # A busy computer may lose some, but never mixes them.
    assert found["found"] == [[n, [[n], [n + 1000]]] for n, _ in found["found"]]
    assert len(found["found"]) == 50
