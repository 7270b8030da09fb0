"""The command about what the user says of the recording: `meta`."""

from typing import Annotated

from recorder.control.command_types import CommandContext, CommandReply
from recorder.control.registry import Argument, Word, command
from recorder.session.metadata import give
from recorder.settings.reference import describe
from recorder.storage.user_metadata import PLACES

MetadataKey = Annotated[
    str,
    Argument(str, "a name", {name: describe(f"metadata.{name}").meaning.split(";")[0] for name in PLACES}),
]


@command(live="metadata")
async def meta(context: CommandContext, key: MetadataKey = "", *value: Word) -> CommandReply:
    """Store VALUE as KEY in the file and all later ones, for example meta subject M12; or tell what there is.

    An empty VALUE, "", takes it back. Keys that NeXus knows have a place of their own; any other is as good.
    """
    session = context.session
    known = {name: str(one) for name, one in session.settings.metadata.values.items() if one != ""}
    if not value:
        shown = {name: one for name, one in known.items() if key in {"", name}}
        if not shown:
            return CommandReply(f"{key} has no value" if key else "no metadata yet", only_tells=True)
        line = ", ".join(f"{name} = {one}" for name, one in shown.items())
        return CommandReply(line, table=() if key else tuple(shown.items()), only_tells=True)
    text = " ".join(value)
    frame, is_saved = await give(session, key, text, context.source, context.first)
    said = f"{key} = {text}" if text else f"{key} taken back"
    if not session.running:
        return CommandReply(f"{said} from the next start on")
    if not is_saved:
        return CommandReply(f"{said} from the next file on; the journal alone has it now", frame)
    return CommandReply(f"{said} from frame {frame.index} on" if frame else said, frame)
