"""The commands about signals: numbers that are stored beside the frames."""

import contextlib
import math
from typing import Annotated

from recorder.control.command_types import CommandContext, CommandReply
from recorder.control.registry import Argument, command, joined
from recorder.control.turns import Turn
from recorder.errors import UsageError

# No clock counts so many seconds.
MOST_SECONDS = 1e12


def number_of(word: str) -> float:
    """Return the number that a word is, nan and inf too; raises ValueError that shows how to write it."""
    if word == "@":
        raise ValueError("the time of a sender's clock is for rows of a stream, over a connection")
    try:
        # Python takes 1_000 for a number.
        return float(word if "_" not in word else "")
    except ValueError:
        raise ValueError("not a number, for example 0.3, -12, 1e-3 or nan") from None


Name = Annotated[str, Argument(str, "the name of a signal")]
SignalNumber = Annotated[float, Argument(number_of, "a number", {"0.3": ""})]


def row_of(words: list[str]) -> tuple[str, list[float], float]:
    """Return name, numbers and time by the sender's clock (NaN: none) of a row: NAME NUMBER... [@ SECONDS].

    Raises UsageError.
    """
    name, *numbers = words
    sender_s = math.nan
    if "@" in numbers:
        at = numbers.index("@")
        with contextlib.suppress(ValueError):
            sender_s = float(" ".join(numbers[at + 1 :]))
        if not abs(sender_s) < MOST_SECONDS:
            raise UsageError(f"{name[:80]}: after @ comes one time in s of your clock: NAME 0.3 @ 12.3456")
        numbers = numbers[:at]
    values = []
    for word in numbers:
        try:
            values.append(number_of(word))
        except ValueError as error:
            raise UsageError(f'{name[:80]} "{word[:80]}": {error}') from None
    return name, values, sender_s


@command(turn=Turn.FOR_A_FRAME)
async def value(context: CommandContext, name: Name, *number: SignalNumber) -> CommandReply:
    """Store numbers as a row of signal NAME, beside the frame being exposed now: value pupil 0.3 0.5 12.

    The first row of a name says how many numbers all have, 8 at most; nan is one. Many rows a second come as
    a stream, over a connection to the remote control server.
    """
    signals = context.session.signals
    is_new = name not in signals.columns
    frame, is_saved = await signals.store(name, number, context.entered_ns, context.first)
    said = joined(["value", name, *(f"{one:.12g}" for one in number)]) + ", a new signal" * is_new
    if frame is None:
        return CommandReply(f"{said}; its frame is known once the camera's memory is read out")
    if not is_saved:
        return CommandReply(
            f"{said} on the frame with counter {frame.number}, in no file: the journal alone has it",
            number=frame.number,
        )
    return CommandReply(f"{said} on frame {frame.index} (counter {frame.number})", frame)


@command(turn=Turn.LAST)
async def signals(context: CommandContext) -> CommandReply:
    """List the signals of this session, with what became of their rows in this run."""
    known, figures = context.session.signals.columns, context.session.signals.figures
    if not known:
        return CommandReply("no signals yet; value NAME NUMBER... makes one", only_tells=True)
    rows = []
    for name, count in known.items():
        told = [f"{figures.saved[name]} row{'s' * (figures.saved[name] != 1)}"]
        others = {"not saved": figures.unsaved, "lost": figures.lost}
        told += [f"{kind[name]} {words}" for words, kind in others.items() if kind[name]]
        rows.append((name, f"{', '.join(told)} of {count} number{'s' * (count > 1)}"))
    return CommandReply(
        "; ".join(f"{name}: {told}" for name, told in rows), table=tuple(rows), only_tells=True
    )
