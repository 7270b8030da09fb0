"""Whether the pool can hold what is asked for before a trigger, and what a slow disk is behind besides."""

import math

from recorder.camera.base import CameraDescription
from recorder.errors import UsageError
from recorder.frames.pool import MAX_SLOTS, MIN_BLOCKS, PAGE, physical_bytes
from recorder.session.capture_window import CapturePlan
from recorder.settings.model import Settings
from recorder.units import format_bytes, format_seconds

# What the disk may be behind while the ring is full: more than it takes to make a file.
RESERVE_S = 0.25


def ring_blocks(settings: Settings, camera: CameraDescription, frames_per_block: int) -> int | None:
    """Return how many blocks of its pool a ring may hold, None where every frame is written.

    Raises UsageError where that is less than the settings want, with the size that would do.
    """
    if settings.recording.pretrigger is None:
        return None
    memory, plan = settings.pool.memory, CapturePlan.of(settings.recording, camera.rate)
    wanted = plan.frames(plan.before)
    if math.isinf(wanted):
        raise UsageError(
            f"recording.pretrigger = {format_seconds(plan.before[0])}: the camera's rate is not known; write "
            "a number of frames"
        )
    block_bytes = -(-camera.format.nbytes * frames_per_block // PAGE) * PAGE
    # A block at each end is held for some of its frames only.
    held = math.ceil(wanted / frames_per_block) + 2
    rate = 0.0 if math.isinf(camera.rate) else camera.rate
    reserve = max(MIN_BLOCKS, math.ceil(rate * RESERVE_S / frames_per_block))
    most = MAX_SLOTS // frames_per_block
    if held + reserve > most:
        frames = max(0, most - reserve - 2) * frames_per_block
        raise UsageError(
            f"recording.pretrigger: {wanted:.0f} frames of this size are more than memory can hold; "
            f"{frames} can be"
        )
    needed = (held + reserve) * block_bytes
    blocks = max(MIN_BLOCKS, min(memory // block_bytes, most))
    if held + reserve > blocks:
        frames = max(0, blocks - reserve - 2) * frames_per_block
        there = f"{frames} frames" if plan.before[1] == "frames" else f"{frames * plan.period_s:.2g} s"
        raise UsageError(
            f"recording.pretrigger: {wanted:.0f} frames, and what the disk may be behind, take "
            f"{needed / 1e9:.2f} GB, and pool.memory = {format_bytes(memory)} holds {there}; "
            f"{_advice(needed)}"
        )
    return blocks - reserve


def _advice(needed: int) -> str:
    machine = physical_bytes()
    if needed > machine:
        return f"this machine has {machine / 1e9:.0f} GB: hold less"
    size = f"{-(-needed // 10**7) * 10}MB" if needed < 10**9 else f"{-(-needed // 10**8) / 10:.1f}GB"
    return f'set pool.memory = "{size}"'
