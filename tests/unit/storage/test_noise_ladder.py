"""Levels finer than the noise: no value moved too far, no mean moved at all, next to nothing added."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recorder.storage.noise_ladder import LOSSY, NoiseLadder, NoiseModel, lossy_text
from recorder.storage.packed_chunk import pack

VALUES = np.arange(65536)

EDGE = NoiseModel(0.46, 1.5, 100)
MODELS = [
    EDGE,
    NoiseModel(1, 0, 100),  # the simulated camera
    NoiseModel(8, 20, 33.5),
    NoiseModel(0.02, 3, 0),  # so much noise that steps begin with the first value
    NoiseModel(40, 0, 0),
    NoiseModel(1, 1, 65535),
]
FRACTIONS = [0.05, 0.3, 0.5, 1]


@pytest.fixture(params=MODELS, ids=str)
def noise(request: pytest.FixtureRequest) -> NoiseModel:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(params=FRACTIONS)
def ladder(request: pytest.FixtureRequest, noise: NoiseModel) -> NoiseLadder:
    return NoiseLadder(noise, request.param)


def errors(ladder: NoiseLadder) -> NDArray[np.int64]:
    return ladder.table - VALUES


def test_no_value_is_moved_by_more_than_half_the_fraction_of_its_noise(ladder: NoiseLadder) -> None:
    noise = np.sqrt(
        np.maximum(VALUES - ladder.noise.dark_offset, 0) / ladder.noise.conversion_factor
        + (ladder.noise.read_noise / ladder.noise.conversion_factor) ** 2
    )
    assert (np.abs(errors(ladder)) <= ladder.fraction * noise / 2).all()
    assert ladder.largest_error == np.abs(errors(ladder)).max()


def test_levels_are_in_order_and_stay_what_they_are(ladder: NoiseLadder) -> None:
    table = ladder.table
    assert table.dtype == np.uint16
    assert (np.diff(table.astype(int)) >= 0).all()
    assert (table[table] == table).all()
    # Every value goes to the nearest of them, but for those that would become saturated.
    levels = np.unique(table)
    above = levels[np.searchsorted(levels, VALUES)].astype(int)
    below = levels[np.searchsorted(levels, VALUES, side="right") - 1].astype(int)
    nearest = np.minimum(above - VALUES, VALUES - below)
    unsaturated = VALUES + int(ladder.steps[-1]) < 65535
    assert (np.abs(errors(ladder)) == nearest)[unsaturated].all()


def test_there_are_fewer_levels_than_values_and_more_of_them_for_less_noise() -> None:
    counts = [len(np.unique(NoiseLadder(EDGE, fraction).table)) for fraction in FRACTIONS]
    assert counts == sorted(counts, reverse=True)
    assert counts[FRACTIONS.index(0.5)] < 1500


def test_in_the_dark_the_steps_are_those_of_read_noise() -> None:
    # 20 electrons are 10 counts: half of that is 5, and 4 * 4 + 2 less than 25.
    ladder = NoiseLadder(NoiseModel(2, 20, 100), 0.5)
    assert set(ladder.steps[:100].tolist()) == {4}
    assert ladder.table[:8].tolist() == [0, 0, 0, 4, 4, 4, 8, 8]
    # Those of a pco.edge are too small to be moved.
    assert NoiseLadder(EDGE, 0.5).table[:101].tolist() == list(range(101))


@pytest.mark.parametrize("bits", [8, 12, 14, 16])
def test_what_is_saturated_stays_so_and_nothing_else_becomes_it(noise: NoiseModel, bits: int) -> None:
    top = (1 << bits) - 1
    table = NoiseLadder(noise, 1, top).table
    assert table[0] == 0
    assert (table[top:] == VALUES[top:]).all()
    assert (table[:top] < top).all()


def poisson(electrons: float, noise: NoiseModel, seed: int = 0, n: int = 2_000_000) -> NDArray[np.uint16]:
    """Pixels of a camera whose every pixel gets so many electrons on average."""
    rng = np.random.default_rng(seed)
    counts = (rng.poisson(electrons, n) + rng.normal(0, noise.read_noise, n)) / noise.conversion_factor
    return np.rint(counts + noise.dark_offset).clip(0, 65535).astype(np.uint16)


@pytest.mark.parametrize("electrons", [10, 100, 1000, 10000])
@pytest.mark.parametrize("noise", MODELS[:3], ids=str)
@pytest.mark.parametrize("fraction", [0.5, 1])
def test_what_is_added_to_the_noise_of_photons_is_what_is_said(
    electrons: float, noise: NoiseModel, fraction: float
) -> None:
    ladder = NoiseLadder(noise, fraction)
    pixels = poisson(electrons, noise)
    moved = ladder.table[pixels].astype(float)
    variance = pixels.var()
    error = moved - pixels
    # Theory: the square of the steps, which are `fraction` of the noise at most, by 12.
    assert ladder.added_variance <= fraction**2 / 12
    assert (error**2).mean() <= 1.01 * ladder.added_variance * variance
    added = moved.var() / variance - 1
    assert added <= ladder.added_variance + 0.003
    # Steps are powers of two: half of the fraction at least, where it is more than the least of them.
    allowed = fraction * math.sqrt(variance)
    if allowed > 3:
        assert (error**2).mean() >= 0.9 * (allowed / 2) ** 2 / 12
    assert abs(error.mean()) < bias_at_most(fraction) * math.sqrt(variance)


def bias_at_most(fraction: float) -> float:
    """By how much a mean may move, as a fraction of one pixel's noise: where steps become twice as large."""
    return 0.035 * fraction**2


@pytest.mark.parametrize("fraction", [0.5, 1])
def test_means_stay_wherever_they_are(fraction: float) -> None:
    ladder = NoiseLadder(EDGE, fraction)
    noise = np.sqrt(EDGE.variance(VALUES))
    for mean in np.geomspace(110, 60000, 400):
        sigma = float(np.interp(mean, VALUES, noise))
        near = VALUES[max(0, int(mean - 7 * sigma)) : int(mean + 7 * sigma)]
        weights = np.exp(-(((near - mean) / sigma) ** 2) / 2)
        bias = float((weights * errors(ladder)[near]).sum() / weights.sum())
        assert abs(bias) < bias_at_most(fraction) * sigma


def test_shot_noise_becomes_smaller_than_without_by_a_third() -> None:
    # As bright as the simulated camera; packed as blocks are.
    pixels = poisson(500, NoiseModel(1, 0, 100), n=1 << 20)
    room = memoryview(bytearray(pixels.nbytes))
    lossless = pack(pixels, room)
    out = np.empty_like(pixels)
    NoiseLadder(NoiseModel(1, 0, 100), 0.5).apply(
        pixels.reshape(4, 512, 512), out.reshape(4, 512, 512), exact=0
    )
    assert pack(out, room) < 0.7 * lossless


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 5, 7), (2, 700, 900)])
def test_frames_are_moved_but_for_the_pixels_of_their_timestamp(shape: tuple[int, int, int]) -> None:
    ladder = NoiseLadder(NoiseModel(0.02, 3, 0), 1)
    frames = np.random.default_rng(1).integers(0, 65536, shape).astype(np.uint16)
    given, out = frames.copy(), np.zeros_like(frames)
    ladder.apply(frames, out, exact=14)
    assert (frames == given).all()
    flat, moved = frames.reshape(shape[0], -1), out.reshape(shape[0], -1)
    assert (moved[:, :14] == flat[:, :14]).all()
    assert (moved[:, 14:] == ladder.table[flat[:, 14:]]).all()
    assert flat.shape[1] <= 14 or (moved != flat).any()


def test_memory_in_which_frames_are_not_in_one_piece_is_refused() -> None:
    frames = np.zeros((2, 4, 8), np.uint16)
    for out in (np.zeros((2, 4, 16), np.uint16)[:, :, ::2], np.zeros((2, 4, 9), np.uint16)):
        with pytest.raises(ValueError, match="contiguous"):
            NoiseLadder(EDGE, 0.5).apply(frames, out, exact=0)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"conversion_factor": value} for value in (0, -0.46, math.nan, math.inf)),
        *({"read_noise": value} for value in (-1, math.nan, math.inf)),
        *({"dark_offset": value} for value in (-1, 65536, math.nan)),
    ],
    ids=str,
)
def test_a_camera_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"a (conversion factor|read noise|dark offset) of"):
        replace(EDGE, **wrong)


@pytest.mark.parametrize("fraction", [0, -1, 1.01, math.nan])
def test_a_fraction_that_makes_no_sense_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match="a fraction of"):
        NoiseLadder(EDGE, fraction)


def test_what_is_said_of_it() -> None:
    ladder = NoiseLadder(EDGE, 0.5)
    said = ladder.details()
    assert {name: said[name] for name in ("conversion_factor", "read_noise", "dark_offset")} == vars(EDGE)
    assert [said[name] for name in LOSSY] == ["shot-noise", 0.5, 64, pytest.approx(1 / 48, rel=0.01)]
    assert lossy_text(said) == (
        "shot-noise 0.5: values moved by 64 counts at most, which adds 2.1 % to the variance of their noise "
        "at most"
    )
    assert lossy_text({"conversion_factor": 0.46}) == ""
    assert lossy_text({"lossy_method": "shot-noise"}) == ""
    # Where all noise is less than a count, nothing is moved, and nothing added.
    fine = NoiseLadder(NoiseModel(1000, 0, 0), 0.1)
    assert (fine.largest_error, fine.added_variance) == (0, 0.0)
