import math
from datetime import UTC, datetime
from io import BytesIO

import numpy as np
import pytest
import tifffile
from PIL import Image

from recorder.preview.snapshot import TakenFrame, write

PIXELS = np.arange(12, dtype=np.uint16).reshape(3, 4)
MOMENT = datetime(2026, 11, 24, 12, 30, 5, 250_000, UTC)


def written(exposure_s: float, pixel_size_m: tuple[float, float] | None) -> tifffile.TiffFile:
    file = BytesIO()
    write(TakenFrame(PIXELS, 17, exposure_s, MOMENT), file, ".tif", "auto", 16, 1.0, pixel_size_m)
    return tifffile.TiffFile(BytesIO(file.getvalue()))


def test_a_tiff_says_what_is_known_of_its_frame() -> None:
    with written(0.005, (6.5e-7, 1.3e-6)) as picture:
        assert (picture.asarray() == PIXELS).all()
        (known,) = picture.shaped_metadata or ()
        assert known == {
            "shape": [3, 4],
            "counter": 17,
            "utc": "2026-11-24T12:30:05.250+00:00",
            "exposure_s": 0.005,
            "pixel_size_um": [0.65, 1.3],
        }
        tags = picture.pages.first.tags
        assert tags["DateTime"].value == "2026:11:24 12:30:05"
        assert tags["Software"].value.startswith("recorder ")
        assert tags["ResolutionUnit"].value == tifffile.RESUNIT.CENTIMETER
        across, down = (np.divide(*tags[name].value) for name in ("XResolution", "YResolution"))
        assert 0.01 / across == pytest.approx(6.5e-7)
        assert 0.01 / down == pytest.approx(1.3e-6)


def test_a_tiff_does_not_say_what_is_not_known() -> None:
    with written(math.nan, None) as picture:
        (known,) = picture.shaped_metadata or ()
        assert set(known) == {"shape", "counter", "utc"}
        assert picture.pages.first.tags["ResolutionUnit"].value != tifffile.RESUNIT.CENTIMETER


def test_another_reader_finds_the_size_of_a_pixel() -> None:
    file = BytesIO()
    write(TakenFrame(PIXELS, 17, 0.005, MOMENT), file, ".tif", "auto", 16, 1.0, (6.5e-6, 6.5e-6))
    with Image.open(file) as picture:
        assert (np.asarray(picture) == PIXELS).all()
        # Dots per inch.
        assert picture.info["dpi"] == pytest.approx((25_400 / 6.5, 25_400 / 6.5))
