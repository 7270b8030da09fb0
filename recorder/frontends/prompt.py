"""The prompt of a console in its terminal, whatever it is typed for."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TextIO, cast

from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input, create_input
from prompt_toolkit.output import ColorDepth, Output, create_output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.patch_stdout import patch_stdout

from recorder.control.command_types import Conversation
from recorder.frontends.above_prompt import STYLE, AbovePrompt
from recorder.frontends.terminal_kind import colour_bits
from recorder.frontends.terminal_writer import TerminalWriter

# The toolbar is drawn twice a second: up to date, and a light load also over a slow ssh.
REFRESH_S = 0.5

# Where the terminal says how many bits of colour it has.
COLOURS = {1: ColorDepth.DEPTH_1_BIT, 24: ColorDepth.DEPTH_24_BIT}


class CommandCompleter(Completer):
    """Complete commands for prompt_toolkit: the words that may follow a text, each with its meaning."""

    def __init__(self, complete: Callable[[str], Iterable[tuple[str, str]]]) -> None:
        self._complete = complete

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Yield the words that may complete the one before the cursor, or follow it."""
        del complete_event
        before = document.text_before_cursor
        word = "" if not before or before[-1].isspace() else before.split()[-1]
        for text, meaning in self._complete(before):
            yield Completion(text, -len(word), display_meta=meaning)


def asking(conversation: Conversation) -> Callable[[], StyleAndTextTuples]:
    """Return what a prompt shows: the question that waits for an answer, if there is one."""

    def before() -> StyleAndTextTuples:
        return [("class:prompt", f"{conversation.question} y/N > " if conversation.question else "> ")]

    return before


def make_prompt(
    complete: Callable[[str], Iterable[tuple[str, str]]],
    toolbar: Callable[[], StyleAndTextTuples],
    *,
    on_stderr: bool,
) -> PromptSession[str]:
    """Return a prompt with history and toolbar; `complete` yields words that may follow, with their meaning.

    `on_stderr`: it is shown on standard error.
    """
    output = create_output(stdout=sys.stderr if on_stderr else None)
    return PromptSession(
        history=_history(),
        completer=CommandCompleter(complete),
        complete_while_typing=True,
        auto_suggest=AutoSuggestFromHistory(),
        bottom_toolbar=toolbar,
        refresh_interval=REFRESH_S,
        style=STYLE,
        color_depth=COLOURS.get(colour_bits(os.environ) or 0),
        input=_unechoed(create_input()),
        output=output,
    )


@contextlib.contextmanager
def at_terminal(prompt: PromptSession[str]) -> Iterator[AbovePrompt]:
    """Have the terminal for the prompt during `with`; yield what prints above it."""
    keyboard, output = prompt.app.input, prompt.app.output
    with (
        _written_apart(output),
        keyboard.raw_mode(),
        create_app_session(keyboard, output),
        patch_stdout(raw=True),
    ):
        yield AbovePrompt()


def _history() -> History:
    """Return a history that survives restarts, where its file can be had."""
    home = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    path = Path(home).expanduser() / "recorder" / "history"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))


def _unechoed(keyboard: Input) -> Input:
    """Return a keyboard that stays in raw mode while something is printed above the prompt.

    What is typed in that moment, or before the next prompt, waits for it; the terminal would echo it.
    """
    # What is printed needs no other mode.
    keyboard.cooked_mode = contextlib.nullcontext  # type: ignore[method-assign]
    return keyboard


@contextlib.contextmanager
def _written_apart(output: Output) -> Iterator[None]:
    """Have a thread write to the terminal during `with`; at its end all is written that can be."""
    # On Windows what is written needs a mode of the console that is set around it.
    if sys.platform == "win32" or not isinstance(output, Vt100_Output):
        yield
        return
    stream = output.stdout
    writer = TerminalWriter(stream)
    output.stdout = cast("TextIO", writer)
    try:
        yield
    finally:
        writer.close()
        # What the end of the session has to say is still printed.
        output.stdout = stream
