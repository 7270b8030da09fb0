"""Cameras as their descriptions tell of them; sources of the figures are in decision 8.

Line times follow from the frame rates of the data sheets.
"""

from dataclasses import dataclass, replace

from tests.virtual_sc2.options import (
    AVERAGE_BINNING,
    DESCRIPTION_3,
    FAN_AND_LED,
    GLOBAL_SHUTTER,
    HOT_PIXEL_CORRECTION,
    HOT_PIXEL_FILTER,
    HOT_PIXELS_WITH_NOISE_FILTER_ONLY,
    INTENSIFIED,
    NOISE_FILTER,
    Has,
)

# sc2_defs.h, dwGeneralCapsDESC1.
NO_RECORDER = 0x00001000
RECORD_STOP = 0x00000020
METADATA = 0x00004000
SET_FRAME_RATE = 0x00008000
EXTENDED_ACQUIRE = 0x00200000
ROI_SYMMETRIC_ROWS = 0x00800000
HARDWARE_LINES = 0x40000000
# dwGeneralCapsDESC3
PIXEL_FORMATS = 0x00020000

# Types of the first edges: 0x13xx.
EDGE_FAMILY = 0x1300

_COMMON = Has()

ROLLING, GLOBAL, GLOBAL_RESET = 1, 2, 4


@dataclass(frozen=True)
class Model:
    name: str
    camera_type: int
    width: int
    height: int
    # PCO_Device.PCO_InterfaceType: 5 GigE, 6 USB 2.0, 7 Camera Link, 8 USB 3.0; CLHS is 12 (Silicon
    # Software), 13 or 15 (Kaya) on Linux, and 11 on Windows.
    interface: int
    row_ns: int
    bits: int = 16
    caps: int = METADATA | NO_RECORDER | NOISE_FILTER | HARDWARE_LINES
    caps3: int = 0
    colour: bool = False
    roi_steps: tuple[int, int] = (4, 1)  # as its description tells
    real_roi_steps: tuple[int, int] | None = None  # where these are others
    least: tuple[int, int] = (64, 16)
    binning: int = 4
    pixel_rates: tuple[int, ...] = (286_000_000,)
    conversion_factors: tuple[int, ...] = (46,)
    exposure_ns: tuple[int, int, int] = (100_000, 10_000_000_000, 1_000)  # least, most, step
    delay_ms: int = 1_000  # most
    cooling: tuple[int, int, int] = (-30, 20, 5)  # least, most, default
    memory_frames: int = 0
    serial: int = 61_000_001
    shutter: int = ROLLING
    simultaneous_rows: int = 1
    has: Has = _COMMON

    @property
    def has_metadata(self) -> bool:
        return bool(self.caps & METADATA)


EDGE_55 = Model(
    name="pco.edge 5.5 M CLHS",
    camera_type=0x1340,
    width=2560,
    height=2160,
    interface=13,
    row_ns=9_259,
    pixel_rates=(95_333_333, 286_000_000),
    exposure_ns=(500_000, 2_000_000_000, 9_259),
    real_roi_steps=(16, 1),
    simultaneous_rows=2,
)
EDGE_42 = Model(
    "pco.edge 4.2 M CLHS",
    0x1340,
    2048,
    2048,
    12,
    row_ns=9_760,
    pixel_rates=(95_333_333, 272_250_000),
    exposure_ns=(100_000, 10_000_000_000, 9_760),
    real_roi_steps=(16, 1),
    simultaneous_rows=2,
)
# As a real one described itself: it sends no metadata, and tells of its symmetry.
EDGE_42_CL = replace(
    EDGE_42,
    name="pco.edge 4.2 CL",
    camera_type=0x1302,
    width=2060,
    interface=7,
    caps=NO_RECORDER | NOISE_FILTER | HARDWARE_LINES | ROI_SYMMETRIC_ROWS,
    roi_steps=(20, 1),
    real_roi_steps=None,
    least=(40, 16),
    exposure_ns=(100_000, 10_000_000_000, 10_000),
)
EDGE_42_BI = Model(
    "pco.edge 4.2 bi USB",
    0x1800,
    2048,
    2048,
    8,
    row_ns=12_174,
    exposure_ns=(10_000, 20_000_000_000, 12_174),
    delay_ms=5_000,
)
PANDA_42 = Model(
    "pco.panda 4.2 M USB",
    0x1600,
    2048,
    2048,
    8,
    row_ns=12_136,
    roi_steps=(32, 8),
    least=(64, 16),
    caps=METADATA | NO_RECORDER | HARDWARE_LINES | SET_FRAME_RATE | EXTENDED_ACQUIRE,
    caps3=PIXEL_FORMATS,
    exposure_ns=(10_000, 5_000_000_000, 1_000),
    delay_ms=5_000,
    cooling=(0, 0, 0),
)
DIMAX = Model(
    "pco.dimax S1",
    0x1000,
    1008,
    1008,
    5,
    row_ns=220,
    bits=12,
    caps=METADATA | SET_FRAME_RATE | ROI_SYMMETRIC_ROWS | HARDWARE_LINES | RECORD_STOP | EXTENDED_ACQUIRE,
    roi_steps=(48, 4),
    least=(144, 32),
    exposure_ns=(1_500, 40_000_000, 100),
    memory_frames=200,
    cooling=(0, 0, 0),
)
# Without metadata: its counter stands in the pixels only.
PCO_1400 = Model(
    "pco.1400",
    0x0830,
    1392,
    1040,
    6,
    row_ns=50_000,
    bits=14,
    caps=NO_RECORDER,
    roi_steps=(1, 1),
    least=(16, 1),
    exposure_ns=(500_000, 60_000_000_000, 1_000),
    cooling=(0, 0, 0),
)
EDGE_COLOUR = replace(EDGE_55, name="pco.edge 5.5 C CLHS", colour=True)

# As a real one described itself, but for the IR delays: its extended format is the smaller one.
PIXELFLY = Model(
    "pco.pixelfly usb",
    0x0900,
    1392,
    1040,
    6,
    row_ns=70_000,
    bits=14,
    # No external exposure control, no acquire mode.
    caps=NO_RECORDER | HOT_PIXEL_CORRECTION | 0x00000200 | 0x00000080,
    roi_steps=(0, 0),
    pixel_rates=(12_000_000, 24_000_000),
    exposure_ns=(1_000, 60_000_000_000, 1_000),
    delay_ms=0,
    cooling=(0, 0, 0),
    has=Has(extended=(800, 600), ir_exposure_ns=(5_000_000, 60_000_000_000), double_image=(ROLLING,)),
)
# Two converters, and a noise filter that corrects hot pixels too.
PCO_1600 = Model(
    "pco.1600",
    0x0220,
    1600,
    1200,
    5,
    row_ns=20_000,
    bits=14,
    caps=NO_RECORDER | NOISE_FILTER | HOT_PIXEL_FILTER | HOT_PIXELS_WITH_NOISE_FILTER_ONLY,
    roi_steps=(1, 1),
    least=(16, 1),
    pixel_rates=(10_000_000, 40_000_000),
    exposure_ns=(500_000, 60_000_000_000, 1_000),
    has=Has(adcs=2, offset_regulation=True),
)
# With all that an edge may have; double images with its global shutter.
EDGE_OPTIONS = replace(
    EDGE_55,
    caps=EDGE_55.caps | HOT_PIXEL_CORRECTION | FAN_AND_LED | DESCRIPTION_3,
    caps3=AVERAGE_BINNING,
    has=Has(
        extended=(2592, 2192),
        least_extended=(160, 32),
        double_image=(GLOBAL_SHUTTER,),
        line_time_ns=(17_000, 100_000_000),
        image_timing=True,
        line_types=0x9,
        line_filters=0x7,
    ),
)
FLIM = replace(PCO_1400, name="pco.flim", camera_type=0x1400)
DICAM = replace(EDGE_55, name="pco.dicam C1", camera_type=0x1700, caps=EDGE_55.caps | INTENSIFIED)

MODELS = {
    "edge 5.5": EDGE_55,
    "edge 4.2": EDGE_42,
    "edge 4.2 CL": EDGE_42_CL,
    "edge 4.2 bi": EDGE_42_BI,
    "panda 4.2": PANDA_42,
    "dimax": DIMAX,
    "pco.1400": PCO_1400,
    "edge 5.5 colour": EDGE_COLOUR,
}
