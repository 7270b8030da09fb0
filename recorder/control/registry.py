"""Commands are typed functions; parsing, help and completion follow from signature and docstring.

    @command(changes_frames=True)
    async def exposure(context: CommandContext, time: Seconds) -> CommandReply:
        \"\"\"Expose each frame for TIME from now on.\"\"\"

A parameter is required, optional (with a default), or takes all that is left (`*text`). Its type says how a
word becomes a value: `str`, a Literal of words, or an Annotated type with an `Argument`.
"""

import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from recorder.control.command_types import CommandContext, CommandReply, PictureContext
from recorder.control.turns import Turn
from recorder.errors import UsageError, did_you_mean
from recorder.settings.model import keys
from recorder.units import SECONDS, parse_seconds

# The longest line that is a command, in bytes: a row of the file holds no more.
MAX_LINE = 1024

_WORD = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"]\S*))(?=\s|$)')


@dataclass(frozen=True)
class Argument:
    """How a word becomes a value: `parse` raises ValueError that shows how to write it.

    `what` is said of a word, `words` are those that completion shows, each with its meaning ("" for `what`);
    where it `is_choice`, no others are allowed. A number may stand apart from its unit, one of `units`.
    """

    parse: Callable[[str], Any]
    what: str
    words: Mapping[str, str] = field(default_factory=dict, hash=False)
    units: tuple[str, ...] = ()
    is_choice: bool = False


class Meanings:
    """What each of the `words` of a Literal does, beside it in an Annotated type."""

    def __init__(self, **words: str) -> None:
        self.words = words


def _positive_time(text: str) -> float:
    seconds = parse_seconds(text)
    if not 0 < seconds < 1e6:
        raise ValueError("a time must be more than nothing and less than 1000000 s")
    return seconds


def _positive_number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError("not a number, for example 10") from None
    if not 0 < number < 1e6:
        raise ValueError("must be more than 0 and less than 1000000")
    return number


def whole_number(text: str) -> int:
    """Return the whole number, 0 or more, that `text` is; raises ValueError that shows how to write it."""
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise ValueError("not a whole number, for example 500")
    return int(text)


Seconds = Annotated[
    float,
    Argument(
        _positive_time, "a time with its unit", dict.fromkeys(("5ms", "200us", "2s"), ""), tuple(SECONDS)
    ),
]
Number = Annotated[float, Argument(_positive_number, "a number", dict.fromkeys(("10", "15"), ""))]
Whole = Annotated[int, Argument(whole_number, "a whole number")]
Word = Annotated[str, Argument(str, "a word")]

# What completion knows more of, by the words for it.
LABEL = "a label"
SETTING = "a setting"
COMMAND = "a command"
CHANNEL = "the name of a channel"
REGION, REGION_NAME = "a region", "the name of a region"
CommandName = Annotated[str, Argument(str, COMMAND)]
Label = Annotated[str, Argument(str, LABEL)]
Key = Annotated[str, Argument(str, SETTING, dict.fromkeys(keys(), ""))]
# One that there is, and one that may be new.
Region = Annotated[str, Argument(str, REGION)]
RegionName = Annotated[str, Argument(str, REGION_NAME)]


@dataclass(frozen=True)
class Parameter:
    """A parameter of a command: one word, or (`rest`) all words that are left."""

    name: str
    argument: Argument
    required: bool
    rest: bool

    @property
    def usage(self) -> str:
        """How help writes the parameter, for example LABEL, [NAME] or on|off."""
        words = [repr(word)[1:-1] for word in self.argument.words] if self.argument.is_choice else []
        shown = "|".join(words) or self.name.upper()
        shown += "..." if self.rest else ""
        return shown if self.required else f"[{shown}]"


CommandFunction = Callable[..., Awaitable[CommandReply]]


@dataclass(frozen=True)
class Command:
    """A command: its `name` (one or two words), its function `run`, its `summary` for help, and its traits.

    `changes_frames`: it takes effect on a frame that a replay must hit; `ends_run`: no frame comes after it;
    `live`: the key of the setting that it changes while a run is under way ("": none); `turn`: when it is
    carried out, after others of the same source; `for_pictures`: all that it needs is a `PictureContext`, so
    that it works on a file, too.
    """

    name: str
    run: CommandFunction
    parameters: tuple[Parameter, ...]
    summary: str
    changes_frames: bool = False
    ends_run: bool = False
    live: str = ""
    turn: Turn = Turn.IN_TURN
    for_pictures: bool = False

    @property
    def usage(self) -> str:
        """How to write the command, for example: mark LABEL [TEXT...]."""
        return " ".join([self.name, *(parameter.usage for parameter in self.parameters)])

    def parse(self, words: list[str]) -> list[Any]:
        """Return the arguments for `run`, from the words after the name; raises UsageError."""
        values: list[Any] = []
        words = self._with_units(words)
        for i, parameter in enumerate(self.parameters):
            given = words[i:] if parameter.rest else words[i : i + 1]
            if not given and parameter.required:
                raise UsageError(f"{self.name}: {parameter.name.upper()} is missing; write: {self.usage}")
            for word in given:
                try:
                    values.append(parameter.argument.parse(word))
                except ValueError as error:
                    raise UsageError(f'{self.name} {parameter.name} = "{word[:80]}": {error}') from None
        takes_all = bool(self.parameters) and self.parameters[-1].rest
        if len(words) > len(self.parameters) and not takes_all:
            extra = words[len(self.parameters)]
            raise UsageError(f'{self.name}: "{extra[:80]}" is too much; write: {self.usage}')
        return values

    def _with_units(self, words: list[str]) -> list[str]:
        """Return the words with each number joined to the unit after it: 2 ms is 2ms."""
        joined = list(words)
        for i, parameter in enumerate(self.parameters):
            if i + 1 < len(joined) and joined[i + 1] in parameter.argument.units and joined[i][-1:].isdigit():
                joined[i : i + 2] = [f"{joined[i]}{joined[i + 1]}"]
        return joined


@dataclass(frozen=True)
class ParsedLine:
    """A line that was understood: a command with its arguments."""

    command: Command
    arguments: list[Any]

    async def execute(self, call: CommandContext | PictureContext) -> CommandReply:
        """Carry out the command and return its reply; raises what the command raises.

        Only one that is `for_pictures` takes a context that has no session.
        """
        return await self.command.run(call, *self.arguments)


# By name; filled when recorder.control.commands is imported.
COMMANDS: dict[str, Command] = {}

# What `at` takes for the camera's counter: journals of before say frame.
COUNTER_WORDS = ("counter", "frame")

# Other words for the first word of a command.
ALIASES = {"?": "help", "exit": "quit", "q": "quit"}


def command(
    *,
    changes_frames: bool = False,
    ends_run: bool = False,
    live: str = "",
    turn: Turn = Turn.IN_TURN,
) -> Callable[[CommandFunction], CommandFunction]:
    """Return a decorator that registers a coroutine function as a command, with these traits (see `Command`).

    Its name is the command's, underscores read as spaces; its first parameter is the `CommandContext`, or
    the `PictureContext` of one that changes only how frames are shown.
    """

    def register(function: CommandFunction) -> CommandFunction:
        name = function.__name__.rstrip("_").replace("_", " ")
        hints = get_type_hints(function, include_extras=True)
        context, *rest = inspect.signature(function).parameters.values()
        parameters = tuple(
            Parameter(
                p.name,
                _argument(hints[p.name]),
                required=p.default is p.empty and p.kind is not p.VAR_POSITIONAL,
                rest=p.kind is p.VAR_POSITIONAL,
            )
            for p in rest
        )
        summary = inspect.getdoc(function) or ""
        for_pictures = hints[context.name] is PictureContext
        COMMANDS[name] = Command(
            name, function, parameters, summary, changes_frames, ends_run, live, turn, for_pictures
        )
        return function

    return register


def find_command(line: str) -> Command | None:
    """Return the command that a line begins with, None where it begins with none; raises as `split` does."""
    return find_by_words(split(line))


def turn_of(line: str) -> Turn:
    """Return when a line is carried out, after others of the same source; one that is wrong in its turn."""
    try:
        known = find_command(line)
    except UsageError:
        return Turn.IN_TURN
    return known.turn if known else Turn.IN_TURN


def find_by_words(words: list[str]) -> Command | None:
    """Return the command that these words begin with, None where they begin with none."""
    words = unaliased(words)
    return COMMANDS.get(" ".join(words[:2])) or COMMANDS.get(words[0] if words else "")


def unaliased(words: list[str]) -> list[str]:
    """Return the words of a line with the command's own name in place of another word for it."""
    return [ALIASES.get(words[0], words[0]), *words[1:]] if words else []


def _argument(hint: Any) -> Argument:  # noqa: ANN401 - a type hint may be anything
    if isinstance(hint, UnionType) or get_origin(hint) is Union:
        # A word that may be left out.
        (hint,) = (one for one in get_args(hint) if one is not NoneType)
    meanings = Meanings()
    if get_origin(hint) is Annotated:
        hint, *beside = get_args(hint)
        for one in beside:
            if isinstance(one, Argument):
                return one
            meanings = one if isinstance(one, Meanings) else meanings
    if get_origin(hint) is Literal:
        words = get_args(hint)

        def choose(word: str) -> str:
            if word not in words:
                raise ValueError(f"must be {' or '.join(words)}{did_you_mean(word, words)}")
            return word

        return Argument(choose, "", {word: meanings.words.get(word, "") for word in words}, is_choice=True)
    return Argument(str, "text")


def split(line: str) -> list[str]:
    """Split a line into words; "double quotes" keep blanks, a word that begins with # ends the line.

    Raises UsageError for a line of more than `MAX_LINE` bytes, a control character or an unclosed quote.
    """
    if (size := len(line.encode(errors="replace"))) > MAX_LINE:
        raise UsageError(f"a line of {size} bytes; the longest allowed has {MAX_LINE}")
    if any(not character.isprintable() and character != "\t" for character in line):
        raise UsageError("a control character in the line; write plain text")
    words: list[str] = []
    position = 0
    while line[position:].strip():
        match = _WORD.match(line, position)
        if match is None:
            raise UsageError('a double quote without its partner; write "several words"')
        quoted, plain = match.groups()
        if plain and plain.startswith("#"):
            break
        words.append(plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        position = match.end()
    return words


def joined(words: list[str]) -> str:
    """Return a line that `split` takes apart into these words."""
    return " ".join(_quoted(word) if not word or re.search(r'\s|^["#]', word) else word for word in words)


def _quoted(word: str) -> str:
    escaped = re.sub(r'(["\\])', r"\\\1", word)
    return f'"{escaped}"'


def parse(line: str) -> ParsedLine | None:
    """Return the command and arguments of a line, None where it is empty; raises UsageError."""
    words = unaliased(split(line))
    if not words:
        return None
    for count in (2, 1):
        name = " ".join(words[:count])
        if name in COMMANDS and len(words) >= count:
            return ParsedLine(COMMANDS[name], COMMANDS[name].parse(words[count:]))
    known = sorted({name.split()[0] for name in COMMANDS})
    near = did_you_mean(words[0], known) or "; type help for the list"
    raise UsageError(f'unknown command "{words[0][:80]}"{near}')
