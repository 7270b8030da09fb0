"""The commands of the console, each one typed function; its docstring is the help that the operator sees.

A command raises UsageError where it is refused, and another RecorderError where it fails.
"""

from pathlib import Path
from typing import Annotated, Literal

# They register their commands.
from recorder.control import capture_commands as _capture_commands  # noqa: F401
from recorder.control import mark_commands as _mark_commands  # noqa: F401
from recorder.control import metadata_commands as _metadata_commands  # noqa: F401
from recorder.control import schedule_commands as _schedule_commands  # noqa: F401
from recorder.control import signal_commands as _signal_commands  # noqa: F401
from recorder.control.command_types import CommandContext, CommandReply
from recorder.control.help_text import described, help_lines, help_table
from recorder.control.permissions import changed_keys, check_keys, is_plain_name
from recorder.control.registry import (
    COMMANDS,
    CommandName,
    Key,
    Meanings,
    Number,
    Seconds,
    Word,
    command,
    unaliased,
)
from recorder.control.status_text import (
    exposure_text,
    rate_text,
    saving_text,
    status_line,
    status_table,
    value_with_unit,
)
from recorder.control.turns import Turn
from recorder.errors import CameraError, UsageError, did_you_mean
from recorder.session.status import FinishReason, State
from recorder.settings.model import override
from recorder.units import format_seconds

SLOWEST_PREVIEW = 0.1

# So long an exposure, and so many times the one of a running camera, may be a slip: 20s for 20ms.
LONG_S = 1.0
SUSPECT = 20

Switch = Annotated[
    Literal["on", "off", "toggle"],
    Meanings(on="show the latest frame", off="show none", toggle="on where it is off, off where it is on"),
]
Now = Annotated[Literal["now"], Meanings(now="without a question")]
Saving = Annotated[
    Literal["on", "off"], Meanings(on="write frames into a new file", off="go on without writing any")
]

# Who mistypes, and can answer; programs mean what they send.
PEOPLE = frozenset({"console", "page"})


@command(turn=Turn.AT_ONCE)
async def help_(context: CommandContext, *name: CommandName) -> CommandReply:
    """List the commands, or show how to write one, and what it does."""
    del context
    full = " ".join(unaliased(list(name)))
    if not full:
        return CommandReply(help_lines(), table=help_table(), only_tells=True)
    found = [known for known in COMMANDS.values() if known.name == full or known.name.split()[0] == full]
    if not found:
        raise UsageError(f'no command "{full[:80]}"{did_you_mean(full, COMMANDS)}')
    return CommandReply(described(found), only_tells=True)


@command(turn=Turn.AT_ONCE)
async def status(context: CommandContext) -> CommandReply:
    """Show state, file, frames, losses, exposure, temperature and free room on the disk."""
    table = status_table(context.session)
    if table and (planned := len(context.plan.lines)):
        table += (("planned", f"{planned} line{'s' * (planned > 1)}; at list shows them"),)
    return CommandReply(status_line(context.session), table=table, only_tells=True)


@command(live="preview.on")
async def preview(context: CommandContext, state: Switch | None = None) -> CommandReply:
    """Switch the preview on or off, or tell how it is; the recording is not affected."""
    if state is None:
        now = context.session.preview
        levels = now.levels if isinstance(now.levels, str) else "{} to {}".format(*now.levels)
        shown = f"preview {'on' if now.on else 'off'}, at most {now.rate:g}/s, levels {levels}"
        return CommandReply(shown, only_tells=True)
    on = not context.session.preview.on if state == "toggle" else state == "on"
    context.session.preview.switch(on)
    if not on:
        return CommandReply("preview off")
    displays = context.displays
    where = f"; {displays.summary}" if displays.summary else ""
    return CommandReply(f"preview on{where}", table=(("preview", "on"), *displays.where()) if where else ())


@command(live="preview.rate")
async def preview_rate(context: CommandContext, rate: Number) -> CommandReply:
    """Show at most RATE pictures a second."""
    if rate < SLOWEST_PREVIEW:
        raise UsageError(
            f"preview rate = {rate:g}: at least {SLOWEST_PREVIEW:g} pictures a second; or preview off"
        )
    context.session.preview.rate = rate
    return CommandReply(f"preview at {rate:g}/s")


@command(changes_frames=True, live="camera.exposure", turn=Turn.FOR_A_FRAME)
async def exposure(
    context: CommandContext, time: Seconds | None = None, now: Now | None = None
) -> CommandReply:
    """Expose each frame for TIME from now on, for example exposure 5ms; or tell how long it is.

    One that looks mistyped, of 1 s and more and many times the present one, is asked about at the console:
    nothing else reaches the camera until the first such frame is exposed. With now it is not.
    """
    if time is None:
        return CommandReply(exposure_text(context.session), only_tells=True)
    if not context.session.running:
        context.session.set("camera.exposure", format_seconds(time))
        return CommandReply(f"exposure {format_seconds(time)} from the next start on")
    before = getattr(context.session.settings.camera, "exposure", 0.0)
    if now is None and time >= max(LONG_S, SUSPECT * before):
        _ask_about(context, time, before)
    actual, frame = await context.session.expose(time, context.first)
    shown = f"exposure {format_seconds(actual)}"
    rate = rate_text(context.session, before, actual)
    if frame is None and not context.session.frames_tell_exposure:
        return CommandReply(f"{shown}; this camera's frames do not tell from which one on{rate}")
    if frame is None:
        return CommandReply(f"{shown}; no frame has shown it yet{rate}")
    return CommandReply(f"{shown} from frame {frame.index} on (counter {frame.number}){rate}", frame)


def _ask_about(context: CommandContext, time: float, before: float) -> None:
    """Raise UsageError with a question, where whoever types can be asked, whether the exposure is meant."""
    if context.conversation is None or context.source not in PEOPLE:
        return
    wanted = format_seconds(time)
    context.conversation.ask(f"expose for {wanted}?", f"exposure {wanted} now")
    times = "" if before <= 0 else f" is {time / before:.0f} times the {format_seconds(before)} of now, and"
    raise UsageError(
        f"{wanted}{times} nothing else reaches the camera until the first such frame is exposed; "
        f"expose for {wanted}? y/N (exposure {wanted} now does not ask)"
    )


@command(changes_frames=True, turn=Turn.WHEN_OVER)
async def save(context: CommandContext, state: Saving | None = None) -> CommandReply:
    """Write frames into a new file from now on, or go on without writing any; or tell which it is."""
    if state is None:
        return CommandReply(saving_text(context.session), only_tells=True)
    _check_writes_all(context)
    path, number = await context.session.save(state == "on", None, context.first)
    return CommandReply(f"saving {path}" if path else "saving nothing", number=number)


@command(changes_frames=True, turn=Turn.WHEN_OVER)
async def save_new(context: CommandContext, name: Word = "") -> CommandReply:
    """Go on in the next file, called NAME if you like; no frame is lost between the two."""
    _check_writes_all(context)
    path, number = await context.session.save(True, name or None, context.first)
    return CommandReply(
        f"saving {path}{'' if context.session.running else ' from the next start on'}", number=number
    )


def _check_writes_all(context: CommandContext) -> None:
    run = context.session.run
    if context.session.running and run is not None and run.captures is not None:
        raise UsageError("frames wait for a trigger (recording.pretrigger): capture saves them")


@command(turn=Turn.FOR_A_FRAME)
async def snapshot(context: CommandContext, path: Word = "") -> CommandReply:
    """Write the next frame to PATH: .tif with all its bits, .png with the preview's levels.

    Other programs and displays give a name only; the picture stands in the recording's folder.
    """
    if path and not context.is_operator and not is_plain_name(path):
        raise UsageError(
            f"snapshot {path}: write a name without folders, such as eye.tif; the console alone takes others"
        )
    where, number = await context.session.snapshot(
        Path(path) if path else None, beside_file=not context.is_operator
    )
    return CommandReply(f"frame with counter {number} in {where}")


@command()
async def trigger(context: CommandContext) -> CommandReply:
    """Expose one frame now, where the camera waits for software triggers; or what its settings make of it.

    With camera.acquire = "sequence trigger" it starts a sequence of frames; with camera.record_stop it is the
    event after which a camera that records round and round in its own memory stops.
    """
    await context.session.trigger()
    return CommandReply("triggered")


@command(turn=Turn.WHEN_OVER)
async def start(context: CommandContext) -> CommandReply:
    """Begin a run, into a new file unless save is off."""
    session = context.session
    await session.start()
    if session.run is None or session.run.state is State.CLOSED:
        ended = await session.stopped()
        if ended is not None and ended.verdict == "failed" and not ended.frames + ended.unsaved:
            raise CameraError(ended.cause)
        return CommandReply("started, and ended at once")
    return CommandReply(f"started, {saving_text(session)}")


@command(ends_run=True, turn=Turn.LAST)
async def stop(context: CommandContext) -> CommandReply:
    """Stop the camera, write all that was exposed, and close the file."""
    session = context.session
    if not session.running:
        raise UsageError("not running; start comes first")
    session.stop(FinishReason.STOPPED, context.first)
    return CommandReply("stopping", number=context.first, then=session.stopped)


@command(turn=Turn.WHEN_OVER)
async def set_(context: CommandContext, key: Key, *value: Word) -> CommandReply:
    """Change a setting for the next run, for example set camera.rate 50; without VALUE, tell what it is.

    Some are read when the program starts only, and some are for the console alone; the answer says so.
    """
    if not value:
        return CommandReply(f"{key} = {value_with_unit(context.session, key)}", only_tells=True)
    text = " ".join(value)
    check_keys(context, key)
    # What is set may be several keys: a section is written in braces.
    now = context.session.settings
    check_keys(context, *changed_keys(now, override(now, f"{key}={text}")))
    context.session.set(key, text)
    return CommandReply(f"{key} = {text} from the next start on")


@command(ends_run=True, turn=Turn.LAST)
async def quit_(context: CommandContext) -> CommandReply:
    """Stop, close the file and leave; while frames are being saved that is asked: y does it, all else not."""
    session, conversation = context.session, context.conversation
    # A script, a journal and a line that the operator planned mean what they say.
    means_it = context.is_replay or (context.is_operator and conversation is None)
    if not (session.running and session.saving) or means_it:
        return _leave(context)
    path = session.run.file.path if session.run and session.run.file else None
    waits = session.run is not None and session.run.captures is not None and path is None
    does = "frames wait for a trigger" if waits else f"{path or 'a file'} is being saved"
    if conversation is None:
        raise UsageError(f"{does}; quit now stops, closes the file and leaves")
    conversation.ask("leave?", "quit now")
    raise UsageError(f"{does}; stop, close the file and leave? y/N (quit now does not ask)")


@command(ends_run=True, turn=Turn.LAST)
async def quit_now(context: CommandContext) -> CommandReply:
    """Stop, close the file and leave, also while frames are being saved."""
    return _leave(context)


def _leave(context: CommandContext) -> CommandReply:
    session = context.session

    async def leave() -> None:
        try:
            await session.stopped()
        finally:
            session.leaving.set()

    session.stop(FinishReason.STOPPED, context.first)
    return CommandReply("leaving", number=context.first, then=leave)
