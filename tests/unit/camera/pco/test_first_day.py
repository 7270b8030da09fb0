"""A dry first day: on the virtual models everything is as expected, and each surprise is named."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from recorder.camera.pco import first_day
from recorder.camera.pco.first_day import Holds, Report, look_at
from recorder.cli.main import commands
from recorder.errors import UsageError
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.libraries import Rig, Sc2, installed
from tests.virtual_sc2.models import DIMAX, EDGE_42_BI, EDGE_55, MODELS, PANDA_42, Model

pytestmark = pytest.mark.usefixtures("seconds_begin_at_once")


def looked_at(camera: VirtualCamera, act: Callable[[Rig], None] | None = None) -> Report:
    with installed(camera) as rig:
        if act is not None:
            act(rig)
        report = look_at(None)
        assert not rig.strays
    assert not camera.is_open
    assert not camera.recording
    return report


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_on_every_model_all_is_as_expected(model: Model) -> None:
    report = looked_at(VirtualCamera(model))
    assert [finding for finding in report.findings if finding.holds is Holds.NO] == []
    about = {finding.about for finding in report.findings}
    assert about >= {"opening", "counter", "counter in the pixels", "frame time", "clock", "region"}
    assert report.descriptions["description of the SDK"]["max. horizontal resolution standard"] == model.width


def gone() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


SURPRISES: dict[str, tuple[VirtualCamera, str, str]] = {
    "counter begins at 2": (VirtualCamera(EDGE_55, first_number=2), "messages", "counter stands at 2 with"),
    "frame missing": (VirtualCamera(EDGE_55, dropped={5}), "counter", "[1, 2, 3, 4, 6, "),
    "clock refused": (
        VirtualCamera(EDGE_55, faults={"PCO_SetDateTime": 0x80161017}),
        "clock",
        "the camera's is UTC less",
    ),
    "other size": (VirtualCamera(EDGE_55, delivered_shape=(2160, 2544)), "course", "of 2544x2160"),
    "other region": (
        VirtualCamera(replace(PANDA_42, real_roi_steps=(2048, 8))),
        "region",
        "[993, 1017, 1056, 1032] set, [1, 1017,",
    ),
    "left locked": (VirtualCamera(EDGE_55, in_use=True, used_by=gone()), "course", "left locked by"),
    "transfer fails": (VirtualCamera(EDGE_55, spoiled={3: 0x80332005}), "messages", "of 1 frame failed"),
    "too hot": (VirtualCamera(EDGE_55, health=(0, 4)), "messages", "camera too hot"),
}  # fmt: skip


@pytest.mark.parametrize(("camera", "about", "words"), SURPRISES.values(), ids=SURPRISES)
def test_a_surprise_is_named(camera: VirtualCamera, about: str, words: str) -> None:
    report = looked_at(camera)
    assert not report.holds
    differing = {finding.about: finding.seen for finding in report.findings if finding.holds is Holds.NO}
    assert words in differing[about]


@pytest.mark.parametrize(
    ("function", "answer", "about"),
    [
        ("getcocruntime", lambda s, ns: (0, 12_345_678), "frame time"),
        ("getsensorsignalstatus", lambda s, ns: (0, 4_000_000), "count of the sensor"),
    ],
)
def test_what_the_camera_reckons_wrongly_is_named(
    monkeypatch: pytest.MonkeyPatch, function: str, answer: Any, about: str
) -> None:
    def wrong(_: Sc2, handle: Any, first: Any, second: Any, *rest: Any) -> int:
        del handle, rest
        first.value, second.value = answer(first, second)
        return 0

    monkeypatch.setattr(Sc2, function, wrong)
    report = looked_at(VirtualCamera(EDGE_55))
    assert [finding.about for finding in report.findings if finding.holds is Holds.NO] == [about]


def test_descriptions_that_arming_changes_are_told() -> None:
    camera = VirtualCamera(EDGE_55, other_exposure=(95_333_333, (1_500_000, 2_000_000_000, 27_776)))
    report = looked_at(camera)
    assert report.holds
    assert "others once the camera was armed" in {finding.seen for finding in report.findings}


def test_a_camera_that_sends_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_day, "FRAME_TIMEOUT_S", 0.2)
    camera = VirtualCamera(EDGE_42_BI, dropped=set(range(1, 10_000)))
    (course,) = (f for f in looked_at(camera).findings if f.about == "course")
    assert course.holds is Holds.NO


def test_images_in_the_cameras_memory_stay() -> None:
    camera = VirtualCamera(DIMAX)

    def fill(_: Rig) -> None:
        camera.arm()
        camera.start(64, into_memory=True)
        while camera.ram.images(1) < 5:
            pass
        camera.stop()

    report = looked_at(camera, fill)
    assert not report.holds
    assert any("images, which a recording would overwrite" in finding.seen for finding in report.findings)
    assert camera.ram.segment.images


def test_the_page_has_findings_versions_and_descriptions() -> None:
    with installed(VirtualCamera(EDGE_55)):
        done = CliRunner().invoke(commands, ["cameras", "--check", "61000001"], standalone_mode=False)
    assert (done.exception, done.return_value) == (None, 0)
    assert "pco.edge 5.5 M CLHS 61000001\n" in done.output
    assert "holds     counter: frames 1 to 10\n" in done.output
    assert "everything is as expected" in done.output
    assert "dwGeneralCapsDESC1: 0x40005001" in done.output
    with installed(VirtualCamera(EDGE_55, dropped={2})):
        done = CliRunner().invoke(commands, ["cameras", "--check", "--json"], standalone_mode=False)
    assert done.return_value == 1
    assert '"about": "counter", "holds": "differs"' in done.output


def test_a_serial_number_is_a_number() -> None:
    done = CliRunner().invoke(commands, ["cameras", "--check", "edge"], standalone_mode=False)
    assert isinstance(done.exception, UsageError)
