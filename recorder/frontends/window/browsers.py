"""The browsers of this computer that can show a page in a window of its own, without tabs."""

import os
import shutil
import sys
from pathlib import Path

# Where PATH knows them, the one that a system has by its own choice first.
COMMANDS = (
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
    "chromium",
    "chromium-browser",
    "brave-browser",
)

# On Windows, which has Edge, and on macOS they stand in places of their own.
_WINDOWS = (r"Microsoft\Edge\Application\msedge.exe", r"Google\Chrome\Application\chrome.exe")
_MACOS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)


def find_browser() -> str | None:
    """Return the path of a browser that knows `--app`, None where there is none."""
    places = [found for name in COMMANDS if (found := shutil.which(name))]
    if sys.platform == "win32":
        roots = (os.environ.get(name) for name in ("PROGRAMFILES(X86)", "PROGRAMFILES", "LOCALAPPDATA"))
        places += [str(Path(root) / program) for root in roots if root for program in _WINDOWS]
    elif sys.platform == "darwin":
        places += _MACOS
    return next((place for place in places if Path(place).exists()), None)


def readable_folder(program: str) -> Path | None:
    """Return the folder in which files are found by this browser too, None where any folder will do."""
    # A snap has a /tmp of its own, and sees no hidden folders of the user.
    if Path(program).is_relative_to("/snap"):
        folder = Path.home() / "snap" / Path(program).name / "common"
        return folder if folder.is_dir() else None
    return None


def arguments(page: Path, folder: Path) -> list[str]:
    """Return the arguments that have a browser show a page in a window of its own, and nothing else.

    A profile of its own, in `folder`, makes it a process of ours: a browser that runs already would take the
    page over, and could not be closed by us.
    """
    return [
        f"--app={page.as_uri()}",
        f"--user-data-dir={folder / 'profile'}",
        "--window-size=1280,800",
        "--no-first-run",
        "--no-default-browser-check",
        # Nothing is kept in it, so nobody is asked to unlock a keyring.
        "--password-store=basic",
        # A recording's computer talks to nobody; there may be no internet either.
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-extensions",
    ]
