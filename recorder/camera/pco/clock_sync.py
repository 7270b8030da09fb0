"""By what a camera's clock and timing are synchronised, as its frames tell. Used on the camera thread."""

from collections.abc import Callable

# PCO_METADATA_STRUCT (sc2_common.h): bIMAGE_TIME_STATUS, and bSYNC_STATUS.
CLOCKS = {0: "its own oscillator", 1: "IRIG", 2: "a master camera"}
LOCKS = {0: "not locked", 1: "locked"}

# So many changes of a run are told one by one: a loose cable would fill the file with them.
MAX_TOLD = 100


class ClockSync:
    """Tell `notify` of each change, with the camera's counter of the frame from which on it holds.

    A camera is expected to begin with its own oscillator. Whether it is locked to a signal is told, and lock
    expected, where it is `synchronized` only: on older cameras that byte was the alignment of the bits.
    """

    def __init__(self, notify: Callable[[str], None], *, synchronized: bool = False) -> None:
        self._notify = notify
        self._synchronized = synchronized
        # (bIMAGE_TIME_STATUS, bSYNC_STATUS) of the frame before.
        self.state = (0, int(synchronized))
        self._told = 0

    def change(self, number: int, state: tuple[int, int]) -> None:
        """Take the state of frame `number`, which is another one than `state`."""
        (clock_before, lock_before), (clock, lock) = self.state, state
        self.state = state
        parts = []
        if clock != clock_before:
            parts.append(f"the camera's clock follows {CLOCKS.get(clock, f'source {clock}')}")
        if lock != lock_before and self._synchronized:
            parts.append(f"the camera is {LOCKS.get(lock, f'in state {lock}')} to the external signal")
        if not parts or self._told == MAX_TOLD:
            return
        self._told += 1
        last = "; further changes of this run are not told" if self._told == MAX_TOLD else ""
        self._notify(f"from number {number} on {' and '.join(parts)}{last}")
