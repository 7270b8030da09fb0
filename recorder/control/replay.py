"""Carry out a journal again: the same commands at the frames, or the times, where they were given.

By frames, each command that changes frames is told from which counter on it did so then; on a camera that can
begin there exactly (the simulated one) the frames come out the same.
"""

import asyncio
from dataclasses import replace
from typing import Literal

from recorder.control.dispatcher import Dispatcher
from recorder.control.journal import Entry, Log
from recorder.control.registry import split

# Commands that change frames are given this long before they take effect, so that the camera can prepare.
LEAD_S = 1.0

# Those commands, by the first word; what ends a run took effect after its last frame.
AHEAD = {"exposure", "save"}
ENDING = {"stop", "quit"}


async def play(journal: Log, dispatch: Dispatcher, align: Literal["frame", "time"]) -> None:
    """Carry out the journal's commands on a session whose first run is under way."""
    waiting: list[asyncio.Task[None]] = []
    ended: Entry | None = None
    for entry in journal.entries:
        run = entry.run
        first_word = next(iter(split(entry.command)), "") if entry.status != "refused" else ""
        planned = entry
        if align == "time":
            planned = replace(entry, effective_number=None)
        elif first_word in ENDING and run in journal.last_numbers:
            planned = replace(entry, effective_number=journal.last_numbers[run] + 1)
        if first_word == "start" or (ended is not None and ended.run == run and entry.seq > ended.seq):
            # What belongs to the run before is done first, and what was given between two runs is after it.
            await asyncio.gather(*waiting)
            waiting.clear()
            if first_word != "start":
                await dispatch.session.stopped()
            await _carry_out(planned, dispatch, align)
            continue
        if first_word in ENDING and entry.status == "ok":
            ended = entry
        if dispatch.session.runs < run:
            await asyncio.gather(*waiting)
            waiting.clear()
        ahead = align == "frame" and (first_word in AHEAD or first_word in ENDING)
        waiting.append(asyncio.create_task(_at_its_time(planned, dispatch, align, ahead)))
        # In turn: of several commands at one frame the earlier one comes first.
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)


async def _at_its_time(
    entry: Entry, dispatch: Dispatcher, align: Literal["frame", "time"], ahead: bool
) -> None:
    run = dispatch.session.run
    if run is not None and align == "time":
        await run.timeline.delivered(1)
        await asyncio.sleep(max(0.0, entry.elapsed_s - dispatch.session.position()[2]))
    elif run is not None and entry.number:
        rate = run.description.rate if run.description else 0.0
        lead = round(min(rate, 1e5) * LEAD_S) if ahead else 0
        if entry.number > lead:
            await run.timeline.delivered(entry.number - lead)
    await _carry_out(entry, dispatch, align)


async def _carry_out(entry: Entry, dispatch: Dispatcher, align: Literal["frame", "time"]) -> None:
    await dispatch(entry.command, "replay", replayed=entry if align == "frame" else None)
