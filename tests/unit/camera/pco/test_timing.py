from dataclasses import replace

import pytest

from recorder.camera.pco.setup import set_up
from recorder.camera.pco.timing import image_timing_of
from tests.unit.camera.pco.test_options import opened, settings_of
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.models import EDGE_55, EDGE_OPTIONS

SLOW = replace(EDGE_OPTIONS, exposure_ns=(500_000, 20_000_000_000, 1_000))


def test_times_are_sums_in_seconds_and_none_where_the_camera_does_not_know() -> None:
    wanted = settings_of(exposure="7.5s")
    with opened(VirtualCamera(SLOW), wanted) as (camera, _):
        set_up(camera, wanted)
        timing = image_timing_of(camera)
    assert timing is not None
    assert timing.system_delay_s is None
    known = (timing.frame_s, timing.exposure_s, timing.trigger_delay_s, timing.jitter_s)
    assert known == pytest.approx((7.5, 7.5, 1.5e-6, 250e-9))


def test_a_model_without_an_answer_has_no_timing() -> None:
    with opened(VirtualCamera(EDGE_55), settings_of()) as (camera, _):
        assert image_timing_of(camera) is None
