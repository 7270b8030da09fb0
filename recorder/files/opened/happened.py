"""What happened while a recording was made, as arrays."""

from collections.abc import Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recorder.files.opened.contents import Contents, RecordedFile
from recorder.files.opened.file_times import offsets_of
from recorder.files.opened.signals import Signal, ask_signals, joined_signals
from recorder.files.opened.tables import joined, standing
from recorder.files.probe import probing


class Happened:
    """Arrays with named columns; pandas.DataFrame(rec.marks) takes them as they are."""

    contents: tuple[Contents, ...]

    @cached_property
    def files(self) -> tuple[RecordedFile, ...]:
        """The files, in the order of their frames."""
        firsts = np.cumsum([0, *(file.frames for file in self.contents)])
        return tuple(
            RecordedFile(
                file.path,
                int(first),
                file.frames,
                file.start,
                file.verdict,
                str(file.values.get("cause", "")),
            )
            for file, first in zip(self.contents, firsts[:-1], strict=True)
        )

    @cached_property
    def marks(self) -> NDArray[np.void]:
        """The marks that were not taken back: frame, elapsed_s, label, text, source, number.

        `frame` is an index into `frames` (-1: its frame is not there), `number` the camera's counter,
        `elapsed_s` the moment in s after the first frame of its file.
        """
        return standing(self._table("marks"))

    @cached_property
    def losses(self) -> NDArray[np.void]:
        """The gaps: after_frame, count, cause, elapsed_s, first_missing, unread_s.

        `count` frames are missing behind index `after_frame` (-1: before the first).
        """
        return self._table("losses")

    @cached_property
    def commands(self) -> NDArray[np.void]:
        """The commands, as the journal has them: seq, time, frame, source, command, status, message, ..."""
        return self._table("commands")

    @cached_property
    def analysis(self) -> NDArray[np.void]:
        """What the user's own function returned: frame, frame_number, name, value."""
        return self._table("analysis")

    @cached_property
    def signals(self) -> Mapping[str, Signal]:
        """What was measured beside the frames, by name, with `time` (n,), `frame` (n,) and `values` (n, k).

        `signals["lick"].time` is on the axis of `time`. They are read when they are asked for. Raises
        UsageError where rows of one name have more numbers in one file than in another.
        """
        places = zip(self.contents, offsets_of(self.contents), self.files, strict=True)
        with probing() as probe:
            return joined_signals(
                [
                    {name: signal.later(offset, entry.first) for name, signal in found.items()}
                    for file, offset, entry in places
                    if file.signal_rows
                    for found in (ask_signals(file.path, probe, file.signal_rows),)
                ]
            )

    def _table(self, name: str) -> NDArray[np.void]:
        parts = []
        for file, entry in zip(self.contents, self.files, strict=True):
            part = file.tables[name].copy()
            for column in {"frame", "effective_frame", "after_frame"} & set(part.dtype.names or ()):
                # Before the first frame of a later file is behind the last one of that before it.
                is_there = part[column] >= (-1 if column == "after_frame" else 0)
                part[column][is_there] += entry.first
            parts.append(part)
        return joined(parts)
