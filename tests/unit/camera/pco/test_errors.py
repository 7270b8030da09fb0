import pytest

from recorder.camera.pco.errors import bare, from_code, is_error, translated
from recorder.errors import CameraDisconnectedError, CameraError, ConfigurationError


@pytest.mark.parametrize(
    ("code", "text", "message"),
    [
        (
            0x80162015,
            "Driver error 80162015 at device 'x': Device is disconnected or power off.",
            "reading: the camera is gone: check its cable and power, then start again "
            "(0x80162015: Device is disconnected or power off)",
        ),
        (0x8016200B, "x: Device is hold by an other process.", "the camera is in use: close Camware"),
        (0xA0163005, "x: Timeout in function.", "the camera does not answer in time"),
        (0xA0161003, "x: No memory available.", "choose a smaller camera.fifo"),
        (0x8016103C, "x: ROI setting is wrong.", "compare the [camera] section with the camera's manual"),
        (
            0x80161ABC,
            "",
            "switch the camera off and on again (0x80161abc: no explanation",
        ),
    ],
)
def test_a_code_becomes_what_to_do(code: int, text: str, message: str) -> None:
    error = from_code(code, text, "reading")
    assert message in str(error)
    assert isinstance(error, CameraDisconnectedError) == ("is gone" in message)


def test_the_device_is_taken_out_of_a_code_and_the_layer_where_it_says_nothing() -> None:
    assert bare(0x80162015) == 0x80002015
    assert bare(-0x7FE9DFEB & 0xFFFFFFFF) == 0x80002015
    assert bare(0xA0163013) == 0xA0000013
    assert is_error(0x80161017)
    assert not is_error(0xC0161017)
    assert not is_error(0)


def test_what_the_package_raises_is_translated_and_our_own_errors_pass() -> None:
    message = r"setting up: the vendor's package met an answer it does not know \(KeyError\('trigger'\)\)"
    with pytest.raises(CameraError, match=message), translated("setting up"):
        raise KeyError("trigger")
    with pytest.raises(ConfigurationError, match="as it is"), translated("setting up"):
        raise ConfigurationError("as it is")
