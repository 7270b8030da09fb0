from types import SimpleNamespace

import pytest

from recorder.camera.pco.direct_calls import call, noise_filter_of
from tests.unit.camera.pco.test_options import opened, settings_of
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.models import EDGE_55, PCO_1400, PCO_1600


def test_a_function_that_this_version_lacks_is_told_as_the_package_tells_of_what_it_does_not_know() -> None:
    with pytest.raises(LookupError, match="the SDK has no PCO_GetHWLEDSignal"):
        call(SimpleNamespace(SC2_Cam=object(), camera_handle=None), "PCO_GetHWLEDSignal")


def test_errors_are_those_of_the_package() -> None:
    with opened(VirtualCamera(PCO_1400), settings_of()) as (camera, _):
        with pytest.raises(ValueError, match="0x800a3004") as refused:
            noise_filter_of(camera.sdk)
        assert getattr(refused.value, "error_code", 0) & 0xFFFFFFFF == 0x800A3004


def test_the_package_cannot_filter_noise_and_hot_pixels_together() -> None:
    """If this fails, a later version can: then `direct_calls` need not."""
    with (
        opened(VirtualCamera(PCO_1600), settings_of()) as (camera, _),
        pytest.raises(ValueError, match="0xa00a3001"),
    ):
        camera.sdk.set_noise_filter_mode("on & hot pixel correction")


def test_a_filter_without_a_name_is_told_by_its_number() -> None:
    device = VirtualCamera(EDGE_55)
    with opened(device, settings_of()) as (camera, _):
        device.options.noise_filter = 0x0100
        assert noise_filter_of(camera.sdk) == "0x0100"
