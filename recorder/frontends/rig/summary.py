"""How the cameras of a rig ended, and all of them as one: in words, and as JSON."""

from pathlib import Path
from typing import Any

from recorder.frontends.rig.files import verdict_of
from recorder.frontends.rig.rig import Rig
from recorder.frontends.terminal import VERDICT_COLOURS
from recorder.session.status import EXIT_CODES
from recorder.storage.records import Verdict


def verdict(rig: Rig) -> Verdict:
    """Return the worst verdict of all cameras."""
    ends = [Verdict(verdict_of(rig, name, is_over=True)[0]) for name in rig.cameras]
    return max(ends, key=lambda one: one.severity)


def exit_code(rig: Rig) -> int:
    """Return the exit code: that of the worst verdict."""
    return EXIT_CODES[verdict(rig)]


def summary_lines(rig: Rig, path: Path | None) -> list[tuple[str, str]]:
    """Return lines and their colours: how each camera ended, then the rig; `path` is the rig's file."""
    lines = []
    for name, camera in rig.cameras.items():
        word, cause = verdict_of(rig, name, is_over=True)
        colour = VERDICT_COLOURS[Verdict(word)]
        if camera.summary is not None:
            first, _, figures = camera.summary.text.partition("\n")
            if word == Verdict.FAILED and cause:
                lines.append((f"{name}: {cause}", colour))
            lines.append((f"{name}: {first}", colour))
            if camera.files:
                lines.append((f"  {figures}", ""))
        else:
            lines.append((f"{name}: failed: {cause}", colour))
            lines += [(f"  recorder recover {file}", "") for file in list(camera.files)[-1:]]
    worst = verdict(rig)
    which = [name for name in rig.cameras if verdict_of(rig, name, is_over=True)[0] == worst]
    of = "" if len(which) == len(rig.cameras) else f" ({', '.join(which)})"
    where = f"; all cameras in {path}" if path is not None else ""
    return [*lines, (f"rig: {worst}{of}{where}", VERDICT_COLOURS[worst])]


def for_json(rig: Rig, path: Path | None) -> dict[str, Any]:
    """Return the line that `--json` prints: one verdict, and of each camera what `run --json` prints."""
    cameras: dict[str, dict[str, Any]] = {}
    for name, camera in rig.cameras.items():
        word, cause = verdict_of(rig, name, is_over=True)
        if camera.summary is not None:
            cameras[name] = camera.summary.fields
        else:
            files = [{"file": str(file), "frames": None} for file in camera.files]
            cameras[name] = {"files": files, "verdict": word, "cause": cause}
    return {"rig": None if path is None else str(path), "verdict": verdict(rig), "cameras": cameras}
