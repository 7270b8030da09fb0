"""The command that writes what is held before a trigger, and what comes after it."""

from recorder.control.command_types import CommandContext, CommandReply
from recorder.control.mark_commands import check_label
from recorder.control.registry import Label, Word, command, joined
from recorder.control.turns import Turn
from recorder.errors import UsageError
from recorder.frames.timeline import FrameRef
from recorder.session.marks import Mark

# The label of a capture that is given none.
CAPTURE = "capture"


@command(changes_frames=True, turn=Turn.FOR_A_FRAME)
async def capture(context: CommandContext, label: Label = "", *text: Word) -> CommandReply:
    """Write what is held of before the frame being exposed now, and what comes after it, into a file.

    LABEL is in the file's name, and with TEXT a mark on that frame. While one is under way it goes on for
    longer. recording.pretrigger and posttrigger say for how long.
    """
    check_label("capture", label)
    session = context.session
    run = session.current_run()
    if run.captures is None:
        raise UsageError(
            "capture: every frame is written; with recording.pretrigger, such as "
            "set recording.pretrigger 2s, frames wait for it from the next start on"
        )
    mark = Mark(label or CAPTURE, " ".join(text), context.source, context.entered_ns)
    captured, number = await run.captures.begin(mark.host_ns, context.first, label)
    await session.marks.place(run, mark, number)
    index = captured.index_of(number)
    frame = None if index is None else FrameRef(number, captured.file_index, index)
    said = joined(["capture", *([label] if label else []), *text])
    if captured.trigger != number:
        where = captured.path.name if captured.path else "no file"
        return CommandReply(f"{said}: {where} goes on for longer, from counter {number} on", frame, number)
    return CommandReply(f"{said}: saving {run.captures.beginning(captured)}", frame, number)
