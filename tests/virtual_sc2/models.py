"""Cameras as their descriptions tell of them; the figures follow the vendor's data sheets."""

from dataclasses import dataclass, replace

# sc2_defs.h, dwGeneralCapsDESC1.
NOISE_FILTER = 0x00000001
NO_RECORDER = 0x00001000
RECORD_STOP = 0x00000020
METADATA = 0x00004000
SET_FRAME_RATE = 0x00008000
EXTENDED_ACQUIRE = 0x00200000
ROI_SYMMETRIC_ROWS = 0x00800000
HARDWARE_LINES = 0x40000000
# dwGeneralCapsDESC3
PIXEL_FORMATS = 0x00020000

ROLLING, GLOBAL, GLOBAL_RESET = 1, 2, 4


@dataclass(frozen=True)
class Model:
    name: str
    camera_type: int
    width: int
    height: int
    interface: int  # of PCO_Device: 5 GigE, 6 USB 2.0, 8 USB 3.0, 11 CLHS
    row_ns: int
    bits: int = 16
    caps: int = METADATA | NO_RECORDER | NOISE_FILTER | HARDWARE_LINES
    caps3: int = 0
    colour: bool = False
    roi_steps: tuple[int, int] = (4, 1)
    least: tuple[int, int] = (64, 16)
    binning: int = 4
    pixel_rates: tuple[int, ...] = (286_000_000,)
    conversion_factors: tuple[int, ...] = (46,)
    exposure_ns: tuple[int, int, int] = (100_000, 10_000_000_000, 1_000)  # least, most, step
    cooling: tuple[int, int, int] = (-30, 20, 5)  # least, most, default
    memory_frames: int = 0
    serial: int = 61_000_001
    shutter: int = ROLLING
    simultaneous_rows: int = 1

    @property
    def has_metadata(self) -> bool:
        return bool(self.caps & METADATA)


EDGE_55 = Model(
    name="pco.edge 5.5 M CLHS",
    camera_type=0x1340,
    width=2560,
    height=2160,
    interface=11,
    row_ns=9_120,
    pixel_rates=(95_300_000, 286_000_000),
    simultaneous_rows=2,
)
EDGE_42 = Model("pco.edge 4.2 M CLHS", 0x1340, 2048, 2048, 11, row_ns=9_760, simultaneous_rows=2)
PANDA_42 = Model(
    "pco.panda 4.2 M USB",
    0x1600,
    2048,
    2048,
    8,
    row_ns=12_200,
    roi_steps=(32, 8),
    least=(64, 16),
    caps=METADATA | NO_RECORDER | HARDWARE_LINES | SET_FRAME_RATE | EXTENDED_ACQUIRE,
    caps3=PIXEL_FORMATS,
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

MODELS = {
    "edge 5.5": EDGE_55,
    "edge 4.2": EDGE_42,
    "panda 4.2": PANDA_42,
    "dimax": DIMAX,
    "pco.1400": PCO_1400,
    "edge 5.5 colour": EDGE_COLOUR,
}
