"""The commands that change how frames are shown, on every display; the recording is not affected."""

import asyncio
import math
from typing import Annotated, Literal

from recorder.control.command_types import CommandContext, CommandReply
from recorder.control.kept_regions import NAME, keep_regions, set_regions
from recorder.control.registry import Argument, Meanings, Number, Region, RegionName, Seconds, Whole, command
from recorder.errors import UsageError, did_you_mean
from recorder.frames.region_means import Box
from recorder.preview.baseline import Baseline
from recorder.settings.field_types import (
    HIGHEST_GAMMA,
    LONGEST_BASELINE_S,
    LOWEST_GAMMA,
    MAX_PIXEL,
    SHORTEST_BASELINE_S,
    ColourMap,
    PreviewMode,
)
from recorder.units import format_seconds

Form = Annotated[
    Literal["auto", "blocks", "sixel", "kitty", "off"],
    Meanings(
        auto="as the terminal is known to show it",
        blocks="two pixels a character",
        sixel="real pixels, by sixel",
        kitty="real pixels, by the graphics of kitty",
        off="no more in this terminal",
    ),
]
Colours = Annotated[
    ColourMap,
    Meanings(
        auto="grey, and diverging for differences",
        grey="black to white",
        inferno="black, red, yellow",
        viridis="blue, green, yellow",
        diverging="blue below, red above",
    ),
]
Mode = Annotated[
    PreviewMode,
    Meanings(
        raw="frames as they are",
        difference="less the baseline, in counts",
        dff="less the baseline, in % of it",
    ),
]
Range = Annotated[
    str, Argument(str, "a number more than 0", {"auto": "what the picture has", "full": "all there can be"})
]

# Takes out all regions, unless one is called so.
ALL = "all"


@command()
async def preview_here(context: CommandContext, form: Form = "auto") -> CommandReply:
    """Show the preview in this terminal, above the prompt; off: no more.

    auto takes what the terminal is known to have: real pixels by the graphics of kitty or by sixel, else
    blocks, two pixels a character, in its colours. Name one where auto takes another.
    """
    if not context.is_operator:
        if context.is_replay:
            return CommandReply()
        raise UsageError("preview here is typed at the console: it shows the preview in that terminal")
    here = context.displays.here
    if here is None:
        raise UsageError(
            "preview here: a headless run has no console; preview.web = 127.0.0.1:8080 has a page"
        )
    if form == "off":
        here.hide()
        return CommandReply("not shown here any more")
    return CommandReply(f"preview on, here: {here.show(form)}")


@command(live="preview.colours")
async def preview_colours(context: CommandContext, name: Colours) -> CommandReply:
    """Show the picture in these colours; auto: grey, and diverging for differences."""
    context.session.preview.colours = name
    return CommandReply(f"colours {name}")


@command(live="preview.gamma")
async def preview_gamma(context: CommandContext, gamma: Number) -> CommandReply:
    """Show more in the dark (GAMMA less than 1) or in the light (more than 1); 1: as it is."""
    if not LOWEST_GAMMA <= gamma <= HIGHEST_GAMMA:
        raise UsageError(f"preview gamma = {gamma:g}: from {LOWEST_GAMMA:g} to {HIGHEST_GAMMA:g}")
    context.session.preview.gamma = gamma
    return CommandReply(f"gamma {gamma:g}")


@command(live="preview.mode")
async def preview_mode(context: CommandContext, mode: Mode) -> CommandReply:
    """Show frames as they are (raw), their difference from the baseline, or that in % of it (dff).

    What is recorded, and what snapshots save, stays raw.
    """
    preview = context.session.preview
    if preview.mode != mode:
        # Counts are no percent.
        preview.range = "auto"
    preview.mode = mode
    return CommandReply(f"mode {mode}{'' if mode == 'raw' else f', baseline {preview.baseline.text}'}")


@command(live="preview.range")
async def preview_range(context: CommandContext, most: Range) -> CommandReply:
    """Show differences from -MOST to MOST, in counts or %; auto: what the picture has; full: all."""
    if most in {"auto", "full"}:
        context.session.preview.range = "auto" if most == "auto" else "full"
        return CommandReply(f"range {most}")
    try:
        wanted = float(most)
    except ValueError:
        wanted = math.nan
    if not 0 < wanted <= MAX_PIXEL:
        raise UsageError("preview range: write auto, full, or a number more than 0, for example 5")
    context.session.preview.range = wanted
    return CommandReply(f"range {most}")


@command(live="preview.baseline")
async def baseline(context: CommandContext, time: Seconds) -> CommandReply:
    """Compare with the mean of the next TIME of frames, for example baseline 2s, for preview mode dff."""
    return _compare_with(context, time, running=False)


@command(live="preview.baseline")
async def baseline_running(context: CommandContext, time: Seconds) -> CommandReply:
    """Compare with a mean that follows the frames, which fade over TIME."""
    return _compare_with(context, time, running=True)


def _compare_with(context: CommandContext, seconds: float, *, running: bool) -> CommandReply:
    if not SHORTEST_BASELINE_S <= seconds <= LONGEST_BASELINE_S:
        raise UsageError(
            f"baseline: from {format_seconds(SHORTEST_BASELINE_S)} to {format_seconds(LONGEST_BASELINE_S)}"
        )
    context.session.preview.baseline = Baseline(seconds, running=running)
    return CommandReply(
        f"baseline running {format_seconds(seconds)}"
        if running
        else f"baseline: the mean of the next {format_seconds(seconds)}"
    )


@command(live="preview.regions")
async def region(
    context: CommandContext, name: RegionName, x0: Whole, y0: Whole, x1: Whole, y1: Whole
) -> CommandReply:
    """Show the mean of a region as a trace: from pixel X0, Y0 of the frame up to X1, Y1, not included."""
    regions = dict(context.session.preview.regions)
    regions[name] = (x0, y0, x1, y1)
    await _keep(context, regions)
    told = f"region {name}: {x1 - x0} x {y1 - y0} pixels from {x0}, {y0}"
    return CommandReply(told + _stored_from(context))


@command(live="preview.regions")
async def region_off(context: CommandContext, name: Region = "") -> CommandReply:
    """Show region NAME no more; region off all: none."""
    regions = dict(context.session.preview.regions)
    # Journals of before have it without a name.
    if (name == ALL and name not in regions) or (not name and context.is_replay):
        await _keep(context, {})
        return CommandReply(f"no regions{_stored_from(context)}")
    if not name:
        known = ", ".join(regions)
        raise UsageError(
            f"region off: which one? {known}, or all" if known else "region off: there are no regions"
        )
    if name not in regions:
        raise UsageError(f'no region "{name[:80]}"{did_you_mean(name, regions)}')
    await _keep(context, {other: box for other, box in regions.items() if other != name})
    return CommandReply(f"region {name} off{_stored_from(context)}")


def _stored_from(context: CommandContext) -> str:
    """Return from when on the means in the files are those of other regions, "" where none are stored."""
    if context.session.running and context.session.settings.analysis.regions:
        return "; means are stored for it from the next file on: save new"
    return ""


async def _keep(context: CommandContext, regions: dict[str, Box]) -> None:
    """Have these regions from now on, and in the next session too."""
    session = context.session
    set_regions(session, regions)
    if session.path is not None:
        await asyncio.to_thread(keep_regions, session.path.with_name(NAME), session.preview.regions)
