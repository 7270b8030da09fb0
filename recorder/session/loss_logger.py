"""Losses in the log, at most a line a second."""

import logging
import math
import time

from recorder.frames.ledger import Loss

log = logging.getLogger(__name__)

INTERVAL_S = 1.0


class LossLogger:
    """Collect losses and log them in a line, at most once a second."""

    def __init__(self) -> None:
        self._unlogged: list[Loss] = []
        self._logged_s = -math.inf

    def add(self, loss: Loss) -> None:
        """Have the loss logged, at once or with the next line."""
        self._unlogged.append(loss)

    def log_if_due(self) -> None:
        """Log what there is, unless the last line is too young."""
        if time.perf_counter() - self._logged_s >= INTERVAL_S:
            self.log()

    def log(self) -> None:
        """Log in a line what was lost since the last one."""
        if not self._unlogged:
            return
        self._logged_s = time.perf_counter()
        first, last = self._unlogged[0], self._unlogged[-1]
        count = sum(loss.count for loss in self._unlogged)
        last_missing = last.first_missing + last.count - 1
        unread_ms = round(max(loss.unread_s for loss in self._unlogged) * 1e3)
        log.warning(
            "lost %d frame%s%s, counter %d%s: %s%s",
            count,
            "s" * (count > 1),
            f" in {len(self._unlogged)} places" if len(self._unlogged) > 1 else "",
            first.first_missing,
            f" to {last_missing}" if last_missing > first.first_missing else "",
            ", ".join(sorted({f"{loss.cause.plain} ({loss.cause.words})" for loss in self._unlogged})),
            f"; before, the camera was not read for {unread_ms} ms" if unread_ms else "",
        )
        self._unlogged.clear()
