"""The command line: sub-commands, each imported when it is called; errors as one line."""

import contextlib
import importlib
import os
import sys
import threading
import traceback
from difflib import get_close_matches
from typing import NoReturn

import click

from recorder import __version__
from recorder.errors import RecorderError, UsageError
from recorder.frontends.printing import escaped, print_error

# The module and function of each, in the order in which help lists them; imported when they are called.
COMMANDS = {
    "run": "recorder.cli.run:run",
    "rig": "recorder.cli.rig:rig",
    "replay": "recorder.cli.replay:replay",
    "send": "recorder.cli.send:send",
    "cameras": "recorder.cli.cameras:cameras",
    "config": "recorder.cli.config:config",
    "info": "recorder.cli.info:info",
    "verify": "recorder.cli.files:verify",
    "recover": "recorder.cli.files:recover",
    "compress": "recorder.cli.compress:compress",
    "view": "recorder.cli.view:view",
    "export": "recorder.cli.export:export",
    "report": "recorder.cli.report:report",
    "bench": "recorder.cli.bench:bench",
}

# How long a thread that draws or parses may keep the camera thread waiting for the interpreter: the default
# of 5 ms is half a frame at 100 frames/s.
SWITCH_S = 0.0005

# How long our threads may take to end once there is nothing left to do.
EXIT_GRACE_S = 2.0


class LazyGroup(click.Group):
    """A click group whose sub-commands are those of `COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the sub-commands, in the order of help."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the sub-command and return it; None where there is none of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found: click.Command = getattr(importlib.import_module(module), name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that `args` begin with; fail with a usage error that names the nearest one."""
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(f"No such command '{args[0]}'." + (f" Did you mean '{near[0]}'?" if near else ""))
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="recorder")
def commands() -> None:
    """Record a camera: every frame on disk, in order; where frames are missing, which ones and why."""


def main() -> NoReturn:
    """Run the command line and exit; every error that a user can cause is one line and an exit code."""
    sys.setswitchinterval(SWITCH_S)
    try:
        code = commands.main(standalone_mode=False, prog_name="recorder") or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 2
    except click.ClickException as error:
        print_error(error.format_message())
        code = 2
    except UsageError as error:
        print_error(str(error))
        code = 2
    except RecorderError as error:
        print_error(str(error))
        code = 1
    except (KeyboardInterrupt, click.Abort):
        print_error("interrupted")
        code = 130
    except BaseException:
        # An error of our own: printed in full, and the process ends all the same.
        with contextlib.suppress(OSError):
            click.echo(escaped(traceback.format_exc(), lines=True), err=True)
        code = 1
    with contextlib.suppress(OSError, AttributeError, ValueError):
        sys.stdout.flush()
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join(EXIT_GRACE_S)
            if thread.is_alive():
                # A camera library or a disk that never returns must not keep the process alive.
                os._exit(code)
    sys.exit(code)
