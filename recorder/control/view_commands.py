"""The commands that change how frames are shown, on every display; the recording is not affected."""

from recorder.control.command_types import CommandContext, CommandReply
from recorder.control.registry import Number, command
from recorder.errors import UsageError
from recorder.settings.field_types import ColourMap

LOWEST_GAMMA, HIGHEST_GAMMA = 0.1, 10.0


@command(live="preview.colours")
async def preview_colours(context: CommandContext, name: ColourMap) -> CommandReply:
    """Show the picture in these colours; auto: grey."""
    context.session.preview.colours = name
    return CommandReply(f"colours {name}")


@command(live="preview.gamma")
async def preview_gamma(context: CommandContext, gamma: Number) -> CommandReply:
    """Show more in the dark (GAMMA less than 1) or in the light (more than 1); 1: as it is."""
    if not LOWEST_GAMMA <= gamma <= HIGHEST_GAMMA:
        raise UsageError(f"preview gamma = {gamma:g}: from {LOWEST_GAMMA:g} to {HIGHEST_GAMMA:g}")
    context.session.preview.gamma = gamma
    return CommandReply(f"gamma {gamma:g}")
