import itertools
from dataclasses import replace
from typing import Any

import pytest

from recorder.camera.pco.open_camera import OpenCamera
from recorder.camera.pco.roi import Roi, RoiRules
from recorder.errors import ConfigurationError
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.libraries import installed
from tests.virtual_sc2.models import (
    DIMAX,
    EDGE_42,
    EDGE_42_BI,
    EDGE_42_CL,
    EDGE_55,
    MODELS,
    PANDA_42,
    PCO_1400,
    Model,
)

EDGE_55_CL = replace(EDGE_55, camera_type=0x1300, interface=7, real_roi_steps=(160, 1), least=(160, 16))


def rules_of(model: Model, binning: tuple[int, int] = (1, 1)) -> RoiRules:
    import pco

    with installed(VirtualCamera(model)):
        vendor = pco.Camera()
        try:
            camera = OpenCamera.of(vendor)
            return RoiRules.of(binning, camera.description, camera.sensor, camera.kind)
        finally:
            vendor.close()


@pytest.mark.parametrize(
    ("model", "roi", "why"),
    [
        (EDGE_55, (3, 1017, 258, 1144), "x goes in steps of 16; the smallest that holds it is [1, 1017, 272, 1144]"),
        (EDGE_55, (1, 1, 32, 2160), "its width of 32 is less than the least, 64; the smallest that holds it is [1, 1, 64, 2160]"),
        (EDGE_55, (1, 1, 2560, 100), "y must be symmetric about the middle; the smallest that holds it is [1, 1, 2560, 2160], one of its size [1, 1031, 2560, 1130]"),
        (EDGE_55, (1, 1021, 2560, 1050), "y must be symmetric about the middle; the smallest that holds it is [1, 1021, 2560, 1140], one of its size [1, 1066, 2560, 1095]"),
        (EDGE_55, (5, 1, 100, 100), "x goes in steps of 16, and y must be symmetric about the middle; the smallest that holds it is [1, 1, 112, 2160], one of its size [1, 1031, 112, 1130]"),
        (EDGE_55_CL, (1, 1, 2000, 2160), "x goes in steps of 160; the smallest that holds it is [1, 1, 2080, 2160]"),
        (EDGE_42, (1, 1, 1000, 2048), "x goes in steps of 16; the smallest that holds it is [1, 1, 1008, 2048]"),
        (EDGE_42_CL, (1, 1, 1000, 500), "y must be symmetric about the middle; the smallest that holds it is [1, 1, 1000, 2048], one of its size [1, 775, 1000, 1274]"),
        (DIMAX, (1, 1, 480, 400), "x must be symmetric about the middle, and y must be symmetric about the middle; the smallest that holds it is [1, 1, 1008, 1008], one of its size [1, 305, 1008, 704]"),
        (PANDA_42, (40, 9, 128, 60), "x goes in steps of 32, and y goes in steps of 8; the smallest that holds it is [33, 9, 128, 64]"),
        (replace(PCO_1400, roi_steps=(0, 0)), (1, 1, 100, 1040), "this camera reads its whole width only; the smallest that holds it is [1, 1, 1392, 1040]"),
    ],
)  # fmt: skip
def test_a_region_that_cannot_be_is_refused_with_the_nearest_that_can(
    model: Model, roi: Roi, why: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        rules_of(model).check(roi)
    assert str(refused.value) == f"camera.roi = [{', '.join(map(str, roi))}]: {why}"


@pytest.mark.parametrize("model", [*MODELS.values(), EDGE_55_CL], ids=lambda model: model.name)
@pytest.mark.parametrize("binning", [(1, 1), (2, 4)], ids=["whole", "binned"])
def test_the_region_named_is_allowed_and_is_what_the_camera_reads_out(
    model: Model, binning: tuple[int, int]
) -> None:
    camera = VirtualCamera(model)
    rules = rules_of(model, binning)
    named = 0
    for x0, y0, width, height in itertools.product((1, 7, 101), (1, 6, 133), (1, 50, 130), (1, 19, 100)):
        roi = (x0, y0, min(rules.x.whole, x0 + width - 1), min(rules.y.whole, y0 + height - 1))
        candidates = [roi]
        try:
            rules.check(roi)
        except ConfigurationError as refused:
            lists = str(refused).split("[")[2:]
            candidates = [tuple(map(int, text.split("]")[0].split(","))) for text in lists]  # type: ignore[misc]
            named += 1
            x0n, y0n, x1n, y1n = candidates[0]
            assert x0n <= roi[0] <= roi[2] <= x1n
            assert y0n <= roi[1] <= roi[3] <= y1n
        for candidate in candidates:
            rules.check(candidate)
            settings: dict[str, Any] = {"roi": candidate, "binning": binning}
            assert camera.change(**settings) == 0
            assert camera.arm() == 0
            assert camera.settings.roi == candidate
    assert named


def test_of_the_newer_edges_rows_are_free() -> None:
    rules_of(EDGE_42_BI).check((1, 1, 2048, 100))
