"""The preview in the console's own terminal: an area above the prompt that is redrawn in place.

The terminal says when it has taken in a picture; only then the next is sent. So a slow connection gets fewer
of them, one that stands still none, and neither what is typed nor the recording waits behind pictures.
"""

import asyncio
import contextlib
import logging
import os
import struct
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial

from prompt_toolkit import PromptSession
from prompt_toolkit.filters import Condition, is_done
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import ConditionalContainer, Dimension, FloatContainer, HSplit, Window
from prompt_toolkit.layout.controls import UIContent, UIControl
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.renderer import CPR_Support

from recorder.control.displays import PictureForm
from recorder.errors import UsageError
from recorder.frontends.news import News
from recorder.frontends.terminal_area import CARRIER, Area, compose
from recorder.frontends.terminal_graphics import END_KITTY
from recorder.frontends.terminal_kind import graphics
from recorder.frontends.terminal_picture import Fragments
from recorder.session.session import Session

if sys.platform != "win32":
    import fcntl
    import termios

log = logging.getLogger(__name__)

# At most so many pictures a second, and of the loop's time at most such a share.
RATE = 4.0
SHARE = 0.05

# Where the terminal does not say when it is ready, or is silent; and where no picture comes.
SILENT_S = 2.0
STALE_S = 0.5

# Rows that are kept for answers, the prompt and the toolbar: a share of the terminal, and at least so many.
ANSWERS, LEAST_ANSWERS, PROMPT = 0.3, 7, 3
LEAST_ROWS = 4

# Pixels of a character, where the terminal does not tell.
CELL = (8, 16)


class _Lines(UIControl):
    """Lines of text as prompt_toolkit draws them, without its own work on them at every key."""

    def __init__(self, lines: Callable[[], list[Fragments]]) -> None:
        self._lines = lines

    def create_content(self, width: int, height: int | None) -> UIContent:
        """Return the lines as they are."""
        del width, height
        lines = self._lines()
        return UIContent(lambda i: [*lines[i]], len(lines), show_cursor=False)


class InlinePreview:
    """Shows the preview of a session above the prompt of `prompt`; costs nothing while it is not shown.

    On the event loop's thread; pictures become text on another. `close` ends it.
    """

    def __init__(
        self, session: Session, prompt: "PromptSession[str]", environment: Mapping[str, str] = os.environ
    ) -> None:
        self._session, self._prompt, self._environment = session, prompt, environment
        self._news = News(session)
        self.form = ""
        # The terminal has not answered for long: it is not read, and takes little more.
        self.is_stalled = False
        self._task: asyncio.Task[None] | None = None
        self._switched_on = False
        self._lines: list[Fragments] = []
        self._graphics, self._turn = "", 0
        self._asked, self._began_s, self._cost_s, self._last_cost_s = 0, 0.0, 0.0, 0.0
        self._answered, self._drawn = asyncio.Event(), asyncio.Event()
        self._menu_rows = prompt.reserve_space_for_menu
        self._place()

    # What is asked for.

    def show(self, form: PictureForm) -> str:
        """Show the preview above the prompt, and switch it on; return how, or raise UsageError."""
        if self._rows() < LEAST_ROWS:
            raise UsageError("preview here: this terminal has too few rows; make it larger")
        wanted = (graphics(self._environment) or "blocks") if form == "auto" else form
        if wanted != "blocks" and self._bits == 1:
            raise UsageError(f"preview here {wanted}: this terminal has no colours; preview here blocks")
        if self.form == "kitty":
            self._forget_kitty()
        self._switched_on = self._switched_on or not self._session.preview.on
        self._session.preview.switch(True)
        self.form = wanted
        # Completions come over the picture while one types, in place of rows of their own.
        self._prompt.reserve_space_for_menu = 0
        if self._task is None:
            self._task = asyncio.create_task(self._show())
            self._prompt.app.before_render += self._note_drawing
            self._prompt.app.after_render += self._note_drawn
        if wanted == "blocks":
            return "characters without colours" if self._bits == 1 else "two pixels a character"
        return f"by {wanted}; if you see none, preview here blocks"

    def hide(self) -> None:
        """Show nothing more; the preview is off again where it was switched on for this."""
        if self._switched_on:
            self._session.preview.switch(False)
        if self._task is not None:
            self._task.cancel()
            self._end()

    async def close(self) -> None:
        """Show nothing more, and wait until it is over."""
        task = self._task
        if task is not None:
            task.cancel()
            self._end()
            await asyncio.gather(task, return_exceptions=True)

    def _end(self) -> None:
        if self._task is None:
            return
        self._task = None
        if self.form == "kitty":
            self._forget_kitty()
        self.form, self._lines, self._graphics, self._switched_on = "", [], "", False
        self.is_stalled = False
        self._prompt.reserve_space_for_menu = self._menu_rows
        self._prompt.app.before_render -= self._note_drawing
        self._prompt.app.after_render -= self._note_drawn
        self._prompt.app.invalidate()

    def _forget_kitty(self) -> None:
        self._prompt.app.output.write_raw(END_KITTY)

    # Its place in the layout of the prompt.

    def _place(self) -> None:
        """Put the area above the prompt, below what is printed; completions float over it."""
        window = Window(_Lines(lambda: self._now), height=lambda: Dimension.exact(self._rows()))
        shown = Condition(lambda: bool(self._lines) and self._session.preview.on and self._rows() > 0)
        floats = next(part for part in self._prompt.layout.walk() if isinstance(part, FloatContainer))
        inside = floats.content
        if not isinstance(inside, HSplit):
            raise TypeError(f"the prompt has another layout: {inside!r}")
        inside.children.insert(0, ConditionalContainer(window, shown & ~is_done))
        bindings = KeyBindings()
        bindings.add(Keys.CPRResponse, save_before=lambda _: False)(self._take_answer)
        self._prompt.key_bindings = bindings

    @property
    def _bits(self) -> int:
        depth = self._prompt.app.color_depth
        return 1 if depth in {ColorDepth.DEPTH_1_BIT, ColorDepth.DEPTH_4_BIT} else 24

    def _rows(self) -> int:
        """Return how many rows the picture has, 0 where the terminal is too small."""
        rows = self._prompt.app.output.get_size().rows
        rows -= PROMPT + max(LEAST_ANSWERS, round(ANSWERS * rows))
        return rows if rows >= LEAST_ROWS else 0

    @property
    def _now(self) -> list[Fragments]:
        """The lines, with the sequences that draw real pixels, but for a terminal that is not read.

        prompt_toolkit sends what stands before a character only where that is another one than before, which
        the carrier of each picture is, or where it draws all anew.
        """
        if not self._graphics or self.is_stalled:
            return self._lines
        *lines, last = self._lines
        at = next(i for i, (style, _) in enumerate(last) if style == CARRIER)
        carrier = (f"{CARRIER} class:picture{self._turn}", last[at][1])
        return [*lines, [*last[:at], ("[ZeroWidthEscape]", self._graphics), carrier, *last[at + 1 :]]]

    # Pictures, one after the other.

    async def _show(self) -> None:
        """Draw one picture after the other until the preview is off."""
        preview = self._session.preview
        drawn, drawn_as = None, None
        try:
            while preview.on:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(STALE_S):
                        await preview.next_picture()
                if (picture := preview.latest) is None:
                    continue
                area, standing = self._area(), self._news.standing()
                # Real pixels would cover the completions that cover them.
                is_covered = area.form != "blocks" and self._prompt.default_buffer.complete_state
                looks = (area, standing, preview.colours_of(picture))
                if is_covered:
                    drawn = None
                elif area.rows and (picture is not drawn or looks != drawn_as):
                    drawn, drawn_as = picture, looks
                    composed = partial(compose, area, picture, preview, standing)
                    self._lines, self._graphics = await asyncio.to_thread(composed)
                    self._turn ^= 1
                    await self._draw()
                await asyncio.sleep(max(1 / RATE, self._cost_s / SHARE))
        except Exception as error:
            log.warning("preview here: %r; it is off, the recording goes on", error)
        finally:
            self._end()

    def _area(self) -> Area:
        """Return the room for a picture as it is now."""
        columns = self._prompt.app.output.get_size().columns
        return Area(columns, self._rows(), self._cell(), self.form, has_colours=self._bits > 1)

    def _cell(self) -> tuple[int, int]:
        """Return width and height of a character in pixels."""
        if sys.platform != "win32":
            with contextlib.suppress(OSError):
                packed = fcntl.ioctl(self._prompt.app.output.fileno(), termios.TIOCGWINSZ, bytes(8))
                rows, columns, wide, high = struct.unpack("HHHH", packed)
                if rows and columns and wide // columns and high // rows:
                    return wide // columns, high // rows
        return CELL

    # What the terminal has taken in.

    async def _draw(self) -> None:
        """Draw the lines, and wait until the terminal has them."""
        self._drawn.clear()
        self._prompt.app.invalidate()
        await self._drawn.wait()
        output, renderer = self._prompt.app.output, self._prompt.app.renderer
        if not output.responds_to_cpr or renderer.cpr_support is CPR_Support.NOT_SUPPORTED:
            if sys.platform != "win32":
                await asyncio.sleep(SILENT_S)
            return
        while True:
            self._answered.clear()
            if not renderer.waiting_for_cpr:
                self._asked = 1
                output.ask_for_cpr()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SILENT_S):
                    await self._answered.wait()
                    self.is_stalled = False
                    return
            self._asked, self.is_stalled = 0, True

    def _note_drawing(self, _: object) -> None:
        self._began_s = time.perf_counter()

    def _note_drawn(self, _: object) -> None:
        # The first picture, and one of new colours, takes longer than those after it.
        cost_s = time.perf_counter() - self._began_s
        self._cost_s, self._last_cost_s = min(cost_s, self._last_cost_s), cost_s
        self._drawn.set()

    def _take_answer(self, event: KeyPressEvent) -> None:
        """Take the terminal's answer to where its cursor is: ours, or prompt_toolkit's own."""
        if self._asked:
            self._asked -= 1
        else:
            row = int(event.data[2:-1].split(";")[0])
            event.app.renderer.report_absolute_cursor_row(row)
        self._answered.set()
