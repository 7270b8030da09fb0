"""The console of a rig: one prompt over all cameras, whose figures stand in a line each below it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.formatted_text import StyleAndTextTuples

from recorder.control.command_types import Conversation
from recorder.errors import UsageError
from recorder.frontends.above_prompt import text_columns
from recorder.frontends.console_text import Show, table_text
from recorder.frontends.prompt import asking, at_terminal, make_prompt
from recorder.frontends.rig.camera_process import CameraAnswer
from recorder.frontends.rig.lines import complete_line
from recorder.frontends.rig.rig import Rig
from recorder.frontends.toolbar import ToolbarItem, figures, hint, hint_below, line_of

# What whoever sits at a rig's console for the first time types.
FIRST_WORDS = "a line goes to all, {name}: LINE to one; mark LABEL, exposure 2ms, stop, quit; ? lists all"


async def run(rig: Rig, script: Callable[[], Awaitable[None]] | None, *, on_stderr: bool) -> None:
    """Start all cameras and take lines until the rig is left, or nothing is left to wait for.

    A `script` is carried out beside what is typed. `on_stderr`: the prompt is on standard error. The caller
    leaves the rig.
    """
    prompt = make_prompt(
        lambda text: complete_line(text, rig.names), lambda: _toolbar(rig), on_stderr=on_stderr
    )
    conversation = Conversation("console")
    with at_terminal(prompt) as above:
        logging.basicConfig(level=logging.INFO, handlers=[above], force=True)
        before = rig.tell
        rig.tell = lambda text, failed: above.show(text, "class:failed" if failed else "class:others")
        tasks: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(_take_lines(prompt, rig, conversation, above.show))
        ]
        try:
            if not await rig.start("console", 0, _teller(rig, above.show)):
                return
            above.show(FIRST_WORDS.format(name=rig.names[0]))
            tasks += [asyncio.ensure_future(rig.until(rig.is_over))]
            tasks += [asyncio.ensure_future(rig.leaving.wait())]
            scripting = [asyncio.ensure_future(script())] if script else []
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            tasks += scripting
        finally:
            rig.tell = before
            # No prompt stays behind that nobody types at.
            prompt.app.erase_when_done = True
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _take_lines(prompt: PromptSession[str], rig: Rig, conversation: Conversation, show: Show) -> None:
    """Carry out what is typed, each line in a task of its own, so that a slow one does not delay the next."""
    tell = _teller(rig, show)

    async def carry_out(line: str) -> None:
        try:
            await rig.execute(line, conversation, tell)
        except UsageError as error:
            show(str(error), "class:refused")

    async with asyncio.TaskGroup() as under_way:
        while not rig.leaving.is_set():
            try:
                line = await prompt.prompt_async(asking(conversation), handle_sigint=False)
            except KeyboardInterrupt:
                conversation.ask("", "")
                continue
            except EOFError:
                line = "quit"
            under_way.create_task(carry_out(line))


def _teller(rig: Rig, show: Show) -> Callable[[tuple[str, ...], CameraAnswer], None]:
    """Return what shows answers, each with the names of the cameras that gave it."""

    def tell(names: tuple[str, ...], answer: CameraAnswer) -> None:
        style = "" if answer.status == "ok" else f"class:{answer.status}"
        is_of_all = len(names) in {0, len(rig.cameras)} and bool(answer.table)
        head = ", ".join(names)
        if answer.table:
            table = table_text(answer.table, text_columns())
            show(table if is_of_all else f"{head}\n{table}", style)
        elif answer.text:
            show(f"{head}: {answer.text}" if head else answer.text, style)

    return tell


def _toolbar(rig: Rig) -> StyleAndTextTuples:
    """Return a line of figures for each camera, and how to write the command being typed."""
    app = get_app()
    columns, typed = app.output.get_size().columns, app.current_buffer.text
    width = max(map(len, rig.names))
    shown: StyleAndTextTuples = []
    for name, camera in rig.cameras.items():
        items = [ToolbarItem(f"{name:{width}}", 0)]
        if camera.died:
            items = [ToolbarItem(f"{name:{width}}  {camera.died}", 0, alarm=True)]
        elif camera.gone.is_set():
            items.append(ToolbarItem("has left", 0))
        elif camera.is_silent:
            items.append(ToolbarItem("does not answer", 0, alarm=True))
        elif camera.live is None:
            items.append(ToolbarItem("is being started", 0))
        elif camera.live.state == "opening":
            items.append(ToolbarItem("opening the camera", 0))
        elif camera.live.state == "idle":
            items.append(ToolbarItem("not started", 0))
        else:
            items += figures(camera.live, None, columns)
        shown += [*([("", "\n")] if shown else []), *line_of(items, columns)]
    _, colon, rest = typed.partition(":")
    return [*shown, *hint_below(hint(rest.lstrip() if colon else typed, ""), columns)]
