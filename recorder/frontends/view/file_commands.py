"""The commands that a page of a file has: those of the picture, and a snapshot of the frame shown."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

# Registers the commands.
from recorder.control import view_commands as _view_commands  # noqa: F401
from recorder.control.command_types import Conversation
from recorder.control.permissions import is_plain_name
from recorder.control.registry import COMMANDS, find_command, parse, split
from recorder.errors import RecorderError, UsageError
from recorder.files.export.plan import bits_of, pixel_size_um
from recorder.files.opened.recording import OpenedRecording
from recorder.frames.region_means import Box
from recorder.preview import snapshot
from recorder.preview.live import Preview
from recorder.storage.atomic_file import new_file


@dataclass(frozen=True)
class FileCommands:
    """Carries out lines on a file; as a `PictureContext`, on the event loop's thread.

    `regions` sets those, `index` is the frame shown, `change` is called after each command.
    """

    recording: OpenedRecording
    preview: Preview
    regions: Callable[[Mapping[str, Box]], Awaitable[str]]
    index: Callable[[], int]
    change: Callable[[], None]

    is_replay = False

    @property
    def frame(self) -> Box | None:
        """Where on the sensor the frames are."""
        (x, y), (_, height, width) = self.preview.origin, self.recording.frames.shape
        return x, y, x + width, y + height

    async def set_regions(self, regions: Mapping[str, Box]) -> str:
        """Have these regions from now on; raises UsageError."""
        return await self.regions(regions)

    async def execute(self, line: str, conversation: Conversation) -> dict[str, Any]:
        """Carry out a line of a display, and return the fields of a CommandResult."""
        del conversation
        try:
            message = await self._carry_out(line)
        except UsageError as error:
            return {"status": "refused", "message": str(error)}
        except RecorderError as error:
            return {"status": "failed", "message": str(error)}
        finally:
            self.change()
        return {"status": "ok", "message": message}

    async def _carry_out(self, line: str) -> str:
        words = split(line)
        if words[:1] == ["snapshot"]:
            return await self._snapshot(*words[1:2])
        found = find_command(line)
        if words and (found is None or not found.for_pictures):
            there = ", ".join(sorted(name for name, known in COMMANDS.items() if known.for_pictures))
            raise UsageError(f"{words[0][:80]}: not on a recording in a file, which has snapshot, {there}")
        parsed = parse(line)
        return (await parsed.execute(self)).message if parsed else ""

    async def _snapshot(self, name: str = "") -> str:
        """Write the frame shown into the recording's folder; raises UsageError, StorageError."""
        if name and not is_plain_name(name):
            raise UsageError(f"snapshot {name}: write a name without folders, such as eye.tif")
        recording, index = self.recording, self.index()
        if not 0 <= index < len(recording):
            raise UsageError("snapshot: no frame is shown")
        number = int(recording.frame_number[index])
        beside = recording.files[0].path
        path = beside.with_name(name or f"{beside.stem}_frame{number}.tif")
        snapshot.check_name(path)
        await asyncio.to_thread(self._write, index, number, path)
        return f"frame with counter {number} in {path}"

    def _write(self, index: int, number: int, path: Path) -> None:
        recording, preview = self.recording, self.preview
        start = recording.utc[index]
        utc = None if np.isnat(start) else datetime.fromtimestamp(float(start.astype(np.int64)) * 1e-9, UTC)
        taken = snapshot.TakenFrame(recording.frames[index], number, float(recording.exposure[index]), utc)
        size_um = pixel_size_um(recording)
        size_m = (size_um[0] * 1e-6, size_um[1] * 1e-6) if size_um else None
        with new_file(path) as file:
            levels, bits = preview.levels, bits_of(recording)
            snapshot.write(taken, file, path.suffix, levels, bits, preview.gamma, size_m)
