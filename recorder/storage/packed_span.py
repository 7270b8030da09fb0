"""A block of frames that was packed on its way to the file."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Self

from numpy.typing import NDArray

from recorder.frames.pool import FrameSpan, Lent
from recorder.units import format_percent


class PackingFigures(NamedTuple):
    """How many chunks a file has, and how many of them `as_is`; their `bytes`, and those `stored`.

    In the others values may be moved by `largest_error` counts.
    """

    chunks: int = 0
    as_is: int = 0
    bytes: int = 0
    stored: int = 0
    largest_error: int = 0

    def with_chunk(self, size: int, stored: int, *, packed: bool) -> Self:
        """Return the figures with one more chunk of `size` bytes."""
        return self._replace(
            chunks=self.chunks + 1,
            as_is=self.as_is + (not packed),
            bytes=self.bytes + size,
            stored=self.stored + stored,
        )

    @classmethod
    def of_all(cls, figures: "Iterable[PackingFigures | None]") -> "PackingFigures | None":
        """Return the figures of several files as one: sums, and the largest error; None: there are none."""
        given = [one for one in figures if one is not None]
        if not given:
            return None
        total = cls(*map(sum, zip(*given, strict=True)))
        return total._replace(largest_error=max(one.largest_error for one in given))

    @property
    def ratio(self) -> float:
        """How much smaller the frames have become, 1 before the first."""
        return self.bytes / self.stored if self.stored else 1.0

    @property
    def share_as_is(self) -> float:
        """Fraction of the chunks that are stored as they are."""
        return self.as_is / self.chunks if self.chunks else 0.0

    def for_json(self) -> dict[str, Any]:
        """Return what the summary of a session says of it."""
        return {
            "stored": self.stored,
            "ratio": round(self.ratio, 3),
            "as_is": round(self.share_as_is, 4),
            "largest_error": self.largest_error,
        }

    def __str__(self) -> str:
        share = format_percent(self.as_is, self.chunks or 1)
        moved = f", values moved by {self.largest_error} counts at most" if self.largest_error else ""
        return f"ratio {self.ratio:.2f}, {share} of the chunks as they are{moved}"


class PackedSpan(Lent):
    """All n frames of a block, packed into `data`, whole pages: the block itself is not needed any more.

    `metadata` (n,) are the rows of the frames, `computed` what else is stored of each. `data` is valid until
    `release`, which may be called on any thread.
    """

    __slots__ = ("_give_back", "computed", "data", "file_index", "metadata")

    def __init__(
        self,
        span: FrameSpan,
        data: memoryview,
        computed: Sequence[NDArray[Any]],
        give_back: Callable[[], None],
    ) -> None:
        """Take what is stored of `span` besides its pixels."""
        self.data, self.computed, self.file_index = data, computed, span.file_index
        self.metadata: NDArray[Any] = span.metadata.copy()
        self._give_back: Callable[[], None] | None = give_back

    def __len__(self) -> int:
        return len(self.metadata)

    def __repr__(self) -> str:
        return f"<PackedSpan of {len(self)} frames, {len(self.data)} bytes>"

    def release(self) -> None:
        """Give the memory of `data` back; a second call does nothing."""
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            give_back()
