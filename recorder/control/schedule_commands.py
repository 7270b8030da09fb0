"""The commands that carry out others later, or let time pass."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated

from recorder.control.command_types import CommandContext, CommandReply
from recorder.control.permissions import without_token
from recorder.control.plan import PlannedLine
from recorder.control.registry import (
    COUNTER_WORDS,
    Argument,
    Command,
    Seconds,
    Word,
    command,
    joined,
    parse,
    whole_number,
)
from recorder.errors import UsageError
from recorder.session.run import Run
from recorder.session.session import Session
from recorder.session.status import State
from recorder.units import SECONDS, format_duration, format_seconds, parse_seconds

# What is repeated more often is a matter for a program.
SHORTEST_EVERY_S = 0.1

# A command that changes frames is given so long before its frame, so that it is there in time.
LEAD_S = 0.3

# What is due earlier is due now.
SOON_S = 0.5

# A moment of the clock is looked at again after this time: somebody may set the clock.
CLOCK_S = 30.0

NOT_CARRIED_OUT = "not carried out: the run was over before"

When = Annotated[
    str,
    Argument(
        str,
        "when",
        {
            "counter": "at counter 500 LINE: when the camera's counter is there",
            "2s": "so long after the first frame",
            "14:30": "at this hour of today",
        },
        tuple(SECONDS),
    ),
]
WholeNumber = Annotated[int, Argument(whole_number, "a number of at list")]


@command()
async def at(context: CommandContext, when: When, *line: Word) -> CommandReply:
    """Carry out LINE at a moment: at counter 500 LINE, at 2s LINE (after the first frame), at 14:30 LINE.

    The counter is the camera's, which displays show. A moment that has passed is refused. An hour of the
    clock is one of today; with a date before it, as in 2030-01-31T02:00, it is one of that day.
    """
    words, session = list(line), context.session
    if when in COUNTER_WORDS:
        try:
            number = whole_number(words.pop(0) if words else "")
        except ValueError as error:
            raise UsageError(f"at counter: {error}; write: at counter 500 LINE") from None
        text, later = _line(words, "at counter 500")
        if context.is_replay:
            return _told_again(f"at counter {number}", text)
        run = _run(session)
        _check_coming(number, run)
        return _planned(
            context,
            f"at counter {number}",
            text,
            _at_counter(session, run, number, later),
            lambda: _frames_s(session, number),
        )
    clock = _clock(when)
    if clock is None:
        try:
            seconds = parse_seconds(when)
        except ValueError as error:
            raise UsageError(f'at when = "{when[:80]}": {error}; or write: at counter 500 LINE') from None
    text, later = _line(words, "at 2s")
    if context.is_replay:
        # A replay has the line itself, with the frame it took effect on.
        return _told_again(f"at {when}", text)
    if clock is not None:
        if clock <= _now():
            raise UsageError(f"{when} has passed; on another day write: at {_tomorrow(clock)} LINE")
        moments = _at_clock(session, _run_of(session, later), clock)
        return _planned(context, f"at {when}", text, moments, lambda: _until(clock))
    run, elapsed_s = _run(session), session.position()[1]
    if elapsed_s > seconds:
        raise UsageError(
            f"{when} has passed: the run is {elapsed_s:.1f} s old; in {when} LINE counts from now"
        )
    return _planned(
        context,
        f"at {when}",
        text,
        _at_elapsed(session, run, seconds),
        lambda: seconds - session.position()[1],
    )


@command()
async def in_(context: CommandContext, time: Seconds, *line: Word) -> CommandReply:
    """Carry out LINE after TIME from now: in 2s mark flash."""
    text, later = _line(list(line), "in 2s")
    when = f"in {format_seconds(time)}"
    if context.is_replay:
        return _told_again(when, text)
    run = _run_of(context.session, later)
    return _planned(context, when, text, _after(context.session, run, time), _countdown(time))


@command()
async def every(context: CommandContext, time: Seconds, *line: Word) -> CommandReply:
    """Carry out LINE again and again, the first time after TIME from now: every 10s mark tick.

    It ends with the run, or by at cancel N.
    """
    text, _ = _line(list(line), "every 10s")
    if time < SHORTEST_EVERY_S:
        raise UsageError(f"every: at least {format_seconds(SHORTEST_EVERY_S)} from one time to the next")
    when = f"every {format_seconds(time)}"
    if context.is_replay:
        return _told_again(when, text)
    run = context.session.run if context.session.running else None
    left_s = _countdown(time)
    return _planned(context, when, text, _again(context.session, run, time), lambda: time - -left_s() % time)


@command()
async def at_list(context: CommandContext) -> CommandReply:
    """List the lines that are planned, by at, in and every, each with its number and when it is due."""
    rows = tuple(
        (str(number), f"{planned.when} {planned.shown} ({planned.source}), {_due(planned.left_s())}")
        for number, planned in context.plan.lines.items()
    )
    message = "; ".join(f"{number}: {what}" for number, what in rows) or "nothing is planned"
    return CommandReply(message, table=rows, only_tells=True)


@command()
async def at_cancel(context: CommandContext, n: WholeNumber) -> CommandReply:
    """Take line N of at list out of the plan."""
    if context.is_replay:
        return CommandReply()
    planned = context.plan.cancel(n)
    return CommandReply(f"cancelled: {planned.when} {planned.shown}")


@command()
async def wait(context: CommandContext, time: Seconds) -> CommandReply:
    """Let TIME pass before the next line of a script."""
    # Only once the line has its row: the end of a file waits for rows under way, not for this.
    return CommandReply(then=None if context.is_replay else partial(asyncio.sleep, time), only_tells=True)


def _line(words: list[str], example: str) -> tuple[str, Command]:
    """Return the line to carry out, and its command; raises UsageError where it is missing or wrong."""
    text = joined(words)
    parsed = parse(text)
    if parsed is None:
        raise UsageError(f"{example.partition(' ')[0]}: LINE is missing; write: {example} LINE")
    return text, parsed.command


def _planned(
    context: CommandContext,
    when: str,
    text: str,
    moments: AsyncIterator[int | None],
    left_s: Callable[[], float],
) -> CommandReply:
    shown = without_token(text)
    number = context.plan.add(PlannedLine(when, text, shown, context.source, left_s), moments)
    return CommandReply(f"planned as {number}: {when} {shown}")


def _countdown(seconds: float) -> Callable[[], float]:
    """Return a function that returns how many of `seconds` from now are left, less than 0 after them."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + seconds
    return lambda: end_s - loop.time()


def _frames_s(session: Session, number: int) -> float:
    """Return how long it takes until the counter is at `number`, NaN where no frames come."""
    figures = session.statistics()
    if figures is None or figures.acquisition is None or not figures.rate:
        return math.nan
    return (number - figures.acquisition.last_number) / figures.rate


def _due(left_s: float) -> str:
    if math.isnan(left_s):
        return "due once frames come"
    return f"due in {format_duration(left_s)}" if left_s >= SOON_S else "due now"


def _told_again(when: str, text: str) -> CommandReply:
    """Return the answer in a replay, which has the line itself, with the frame it took effect on."""
    return CommandReply(f"{when} {without_token(text)}")


def _run(session: Session) -> Run:
    if session.run is None or not session.running:
        raise UsageError("not running; start comes first")
    return session.run


def _run_of(session: Session, later: Command) -> Run | None:
    """Return the run that a planned line belongs to, and ends with; a `start` is for after it."""
    return session.run if session.running and later.name != "start" else None


def _check_coming(number: int, run: Run) -> None:
    last = run.timeline.last
    if last is not None and last.number >= number:
        raise UsageError(f"counter {number} has passed: it is at {last.number}")


def _now() -> datetime:
    return datetime.now().astimezone()


def _until(moment: datetime) -> float:
    """Return how many s are left until a moment of the clock."""
    return (moment - _now()).total_seconds()


def _clock(when: str) -> datetime | None:
    """Return the moment that an hour of today, or a date with an hour, stands for; None: it is neither."""
    if ":" not in when:
        return None
    try:
        text = when if "T" in when else f"{_now():%Y-%m-%d}T{when.zfill(5)}"
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        other = _tomorrow(datetime(1, 1, 1, 2))
        raise UsageError(f'at when = "{when[:80]}": write an hour such as 14:30, or {other}') from None


def _tomorrow(moment: datetime) -> str:
    """Return how to write the hour of a moment on the day after this one."""
    return f"{_now() + timedelta(days=1):%Y-%m-%d}T{moment:%H:%M}"


# When a planned line is carried out. Each yields the counter from which on it takes effect, or None, and
# raises UsageError where its run is over before.


async def _at_counter(session: Session, run: Run, number: int, later: Command) -> AsyncIterator[int | None]:
    # Real cameras begin with an exposure as soon as they are told, and not at a frame.
    is_exact = later.changes_frames and (later.name != "exposure" or session.settings.camera.kind != "pco")
    rate = run.description.rate if run.description else 0.0
    lead = round(min(rate, 1e5) * LEAD_S) if is_exact else 0
    if await run.timeline.delivered(max(1, number - lead)) is None:
        raise UsageError(NOT_CARRIED_OUT)
    yield number if is_exact or later.name == "mark" else None


async def _at_elapsed(session: Session, run: Run, seconds: float) -> AsyncIterator[int | None]:
    await run.timeline.delivered(1)
    await _sleep(session, run, seconds - session.position()[1])
    yield None


async def _at_clock(session: Session, run: Run | None, moment: datetime) -> AsyncIterator[int | None]:
    while (left_s := _until(moment)) > 0:
        await _sleep(session, run, min(left_s, CLOCK_S))
    yield None


async def _after(session: Session, run: Run | None, seconds: float) -> AsyncIterator[int | None]:
    await _sleep(session, run, seconds)
    yield None


async def _again(session: Session, run: Run | None, seconds: float) -> AsyncIterator[int | None]:
    loop = asyncio.get_running_loop()
    began_s, times = loop.time(), 0
    while True:
        # Moments that passed while the line was carried out are left out.
        times = max(times + 1, int((loop.time() - began_s) / seconds))
        await _sleep(session, run, began_s + times * seconds - loop.time(), "ended with the run")
        yield None


async def _sleep(session: Session, run: Run | None, seconds: float, if_over: str = NOT_CARRIED_OUT) -> None:
    """Let `seconds` pass; raises UsageError with `if_over` where the run, if there is one, is over before."""
    if run is None:
        await asyncio.sleep(max(0.0, seconds))
        return
    ended = asyncio.ensure_future(session.stopped())
    try:
        await asyncio.wait([ended], timeout=max(0.0, seconds))
    finally:
        ended.cancel()
        await asyncio.gather(ended, return_exceptions=True)
    if run.state is not State.RUNNING:
        raise UsageError(if_over)
