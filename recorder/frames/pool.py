"""The pool of preallocated blocks, the only bound on memory, and the counted leases on them.

    free ──take()──► being filled ──FrameSpan(start, stop)──► writer, preview, ... ──release()──► free

A block has the size and shape of one HDF5 chunk: k frames, page-aligned, with a row of metadata for each.
A span is some of its frames under one lease; a block returns to the pool with its last lease.
"""

import math
import mmap
import os
import threading
import warnings
from abc import ABC, abstractmethod
from collections import Counter, deque
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recorder.errors import UsageError
from recorder.frames.metadata import METADATA

PAGE = 4096

# Owner of the leases of spans that wait to be written. When no block is free, the owner of most leases is the
# cause.
WRITER = "writer"

# Owner of those of frames that wait for a trigger: as many as ever, they are no cause of anything.
RING = "ring"

# A direct write of 4 MiB and more gets all of the disk's rate, one of 128 KiB half of it; see decision 2.
BLOCK_BYTES = 8 * 2**20

# Time in which a block should fill at the rate expected, so that most blocks are written once and whole.
# Less than the time after which the camera thread publishes a block that is not full.
BLOCK_SECONDS = 0.06

# Below this many blocks there is one for the camera, one for the disk, and none to cover a pause.
MIN_BLOCKS = 4

# Each frame in the pool costs about 300 bytes besides its pixels; with these bounds that is 40 MB at most,
# also for frames of a few pixels.
MAX_FRAMES = 4096
MAX_SLOTS = 131_072


@dataclass(frozen=True)
class FrameFormat:
    """Height and width in pixels, and the type of one pixel."""

    height: int
    width: int
    dtype: np.dtype[Any]

    @property
    def nbytes(self) -> int:
        """Bytes of one frame's pixels."""
        return self.height * self.width * self.dtype.itemsize

    def frames_per_block(self, rate: float) -> int:
        """Return how many frames a block holds, for an expected `rate` in frames/s (inf: free running)."""
        by_size = max(1, min(MAX_FRAMES, BLOCK_BYTES // self.nbytes))
        return by_size if math.isinf(rate) else max(1, min(by_size, int(rate * BLOCK_SECONDS)))


@dataclass(frozen=True)
class PoolStatistics:
    """Counts of blocks, `lowest_free` since the start, and the camera thread's waits for a free one.

    `waits` is how often it waited, `waited_s` for how long in all; `held` blocks wait for a trigger.
    """

    blocks: int
    free: int
    lowest_free: int
    waits: int
    waited_s: float
    held: int = 0

    @property
    def fill(self) -> float:
        """Fraction of the blocks in use, 0 to 1, of those that are not held for a trigger anyway."""
        used = self.blocks - self.free - self.held
        return max(0, used) / max(1, self.blocks - self.held)


class Block:
    """Memory for k frames: `pixels` (k, H, W), `metadata` (k,), and all of it as `memory`, page-aligned.

    `slots` are k views (H, W) of the pixels. Whoever has a lease may read the frames of its span; the camera
    thread alone writes.
    """

    __slots__ = ("_leases", "_pool", "memory", "metadata", "pixels", "slots")

    def __init__(self, pool: "Pool", memory: memoryview, frames: int) -> None:
        form = pool.format
        self.memory = memory
        shape = (frames, form.height, form.width)
        self.pixels: NDArray[Any] = np.frombuffer(memory, form.dtype, math.prod(shape)).reshape(shape)
        self.metadata: NDArray[Any] = np.zeros(frames, METADATA)
        # Views made once: making one for each frame would cost more than recording a small frame.
        self.slots = list(self.pixels)
        self._pool = pool
        self._leases = 0

    def __repr__(self) -> str:
        return f"<Block of {len(self.slots)} frames, {self._leases} leases>"


class Lent(ABC):
    """What is given back by `release`, or at the end of `with`."""

    __slots__ = ()

    @abstractmethod
    def release(self) -> None:
        """Give it back; a second call does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class BlockLease(Lent):
    """The right to use `block`, held by `owner` until `release` or the end of `with`; for any thread.

    One that is garbage collected before its release warns with a ResourceWarning and is released.
    """

    __slots__ = ("_open", "block", "owner")

    def __init__(self, block: Block, owner: str) -> None:
        self.block, self.owner = block, owner
        self._open = True
        block._pool._lend(block, owner)

    def __repr__(self) -> str:
        state = "open" if self._open else "released"
        return f"<{type(self).__name__}{self._frames()} for {self.owner}, {state}>"

    def _frames(self) -> str:
        return ""

    def release(self) -> None:
        """Give the lease back; the block is free with its last lease. A second call does nothing."""
        if self._open:
            self._open = False
            self.block._pool._give_back(self.block, self.owner)

    def __del__(self) -> None:
        if self._open:
            warnings.warn(f"nobody gave back {self!r}", ResourceWarning, stacklevel=2)
            self.release()


class FrameSpan(BlockLease):
    """Frames [start, stop) of a block under one lease.

    `file_index` is the session's file that the frames belong to; a block never holds frames of two files.
    """

    __slots__ = ("file_index", "start", "stop")

    def __init__(self, block: Block, start: int, stop: int, owner: str, file_index: int = 0) -> None:
        self.start, self.stop, self.file_index = start, stop, file_index
        super().__init__(block, owner)

    def __len__(self) -> int:
        return self.stop - self.start

    def _frames(self) -> str:
        return f" [{self.start}:{self.stop}]"

    @property
    def pixels(self) -> NDArray[Any]:
        """The pixels (n, H, W), a view, valid until the lease is released."""
        return self.block.pixels[self.start : self.stop]

    @property
    def metadata(self) -> NDArray[Any]:
        """The rows of metadata (n,), a view, valid until the lease is released."""
        return self.block.metadata[self.start : self.stop]

    def pool_fill(self) -> float:
        """Return which fraction of the pool's blocks is in use, 0 to 1."""
        return self.block._pool.statistics().fill

    def part(self, start: int, stop: int, owner: str, file_index: int) -> "FrameSpan":
        """Return a lease on frames [start, stop) of the span, counted from its first, for another file."""
        return FrameSpan(self.block, self.start + start, self.start + stop, owner, file_index)

    def share(self, owner: str) -> "FrameSpan":
        """Return another lease on the same frames, held by `owner`."""
        return FrameSpan(self.block, self.start, self.stop, owner, self.file_index)


def physical_bytes() -> float:
    """Return the memory of this machine in bytes, inf where the system does not report it."""
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError, OSError):  # Windows
        return math.inf


class Pool:
    """Preallocated blocks of `frames` frames each, in `memory` bytes, but at least `MIN_BLOCKS` of them.

    Making one blocks while its memory is touched, and raises UsageError where there is not enough. Every
    method may be called on any thread; only `take` waits.
    """

    def __init__(self, form: FrameFormat, frames: int, memory: int) -> None:
        self.format, self.frames_per_block = form, frames
        self.block_bytes = -(-form.nbytes * frames // PAGE) * PAGE
        count = max(MIN_BLOCKS, min(memory // self.block_bytes, MAX_SLOTS // frames))
        size = count * self.block_bytes
        if size > physical_bytes():
            raise UsageError(f"pool.memory: {size / 1e9:.1f} GB are more than this machine has")
        try:
            self._arena = mmap.mmap(-1, size)
        except (OSError, OverflowError) as error:
            raise UsageError(f"pool.memory: {size / 1e9:.1f} GB are not to be had: {error}") from None
        # The first touch of fresh memory runs at a fraction of the speed of the second: touch it now.
        np.frombuffer(self._arena, np.uint8)[::PAGE] = 0
        whole = memoryview(self._arena)
        size = self.block_bytes
        self._free = deque(Block(self, whole[i * size : (i + 1) * size], frames) for i in range(count))
        self._count = count
        self._lowest = count
        self._waits = 0
        self._waited_s = 0.0
        self.held = 0  # by a ring, as it says; read on any thread
        self._owners: Counter[str] = Counter()
        self._changed = threading.Condition()

    def take(self, owner: str, timeout_s: float) -> BlockLease | None:
        """Return a lease on a free block, waiting up to `timeout_s`; None where no block is free by then.

        The block is in use until this lease and those of all its spans are released.
        """
        with self._changed:
            if not self._free:
                self._changed.wait_for(lambda: len(self._free) > 0, timeout_s)
            if not self._free:
                return None
            block = self._free.popleft()
            self._lowest = min(self._lowest, len(self._free))
            return BlockLease(block, owner)

    def count_wait(self, seconds: float, *, again: bool) -> None:
        """Count that the camera thread waited for a free block; `again`: still for the same one."""
        with self._changed:
            self._waits += not again
            self._waited_s += seconds

    def largest_holder(self) -> str:
        """Return the owner that holds most leases besides the ring, "" where nobody ever had one."""
        with self._changed:
            return max((o for o in self._owners if o != RING), key=self._owners.__getitem__, default="")

    def statistics(self) -> PoolStatistics:
        """Return the current counts."""
        with self._changed:
            free = len(self._free)
            return PoolStatistics(self._count, free, self._lowest, self._waits, self._waited_s, self.held)

    def leases(self) -> int:
        """Return how many leases are not released yet."""
        with self._changed:
            return self._owners.total()

    def _lend(self, block: Block, owner: str) -> None:
        with self._changed:
            block._leases += 1
            self._owners[owner] += 1

    def _give_back(self, block: Block, owner: str) -> None:
        with self._changed:
            block._leases -= 1
            self._owners[owner] -= 1
            if block._leases == 0:
                self._free.append(block)
                self._changed.notify()

    def __repr__(self) -> str:
        return f"<Pool {len(self._free)}/{self._count} free, {self.leases()} leases>"
