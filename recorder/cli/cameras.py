"""`recorder cameras`: list the connected PCO cameras, or look closely at one of them."""

import platform
from importlib import metadata
from typing import Any

import click

from recorder import __version__
from recorder.camera.pco.first_day import Holds, Report, look_at
from recorder.camera.pco.library import connected, vendor, why_not_found
from recorder.errors import CameraError, UsageError
from recorder.frontends.printing import escaped, print_json, print_line
from recorder.frontends.terminal import reserve_stdout

_ANY = "any"


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each camera.")
@click.option(
    "--check",
    "checked",
    metavar="[SERIAL]",
    is_flag=False,
    flag_value=_ANY,
    help="Take ten frames from this camera, record nothing, and compare what comes with what is expected; "
    "prints a page to send with a question. Exit code 1 where something differs.",
)
def cameras(as_json: bool, checked: str | None) -> int:
    """List the PCO cameras that are connected, or say what keeps them from being found."""
    if as_json:
        reserve_stdout()
    vendor()
    if checked is not None:
        return _check(checked, as_json=as_json)
    found = connected()
    for one in found:
        known = {name: value for name, value in vars(one).items() if value != ""}
        if as_json:
            print_json(known)
        else:
            listed = (f"{name:10}{escaped(str(value))}" for name, value in known.items())
            print_line("\n".join([*listed, ""]))
    if not found:
        raise CameraError(why_not_found(None, None))
    return 0


def _check(serial: str, *, as_json: bool) -> int:
    if serial != _ANY and not serial.isdecimal():
        raise UsageError(f"--check {serial}: must be a serial number, or nothing for the first camera found")
    report = look_at(None if serial == _ANY else int(serial))
    versions = {
        "recorder": __version__,
        "pco": metadata.version("pco"),
        "python": platform.python_version(),
        "system": platform.platform(),
    }
    if as_json:
        findings = [vars(finding) for finding in report.findings]
        print_json(
            {"camera": report.camera, "findings": findings, **versions, "described": report.descriptions}
        )
    else:
        print_line("\n".join(_page(report, versions)))
    return 0 if report.holds else 1


def _page(report: Report, versions: dict[str, str]) -> list[str]:
    """Return the lines of the page: findings first, then everything that the camera says of itself."""
    lines = [
        ", ".join(f"{name} {version}" for name, version in versions.items()),
        report.camera or "no camera opened",
        "",
    ]
    lines += [f"{finding.holds:10}{finding.about}: {escaped(finding.seen)}" for finding in report.findings]
    differing = sum(finding.holds is Holds.NO for finding in report.findings)
    total = f"{differing} of {len(report.findings)} differ" if differing else "everything is as expected"
    lines += ["", total, ""]
    for name, description in report.descriptions.items():
        lines += [f"{name}:", *(f"    {key}: {_shown(key, value)}" for key, value in description.items())]
    return lines


def _shown(key: str, value: Any) -> str:  # noqa: ANN401
    """Return a value as text; bits and codes as the vendor's headers have them."""
    return f"0x{value:08x}" if "Caps" in key or key.endswith("raw") else escaped(str(value))
