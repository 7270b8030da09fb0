"""The commands about marks and notes."""

from recorder.control.command_types import CommandContext, CommandReply
from recorder.control.registry import Label, Word, command, joined
from recorder.control.turns import Turn
from recorder.errors import UsageError
from recorder.storage.records import TAKEN_BACK

# The longest label that a row of the file holds, in bytes.
MAX_LABEL = 64

# How many marks are listed.
LISTED = 10


def check_label(command_name: str, label: str) -> None:
    """Raise UsageError for a label that a mark cannot have."""
    if len(label.encode()) > MAX_LABEL:
        size = len(label.encode())
        raise UsageError(f"{command_name}: a label of {size} bytes (UTF-8); the longest has {MAX_LABEL}")
    if label == TAKEN_BACK:
        raise UsageError(
            f"{command_name}: {label} is what stands in the file for a mark taken back; choose another label"
        )


@command(turn=Turn.FOR_A_FRAME)
async def mark(context: CommandContext, label: Label, *text: Word) -> CommandReply:
    """Mark the frame being exposed now with LABEL, and TEXT if you like."""
    check_label("mark", label)
    placed = await context.session.mark(
        label, " ".join(text), context.source, context.entered_ns, context.first
    )
    said = joined(["mark", label, *text])
    if placed is None or placed.frame is None:
        return CommandReply(f"{said}; its frame is known once the camera's memory is read out")
    if not placed.saved:
        counter, run = placed.frame.number, context.session.run
        waits = run is not None and run.captures is not None
        kept = "a capture that holds it has it too" if waits else "the journal alone has it"
        return CommandReply(f"{said} on the frame with counter {counter}, in no file: {kept}", number=counter)
    return CommandReply(f"{said} on {placed.where}", placed.frame)


@command()
async def note(context: CommandContext, *text: Word) -> CommandReply:
    """Write TEXT into the journal and the file."""
    del context
    if not text:
        raise UsageError("note: TEXT is missing; write: note TEXT...")
    return CommandReply("noted")


@command(turn=Turn.LAST)
async def marks(context: CommandContext) -> CommandReply:
    """List the last marks, also those of other programs; the newest is at the end."""
    known = list(context.session.marks.placed)[-LISTED:]
    if not known:
        return CommandReply("no marks yet", only_tells=True)
    rows = tuple((one.mark.label, one.describe()) for one in known)
    line = "; ".join(f"{label}: {where}" for label, where in rows)
    return CommandReply(line, table=rows, only_tells=True)


@command(turn=Turn.LAST)
async def unmark(context: CommandContext) -> CommandReply:
    """Take back the last mark that came from here: a row says so, nothing is erased."""
    marks = context.session.marks
    placed = marks.last_of(context.source, context.first)
    if placed is None or placed.frame is None:
        raise UsageError("no mark of yours to take back" if placed is None else "that mark is on no frame")
    frame, label = placed.frame, placed.mark.label
    row = marks.take_back(placed, context.source, context.session.position()[1])
    saved = placed.saved and await context.session.add_row(frame.file_index, row, frame.index)
    where = f"frame {frame.index} (counter {frame.number})"
    alone = "" if saved else "; its file is closed, and the journal alone says so"
    return CommandReply(f"unmark {label} on {where}{alone}", frame)
