"""Where the preview can be seen: the window, the page, and the console's own terminal."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from recorder.settings import address

# How a terminal shows a picture: two pixels a character, or by one of the two ways of sending real ones.
PictureForm = Literal["auto", "blocks", "sixel", "kitty"]

_LOOPBACK, _EVERYWHERE = {"localhost", "127.0.0.1", "::1"}, {"0.0.0.0", "::"}


class HereView(Protocol):
    """What shows the preview in the terminal of a console; on the event loop's thread."""

    @property
    def form(self) -> str:
        """How it is shown now, "" where it is not."""

    def show(self, form: PictureForm) -> str:
        """Show it above the prompt, and return how; raises UsageError where the terminal cannot."""

    def hide(self) -> None:
        """Show it no more; does nothing where it is not shown."""


@dataclass
class Displays:
    """The displays of a session, for whoever asks where to look.

    `page` is the address of the page, with the token where a new one was made ("": there is none),
    `page_here` that for programs on this computer, always with it, and alone where a rig shows it in its
    own; `no_window` says why no window opens ("": it does); `here` is None without a console.
    """

    page: str = ""
    no_window: str = "nobody sits at this computer"
    here: HereView | None = None
    page_here: str = ""

    def where(self, environment: Mapping[str, str] = os.environ) -> tuple[tuple[str, str], ...]:
        """Return where the preview is seen, or how it could be: rows of a table, for people alone."""
        rows = [("window", f"no: {self.no_window}" if self.no_window else "it opens on this computer")]
        is_remote = "SSH_CONNECTION" in environment
        name = socket.gethostname()
        if self.page:
            host, port = address.split(self.page.partition("//")[2].partition("/")[0])
            rows.append(("page", self.page.replace(host, name, 1) if host in _EVERYWHERE else self.page))
            if host in _LOOPBACK and (is_remote or self.no_window):
                rows.append(("from afar", f"ssh -L {port}:127.0.0.1:{port} {name}, then that address there"))
        elif self.page_here:
            rows.append(("page", "that over all cameras"))
        elif self.no_window:
            rows.append(("page", "none; quit, then recorder run --set preview.web=127.0.0.1:8080"))
        if self.no_window and is_remote and "DISPLAY" not in environment:
            rows.append(
                ("by ssh", f"ssh -X {name}, then recorder run, opens the window on your own computer")
            )
        if self.no_window and self.here is not None:
            shown = "above the prompt" if self.here.form else "preview here shows it in this terminal"
            rows.append(("here", shown))
        return tuple(rows)

    @property
    def summary(self) -> str:
        """Where the preview is seen, in some words without the page's token; "" where a window opens."""
        if not self.no_window:
            return ""
        if self.page:
            return f"on the page {self.page.partition('?')[0]}"
        if self.page_here:
            return "on the page over all cameras"
        return "nothing shows it yet: no page is open, and no window opens"
