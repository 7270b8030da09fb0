"""`recorder cameras`: list the connected PCO cameras, or say what keeps them from being found."""

import click

from recorder.camera.pco.library import connected, vendor, why_not_found
from recorder.errors import CameraError
from recorder.frontends.printing import escaped, print_json, print_line
from recorder.frontends.terminal import reserve_stdout


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON for each camera.")
def cameras(as_json: bool) -> int:
    """List the PCO cameras that are connected, or say what keeps them from being found."""
    if as_json:
        reserve_stdout()
    vendor()
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
