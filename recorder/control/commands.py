"""The commands of the console, each one typed function."""

import asyncio
import math
from pathlib import Path
from typing import Literal

from recorder.control.dispatcher import Call, Reply
from recorder.control.registry import COMMANDS, Key, Number, Seconds, Word, command, parse, whole_number
from recorder.errors import CameraError, UsageError, did_you_mean
from recorder.session.run import Run
from recorder.session.session import Session
from recorder.session.status import FinishReason, State
from recorder.units import format_seconds, parse_seconds

SLOWEST_PREVIEW = 0.1

# What the file's rows hold of a label, in bytes.
MAX_LABEL = 64


@command
async def help_(call: Call, name: Word = "", name2: Word = "") -> Reply:
    """List the commands, or tell how to write one."""
    del call
    full = f"{name} {name2}".strip()
    if not full:
        width = max(map(len, COMMANDS))
        lines = (f"{name:{width}}  {known.summary.splitlines()[0]}" for name, known in COMMANDS.items())
        return Reply("\n".join(["help COMMAND tells how to write one", *lines]))
    found = [known for known in COMMANDS.values() if known.name == full or known.name.split()[0] == full]
    if not found:
        raise UsageError(f'no command "{full[:80]}"{did_you_mean(full, COMMANDS)}')
    return Reply("\n".join(f"{known.usage}\n    {known.summary}" for known in found))


@command
async def status(call: Call) -> Reply:
    """Tell state, file, frames, losses, exposure, temperature and room on the disk."""
    session = call.session
    figures = session.statistics()
    if figures is None or figures.link is None:
        return Reply("idle" if figures is None else figures.state.value)
    link = figures.link
    saving = f"saving {figures.path} ({figures.mode})" if figures.path else "saving nothing"
    seen = session.preview.latest
    picture = f"; frame {seen.number}: {seen.least} to {seen.greatest}, mean {seen.mean:.0f}" if seen else ""
    parts = [
        f"{figures.state.value}, {saving}",
        f"{figures.frames} frames {'written' if figures.path else 'not written'}, {link.frames} delivered, "
        f"{figures.lost} lost",
        f"{figures.rate:.1f} frames/s, {figures.rate * figures.frame_bytes / 1e6:.0f} MB/s",
        f"exposure {'not told' if math.isnan(link.exposure_s) else format_seconds(link.exposure_s)}",
        f"sensor {'not told' if math.isnan(link.temperature_c) else f'{link.temperature_c:.1f} °C'}",
        f"pool {figures.pool.fill if figures.pool else 0:.0%}",
        f"longest pause of the camera thread {link.longest_pause_s * 1e3:.1f} ms",
        f"longest write {figures.writer.longest_write_s * 1e3 if figures.writer else 0:.1f} ms",
        *([f"disk {figures.free_bytes / 1e9:.1f} GB free"] if figures.path else []),
        f"preview {'on' if session.preview.on else 'off'}{picture}",
    ]
    if (analysis := session.analysis) is not None:
        found = ", ".join(f"{name} {value:g}" for name, value in analysis.latest.items()) or "nothing yet"
        errors = f", {analysis.errors} errors" if analysis.errors else ""
        parts.append(f"analysis {found}{errors}{', switched off' if analysis.given_up else ''}")
    return Reply("; ".join(parts))


@command
async def preview(call: Call, state: Literal["on", "off", "toggle"]) -> Reply:
    """Switch the preview; recording never notices."""
    on = not call.session.preview.on if state == "toggle" else state == "on"
    call.session.preview.switch(on)
    return Reply(f"preview {'on' if on else 'off'}")


@command
async def preview_rate(call: Call, rate: Number) -> Reply:
    """Show at most RATE pictures a second."""
    if rate < SLOWEST_PREVIEW:
        raise UsageError(
            f"preview rate = {rate:g}: at least {SLOWEST_PREVIEW:g} pictures a second; or preview off"
        )
    call.session.preview.rate = rate
    return Reply(f"preview at {rate:g}/s")


@command
async def preview_levels(call: Call, low: Word, high: Word = "") -> Reply:
    """Show LOW as black and HIGH as white; `preview levels auto` follows the picture, `full` takes all."""
    if low in {"auto", "full"} and not high:
        call.session.preview.levels = "auto" if low == "auto" else "full"
        return Reply(f"levels {low}")
    if not (low.isdecimal() and high.isdecimal() and int(low) < int(high) <= 65535):
        raise UsageError(
            "preview levels: write auto, full, or two numbers LOW HIGH from 0 to 65535, the lower first"
        )
    call.session.preview.levels = (int(low), int(high))
    return Reply(f"levels {low} to {high}")


@command
async def exposure(call: Call, time: Seconds) -> Reply:
    """Expose each frame for TIME from now on, for example exposure 5ms."""
    if not call.session.running:
        call.session.set("camera.exposure", format_seconds(time))
        return Reply(f"exposure {format_seconds(time)} from the next start on")
    actual, frame = await call.session.expose(time, call.first)
    shown = f"exposure {format_seconds(actual)}"
    if frame is None and not call.session.frames_tell_exposure:
        return Reply(f"{shown}; this camera's frames do not tell from which one on")
    if frame is None:
        return Reply(f"{shown}; no frame has shown it yet")
    return Reply(f"{shown} from frame {frame.index} on", frame)


@command
async def mark(call: Call, label: Word, *text: Word) -> Reply:
    """Mark the frame being exposed now with LABEL, and TEXT if you like."""
    if len(label.encode()) > MAX_LABEL:
        raise UsageError(f"mark: a label of {len(label)} characters; the longest has {MAX_LABEL}")
    frame = await call.session.mark(label, " ".join(text), call.source, call.entered_ns, call.first)
    if frame is None:
        return Reply(f"mark {label}; its frame is known once the camera's memory is read out")
    return Reply(f"mark {label} on frame {frame.index}", frame)


@command
async def note(call: Call, *text: Word) -> Reply:
    """Write TEXT into the journal and the file."""
    del call
    if not text:
        raise UsageError("note: TEXT is missing; write: note TEXT...")
    return Reply("noted")


@command
async def save(call: Call, state: Literal["on", "off"]) -> Reply:
    """Write frames into a new file from now on, or go on without writing any."""
    path, number = await call.session.save(state == "on", None, call.first)
    return Reply(f"saving {path}" if path else "saving nothing", number=number)


@command
async def save_new(call: Call, name: Word = "") -> Reply:
    """Go on in the next file, called NAME if you like; no frame is lost between."""
    path, number = await call.session.save(True, name or None, call.first)
    return Reply(f"saving {path}{'' if call.session.running else ' from the next start on'}", number=number)


@command
async def snapshot(call: Call, path: Word = "") -> Reply:
    """Write the next frame to PATH: .tif with all its bits, .png as seen."""
    where, number = await call.session.snapshot(Path(path) if path else None)
    return Reply(f"frame with counter {number} in {where}")


@command
async def trigger(call: Call) -> Reply:
    """Expose one frame now, where the camera waits for software triggers."""
    await call.session.trigger()
    return Reply("triggered")


@command
async def start(call: Call) -> Reply:
    """Begin a run, into a new file."""
    session = call.session
    await session.start()
    if session.run is None or session.run.state is State.CLOSED:
        ended = await session.stopped()
        if ended is not None and ended.verdict == "failed" and not ended.frames:
            raise CameraError(ended.cause)
        return Reply("started, and ended at once")
    path = session.run.file.path if session.run.file else None
    return Reply(f"started, saving {path}" if path else "started, saving nothing; save on writes a file")


@command
async def stop(call: Call) -> Reply:
    """Stop the camera, write all that was exposed, and close the file."""
    session = call.session
    if not session.running:
        raise UsageError("not running; start comes first")
    session.stop(FinishReason.STOPPED, call.first)
    return Reply("stopping", number=call.first, then=session.stopped)


@command
async def set_(call: Call, key: Key, *value: Word) -> Reply:
    """Change a setting for the next run, for example set camera.rate 50."""
    if not value:
        raise UsageError("set: VALUE is missing; write: set KEY VALUE")
    text = " ".join(value)
    call.session.set(key, text)
    return Reply(f"{key} = {text} from the next start on")


@command
async def at(call: Call, when: Word, *line: Word) -> Reply:
    """Carry out LINE later: at 2s LINE after the first frame, at frame 500 LINE on a counter."""
    words = list(line)
    frame: int | None = None
    seconds = 0.0
    if when == "frame":
        try:
            frame = whole_number(words.pop(0) if words else "")
        except ValueError as error:
            raise UsageError(f"at frame: {error}; write: at frame 500 LINE") from None
    else:
        try:
            seconds = parse_seconds(when)
        except ValueError as error:
            raise UsageError(f'at when = "{when[:80]}": {error}; or write: at frame 500 LINE') from None
    text = " ".join(f'"{word}"' if " " in word else word for word in words)
    parsed = parse(text)
    if parsed is None:
        raise UsageError("at: LINE is missing; write: at 2s LINE, or: at frame 500 LINE")
    run = call.session.run
    if run is None or not call.session.running:
        raise UsageError("not running; start comes first")
    if call.source != "replay":
        # A replay has the line itself, with the frame it took effect on.
        call.dispatch.later(_moment(call.session, run, seconds, frame), text, call.source)
    return Reply(f"at {when}{'' if frame is None else f' {frame}'}: {text}")


async def _moment(session: Session, run: Run, seconds: float, frame: int | None) -> None:
    if frame is not None:
        await run.timeline.delivered(frame)
        return
    await run.timeline.delivered(1)
    await asyncio.sleep(max(0.0, seconds - session.position()[2]))


@command
async def wait(call: Call, time: Seconds) -> Reply:
    """Let TIME pass before the next line of a script."""
    if call.source != "replay":
        await asyncio.sleep(time)
    return Reply()


@command
async def quit_(call: Call) -> Reply:
    """Stop, close the file and leave."""
    session = call.session

    async def leave() -> None:
        await session.stopped()
        session.leaving.set()

    session.stop(FinishReason.STOPPED, call.first)
    return Reply("leaving", number=call.first, then=leave)
