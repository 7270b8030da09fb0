"""Replay a journal: the same commands at the frames, or at the times, where they were given.

By frames, each command that changes frames is given the counter from which on it took effect then; on a
camera that can begin exactly there (the simulated one) the frames come out the same.
"""

import asyncio
import logging
from collections.abc import Collection
from dataclasses import replace
from typing import Literal

from recorder.control.command_types import REPLAY
from recorder.control.dispatcher import Dispatcher
from recorder.control.journal import JournalContents, JournalEntry
from recorder.control.registry import find_command
from recorder.settings.model import Settings, validate

log = logging.getLogger(__name__)

# Commands that change frames are given this long before they take effect, so that the camera can prepare.
LEAD_S = 1.0


# What a journal, which may come from elsewhere, opens and runs on this computer only where it is asked for.
LEFT_OUT = {
    "analysis": ("analysis.function", "analysis.options"),
    "remote": ("remote.listen",),
    "page": ("preview.web", "preview.window"),
}

# What called for captures then: they are in the journal, as commands.
REPEATED = ("analysis.trigger", "recording.capture_input")

# A journal has none of these, and a password that others know would be none.
TOKENS = ("remote.token", "preview.token")


def settings_for_replay(settings: Settings, wanted: Collection[str]) -> tuple[Settings, tuple[str, ...]]:
    """Return a journal's settings as far as they describe the recording, and the keys that were left out.

    `wanted` are the parts of `LEFT_OUT` to keep all the same. Passwords are never kept, and not told.
    """
    tree, defaults = settings.model_dump(exclude_none=True), Settings().model_dump(exclude_none=True)
    unwanted = [key for part, keys in LEFT_OUT.items() if part not in wanted for key in keys]
    gone = []
    for key in (*REPEATED, *unwanted, *TOKENS):
        section, _, name = key.partition(".")
        value = tree[section].pop(name, None)
        if key in unwanted and value != defaults[section].get(name):
            gone.append(key)
    return validate(tree), tuple(gone)


async def replay_journal(
    journal: JournalContents, dispatch: Dispatcher, align: Literal["frame", "time"]
) -> None:
    """Carry out the journal's commands on a session whose first run is under way; return after the last.

    What was refused is left out; what is refused now is logged. `align`: at the same frames (camera's
    counter), or at the same time after the first frame of the run.
    """
    if journal.streamed:
        log.warning(
            "%d rows of signals that were streamed are not repeated: no journal has them", journal.streamed
        )
    waiting: list[asyncio.Task[None]] = []
    ended: JournalEntry | None = None
    for entry in journal.entries:
        if entry.status == "refused":
            # It changed nothing then, and might do so now: a program's quit is refused, a replay's is not.
            continue
        run = entry.run
        command = find_command(entry.command)
        ends_run = command is not None and command.ends_run
        starts_run = command is not None and command.name == "start"
        planned = entry
        if align == "time":
            planned = replace(entry, effective_number=None)
        elif ends_run and run in journal.last_numbers:
            planned = replace(entry, effective_number=journal.last_numbers[run] + 1)
        if starts_run or (ended is not None and ended.run == run and entry.seq > ended.seq):
            # Commands of the run before are done first; those that were given between two runs come after it.
            await asyncio.gather(*waiting)
            waiting.clear()
            if not starts_run:
                await dispatch.session.stopped()
            await _execute(planned, dispatch, align)
            continue
        if ends_run and entry.status == "ok":
            ended = entry
        if dispatch.session.runs < run:
            await asyncio.gather(*waiting)
            waiting.clear()
        ahead = align == "frame" and command is not None and (command.changes_frames or ends_run)
        waiting.append(asyncio.create_task(_at_its_time(planned, dispatch, align, ahead)))
        # Begin them in turn: of several commands at one frame the earlier one comes first.
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)


async def _at_its_time(
    entry: JournalEntry, dispatch: Dispatcher, align: Literal["frame", "time"], ahead: bool
) -> None:
    run = dispatch.session.run
    if run is not None and align == "time":
        await run.timeline.delivered(1)
        await asyncio.sleep(max(0.0, entry.elapsed_s - dispatch.session.position()[1]))
    elif run is not None and entry.number:
        rate = run.description.rate if run.description else 0.0
        lead = round(min(rate, 1e5) * LEAD_S) if ahead else 0
        if entry.number > lead:
            await run.timeline.delivered(entry.number - lead)
    await _execute(entry, dispatch, align)


async def _execute(entry: JournalEntry, dispatch: Dispatcher, align: Literal["frame", "time"]) -> None:
    result = await dispatch.execute(entry.command, REPLAY, replayed=entry if align == "frame" else None)
    if result is not None and result.status == "refused":
        log.warning("%s: %s: %s", entry.command, result.status, result.message)
