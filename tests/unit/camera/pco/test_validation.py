from typing import Any

import pytest

from recorder.camera.pco.open_camera import OpenCamera
from recorder.camera.pco.setup import check
from recorder.camera.pco.validation import check_times
from recorder.errors import ConfigurationError
from recorder.settings.model import validate
from recorder.settings.pco_camera import PcoCameraSettings
from tests.virtual_sc2.camera import VirtualCamera
from tests.virtual_sc2.libraries import installed
from tests.virtual_sc2.models import DIMAX, EDGE_55, PANDA_42, PCO_1400, Model


def refusal(model: Model, **settings: Any) -> str:
    """The error for these settings on a camera of `model`, "" where it accepts them."""
    import pco

    wanted = validate({"camera": {"kind": "pco", **settings}}).camera
    assert isinstance(wanted, PcoCameraSettings)
    with installed(VirtualCamera(model)):
        camera = pco.Camera()
        try:
            device = OpenCamera.of(camera, wanted)
            check(device, wanted)
            check_times(wanted, device.description)
        except ConfigurationError as error:
            return str(error)
        finally:
            camera.close()
    return ""


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (EDGE_55, {"exposure": "20s"}, "camera.exposure = 20s: must be from 500us to 2s on this camera"),
        (EDGE_55, {"exposure": "1us"}, "camera.exposure = 1us: must be from 500us to 2s on this camera"),
        (EDGE_55, {"delay": "2s"}, "camera.delay = 2s: must be from 0s to 1s on this camera"),
        (EDGE_55, {"binning": [3, 1]}, "camera.binning = [3, 1]: this camera has [1|2|4, 1|2|4]"),
        (EDGE_55, {"pixel_rate": 286}, "camera.pixel_rate = 286: must be 95333333 or 286000000 on this camera"),
        (EDGE_55, {"pixel_format": "8"}, "camera.pixel_format = 8: must be 16 on this camera"),
        (EDGE_55, {"conversion_factor": 0.5}, "camera.conversion_factor = 0.5: must be 0.46 on this camera"),
        (EDGE_55, {"cooling": 30}, "camera.cooling = 30: must be from -30 to 20 degrees Celsius"),
        (PANDA_42, {"cooling": 5}, "camera.cooling = 5: this camera's cooling cannot be set"),
        (EDGE_55, {"memory": "camram ring"}, "camera.memory = camram ring: this camera has no memory of its own; it must be fifo"),
        (EDGE_55, {"roi": [1, 1, 2561, 10]}, "camera.roi = [1, 1, 2561, 10]: x must go up, within 1 and 2560"),
        (EDGE_55, {"roi": [9, 1, 8, 10]}, "camera.roi = [9, 1, 8, 10]: x must go up, within 1 and 2560"),
        (EDGE_55, {"roi": [1, 1, 1400, 1], "binning": [2, 2]}, "camera.roi = [1, 1, 1400, 1]: x must go up, within 1 and 1280"),
        (PCO_1400, {"timestamp": "off"}, 'camera.timestamp: this camera sends no metadata, so that only the binary timestamp in its pixels tells which frames are missing; set it to "binary"'),
        (PCO_1400, {"lines": [{"number": 1}]}, "camera.lines = ...: this camera's hardware lines cannot be set"),
    ],
)  # fmt: skip
def test_what_a_camera_cannot_have_is_refused_with_what_it_can(
    model: Model, settings: dict[str, Any], message: str
) -> None:
    assert refusal(model, **settings) == message


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        (EDGE_55, {"exposure": "500us", "roi": [17, 1, 144, 2160], "pixel_rate": 95_333_333, "cooling": -30}),
        (EDGE_55, {"binning": [2, 4], "roi": [1, 1, 1280, 540]}),
        (PANDA_42, {"roi": [33, 9, 128, 64], "pixel_format": "8"}),
        (DIMAX, {"roi": [433, 253, 576, 756], "memory": "camram ring"}),
        (PCO_1400, {"roi": [2, 2, 100, 100]}),
    ],
)
def test_what_it_can_have_is_taken(model: Model, settings: dict[str, Any]) -> None:
    assert refusal(model, **settings) == ""
