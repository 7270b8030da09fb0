"""How captures stand, for people."""

from dataclasses import dataclass


@dataclass(frozen=True)
class CaptureFigures:
    """`held_frames`, which came over `held_s`, of those `wanted`; `done` captures of `limit` (0: no limit).

    `under_way` is how many frames the one under way has, None where there is none.
    """

    held_frames: int
    held_s: float
    wanted: str
    done: int
    limit: int
    under_way: int | None

    def __str__(self) -> str:
        count = f"{self.done} of {self.limit}" if self.limit else f"{self.done}"
        done = f"{count} capture{'s' * (self.done != 1)}"
        if self.under_way is not None:
            return f"capturing, {self.under_way} frames so far; {done}"
        return f"armed: {self.held_text} held of {self.wanted}; {done}"

    @property
    def held_text(self) -> str:
        """What is held, in the unit of what is wanted."""
        is_time = not self.wanted.endswith("frames")
        return f"{self.held_s:.1f} s" if is_time else f"{self.held_frames} frames"
