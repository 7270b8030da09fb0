"""The commands that change how frames are shown, on every display; the recording is not affected."""

import math
from typing import Annotated, Literal

from recorder.control.command_types import CommandContext, CommandReply, PictureContext
from recorder.control.registry import (
    CHANNEL,
    Argument,
    Meanings,
    Number,
    Region,
    RegionName,
    Seconds,
    Whole,
    Word,
    command,
)
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

Levels = Annotated[
    str,
    Argument(
        str, "LOW HIGH, from 0 to 65535", {"auto": "what the picture has", "full": "the camera's whole range"}
    ),
]
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

Channel = Annotated[str, Argument(str, CHANNEL)]

# Takes out all regions, unless one is called so; shows all channels, of which none is called so.
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


@command(live="preview.levels")
async def preview_levels(context: PictureContext, low: Levels, high: Word = "") -> CommandReply:
    """Show LOW as black and HIGH as white; auto: what the picture has; full: the camera's whole range."""
    if low in {"auto", "full"} and not high:
        context.preview.levels = "auto" if low == "auto" else "full"
        return CommandReply(f"levels {low}")
    if not (low.isdecimal() and high.isdecimal() and int(low) < int(high) <= MAX_PIXEL):
        raise UsageError(
            "preview levels: write auto, full, or two numbers LOW HIGH from 0 to 65535, the lower first"
        )
    context.preview.levels = (int(low), int(high))
    return CommandReply(f"levels {low} to {high}")


@command(live="preview.colours")
async def preview_colours(context: PictureContext, name: Colours) -> CommandReply:
    """Show the picture in these colours; auto: grey, and diverging for differences."""
    context.preview.colours = name
    return CommandReply(f"colours {name}")


@command(live="preview.gamma")
async def preview_gamma(context: PictureContext, gamma: Number) -> CommandReply:
    """Show more in the dark (GAMMA less than 1) or in the light (more than 1); 1: as it is."""
    if not LOWEST_GAMMA <= gamma <= HIGHEST_GAMMA:
        raise UsageError(f"preview gamma = {gamma:g}: from {LOWEST_GAMMA:g} to {HIGHEST_GAMMA:g}")
    context.preview.gamma = gamma
    return CommandReply(f"gamma {gamma:g}")


@command(live="preview.mode")
async def preview_mode(context: PictureContext, mode: Mode) -> CommandReply:
    """Show frames as they are (raw), their difference from the baseline, or that in % of it (dff).

    What is recorded, and what snapshots save, stays raw.
    """
    preview = context.preview
    if preview.mode != mode:
        # Counts are no percent.
        preview.range = "auto"
    preview.mode = mode
    if mode == "raw":
        return CommandReply("mode raw")
    is_mixed = preview.channels and not preview.channel
    mixed = f"; the channels are mixed: preview channel {preview.channels[0]} shows one" if is_mixed else ""
    return CommandReply(f"mode {mode}, baseline {preview.baseline.text}{mixed}")


@command()
async def preview_channel(context: CommandContext, name: Channel = "") -> CommandReply:
    """Show frames of one channel only, or of all: preview channel blue; or tell which one is shown.

    recording.channels has their names. What is recorded are all.
    """
    preview, channels = context.preview, context.session.settings.recording.channels
    if not name:
        known = f"; there are {', '.join(channels)}" if channels else "; recording.channels names none"
        return CommandReply(f"channel {preview.channel or ALL}{known}", only_tells=True)
    if name != ALL and name not in channels:
        known = did_you_mean(name, channels) or f"; {', '.join(channels) or 'recording.channels names none'}"
        raise UsageError(f'no channel "{name[:80]}"{known}')
    preview.show_channel("" if name == ALL else name)
    return CommandReply(f"channel {name}")


@command(live="preview.range")
async def preview_range(context: PictureContext, most: Range) -> CommandReply:
    """Show differences from -MOST to MOST, in counts or %; auto: what the picture has; full: all."""
    if most in {"auto", "full"}:
        context.preview.range = "auto" if most == "auto" else "full"
        return CommandReply(f"range {most}")
    try:
        wanted = float(most)
    except ValueError:
        wanted = math.nan
    if not 0 < wanted <= MAX_PIXEL:
        raise UsageError("preview range: write auto, full, or a number more than 0, for example 5")
    context.preview.range = wanted
    return CommandReply(f"range {most}")


@command(live="preview.baseline")
async def baseline(context: PictureContext, time: Seconds) -> CommandReply:
    """Compare with the mean of the next TIME of frames, for example baseline 2s, for preview mode dff."""
    return _compare_with(context, time, running=False)


@command(live="preview.baseline")
async def baseline_running(context: PictureContext, time: Seconds) -> CommandReply:
    """Compare with a mean that follows the frames, which fade over TIME."""
    return _compare_with(context, time, running=True)


def _compare_with(context: PictureContext, seconds: float, *, running: bool) -> CommandReply:
    if not SHORTEST_BASELINE_S <= seconds <= LONGEST_BASELINE_S:
        raise UsageError(
            f"baseline: from {format_seconds(SHORTEST_BASELINE_S)} to {format_seconds(LONGEST_BASELINE_S)}"
        )
    context.preview.baseline = Baseline(seconds, running=running)
    return CommandReply(
        f"baseline running {format_seconds(seconds)}"
        if running
        else f"baseline: the mean of the next {format_seconds(seconds)}"
    )


@command(live="preview.regions")
async def region(
    context: PictureContext,
    name: RegionName = "",
    x0: Whole | None = None,
    y0: Whole | None = None,
    x1: Whole | None = None,
    y1: Whole | None = None,
) -> CommandReply:
    """Show the mean of a region as a trace: from pixel X0, Y0 of the frame up to X1, Y1, not included.

    Alone it tells which regions there are, with a name where that one is.
    """
    regions = dict(context.preview.regions)
    if x0 is None:
        return _regions_told(regions, name)
    if y0 is None or x1 is None or y1 is None:
        raise UsageError(f"region: four numbers say where it is; write: region {name} X0 Y0 X1 Y1")
    regions[name] = box = (x0, y0, x1, y1)
    _check_inside(context.frame, name, box)
    more = await context.set_regions(regions)
    return CommandReply(f"region {name}: {_where(box)}{more}")


def _regions_told(regions: dict[str, Box], name: str) -> CommandReply:
    """Return which regions there are, or where the one called `name` is."""
    if name and name not in regions:
        raise UsageError(
            f'no region "{name[:80]}"{did_you_mean(name, regions)}; region NAME X0 Y0 X1 Y1 makes one'
        )
    rows = tuple((other, _where(box)) for other, box in regions.items() if not name or other == name)
    line = "; ".join(f"region {other}: {where}" for other, where in rows)
    none = "no regions; region NAME X0 Y0 X1 Y1 makes one"
    return CommandReply(line or none, table=rows, only_tells=True)


def _where(box: Box) -> str:
    x0, y0, x1, y1 = box
    return f"{x1 - x0} x {y1 - y0} pixels from {x0}, {y0}"


def _check_inside(frame: Box | None, name: str, box: Box) -> None:
    """Raise UsageError where a region reaches beyond the frames, where they are known."""
    if frame is None:
        return
    inside = (max(box[0], frame[0]), max(box[1], frame[1]), min(box[2], frame[2]), min(box[3], frame[3]))
    if inside != box:
        raise UsageError(
            f"region {name}: {_corners(box)} reaches beyond the frame, which is {_corners(frame)}"
        )


def _corners(box: Box) -> str:
    return f"{box[0]}, {box[1]} to {box[2]}, {box[3]}"


@command(live="preview.regions")
async def region_off(context: PictureContext, name: Region = "") -> CommandReply:
    """Show region NAME no more; region off all: none."""
    regions = dict(context.preview.regions)
    # Journals of before have it without a name.
    if (name == ALL and name not in regions) or (not name and context.is_replay):
        return CommandReply(f"no regions{await context.set_regions({})}")
    if not name:
        known = ", ".join(regions)
        raise UsageError(
            f"region off: which one? {known}, or all" if known else "region off: there are no regions"
        )
    if name not in regions:
        raise UsageError(f'no region "{name[:80]}"{did_you_mean(name, regions)}')
    more = await context.set_regions({other: box for other, box in regions.items() if other != name})
    return CommandReply(f"region {name} off{more}")
