"""Who may do what, and when a setting is read: the limits of commands that change more than the recording.

The operator, at the console or by a script, has the rights of whoever started the recorder. Programs and
displays, though they have the token, and journals that are replayed do not: they open no addresses, run no
code, and write into the recording's folder only.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Literal

from recorder.control.command_types import CommandContext
from recorder.control.registry import COMMANDS
from recorder.errors import UsageError
from recorder.settings.model import Settings


@dataclass(frozen=True)
class KeyRule:
    """When a key is read, and who may `set` it.

    `read`: as a run begins, when the program starts, or by a command of its own alone. `clients` and
    `replay`: whether programs and displays, and replayed journals, may set it.
    """

    read: Literal["run", "program", "command"] = "run"
    clients: bool = True
    replay: bool = True


_BY_RUN = KeyRule()
_BY_COMMAND = KeyRule("command")
_BY_PROGRAM = KeyRule("program")
_BY_PROGRAM_AT_CONSOLE = KeyRule("program", clients=False)

# Every key but those of the camera, which are read as a run begins and may be set by all, but one of them;
# and those of the metadata, of which any name is one.
KEY_RULES = {
    "recording.name": _BY_RUN,
    "recording.title": _BY_RUN,
    "recording.output": KeyRule("run", clients=False, replay=False),
    "recording.frames": _BY_RUN,
    "recording.duration": _BY_RUN,
    "recording.triggers": _BY_RUN,
    "recording.split": _BY_RUN,
    "recording.pretrigger": _BY_RUN,
    "recording.posttrigger": _BY_RUN,
    "recording.captures": _BY_RUN,
    "recording.channels": _BY_RUN,
    "recording.pixel_size": _BY_RUN,
    "optics.magnification": _BY_RUN,
    "camera.source": KeyRule("run", clients=False),
    "pool.memory": _BY_RUN,
    "storage.mode": _BY_RUN,
    "storage.reserve": _BY_RUN,
    "storage.checksum": _BY_RUN,
    "storage.compression": _BY_RUN,
    "storage.noise_fraction": _BY_RUN,
    "storage.conversion_factor": _BY_RUN,
    "storage.read_noise": _BY_RUN,
    "storage.dark_offset": _BY_RUN,
    "storage.compressors": _BY_RUN,
    "storage.limit": _BY_RUN,
    "storage.durable_every": _BY_PROGRAM,
    "remote.listen": _BY_PROGRAM_AT_CONSOLE,
    "remote.token": _BY_PROGRAM_AT_CONSOLE,
    "preview.on": _BY_COMMAND,
    "preview.rate": _BY_COMMAND,
    "preview.levels": _BY_COMMAND,
    "preview.mode": _BY_COMMAND,
    "preview.baseline": _BY_COMMAND,
    "preview.range": _BY_COMMAND,
    "preview.regions": _BY_COMMAND,
    "preview.colours": _BY_COMMAND,
    "preview.gamma": _BY_COMMAND,
    "preview.decimate": _BY_PROGRAM,
    "preview.saturation": _BY_PROGRAM,
    "preview.window": _BY_PROGRAM,
    "preview.web": _BY_PROGRAM_AT_CONSOLE,
    "preview.token": _BY_PROGRAM_AT_CONSOLE,
    "analysis.function": _BY_PROGRAM_AT_CONSOLE,
    "analysis.options": _BY_PROGRAM_AT_CONSOLE,
    "analysis.regions": _BY_RUN,
    "analysis.trigger": _BY_PROGRAM,
    "recording.capture_input": _BY_PROGRAM,
}


def check_keys(context: CommandContext, *keys: str) -> None:
    """Raise UsageError where who gave the command may not `set` these keys, or it would have no effect."""
    rules = {name: _rule(name) for name in (".".join(key.split(".")[:2]) for key in keys)}
    for key, rule in rules.items():
        if not (context.is_operator or (rule.replay if context.is_replay else rule.clients)):
            raise UsageError(f"{key} is set at the console only")
    running = context.session.running
    for key, rule in rules.items():
        if rule.read == "program":
            raise UsageError(
                f"{key} is read when the program starts: quit, then recorder run with --set {key}=VALUE"
            )
        section = key.partition(".")[0]
        live = next((known for known in COMMANDS.values() if known.live in {key, section}), None)
        if live is not None and (running or rule.read == "command"):
            raise UsageError(f"{key} is changed {'while it runs ' if running else ''}by: {live.usage}")


def _rule(key: str) -> KeyRule:
    return _BY_COMMAND if key.partition(".")[0] == "metadata" else KEY_RULES.get(key, _BY_RUN)


def changed_keys(before: Settings, after: Settings) -> list[str]:
    """Return the keys, such as "pool.memory", whose values differ."""
    old, new = _values(before), _values(after)
    return [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]


def _values(settings: Settings) -> dict[str, object]:
    tree = settings.model_dump(exclude_none=True)
    return {f"{section}.{name}": value for section, keys in tree.items() for name, value in keys.items()}


def is_plain_name(text: str) -> bool:
    """Return whether a text is a file's name without folders, on every system, that is not hidden."""
    windows = PureWindowsPath(text)
    return (
        bool(text)
        and text == PurePosixPath(text).name == windows.name
        and not text.startswith(".")
        and ":" not in text
        and not windows.is_reserved()
    )


def without_token(line: str) -> str:
    """Return a line as it may be written down: of one that sets a token, without the token."""
    return re.sub(r"^(\s*(?:(?:at|in|every)\s.*?)?\bset\s.*?\btoken\b).+", r"\1 ...", line)
