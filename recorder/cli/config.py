"""`recorder config`: the reference of all settings, and a configuration to begin with."""

import shutil
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from recorder.errors import StorageError, UsageError
from recorder.frontends.printing import print_line
from recorder.settings.cameras import CAMERAS
from recorder.settings.reference import KeyReference, TableReference, find, tables
from recorder.settings.template import template

# Longer lines are hard to read.
MAX_WIDTH = 100

_PAGE_HEAD = """\
# Configuration

Every key of the configuration, as `recorder config` shows it; made by `recorder config --markdown`.

A configuration is a TOML file; `recorder config --template pco` writes one to begin with. `--set KEY=VALUE`
overrides any key. Times and sizes have units: `"5ms"`, `"512MB"`.
"""


@click.command()
@click.argument("key", required=False, metavar="[KEY]")
@click.option(
    "--template",
    "kind",
    metavar="|".join(CAMERAS),
    help="Write a configuration with every key, for a camera of this kind.",
)
@click.option("--markdown", is_flag=True, help="Write the reference as a page.")
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="Into a new file, not to the terminal."
)
def config(key: str | None, kind: str | None, markdown: bool, output: Path | None) -> int:
    """Show what each key of the configuration means and allows, or KEY alone.

    KEY is a key such as camera.exposure, or a section such as camera.
    """
    if sum((key is not None, kind is not None, markdown)) > 1:
        raise UsageError("write one of KEY, --template and --markdown")
    if kind is not None:
        text = template(kind)
    elif markdown:
        text = page()
    else:
        width = min(shutil.get_terminal_size().columns, MAX_WIDTH)
        text = "\n".join(_lines(find(key) if key else tables(), width)) + "\n"
    if output is None:
        print_line(text.removesuffix("\n"))
    else:
        _write(output, text)
    return 0


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path}: exists already, and nothing is ever overwritten") from None
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror or error}") from None


def _lines(found: Iterable[TableReference], width: int) -> Iterator[str]:
    """Yield the reference of these tables as lines of a terminal."""
    for i, table in enumerate(found):
        if i:
            yield ""
        yield from _wrapped(f"{_title(table)}: {table.meaning}", width, "")
        for key in table.keys:
            yield f"  {key.name}{_default(key)}"
            yield from _wrapped(key.meaning, width, "      ")
            yield from _wrapped(key.values, width, "      ")


def _title(table: TableReference) -> str:
    return f'{table.header} kind = "{table.kind}"' if table.kind else table.header


def _default(key: KeyReference) -> str:
    if key.default:
        return f" = {key.default}"
    return " (has to be given)" if key.required else " (omitted by default)"


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent or "    ", break_on_hyphens=False
    )


def page() -> str:
    """Return the reference as a page of Markdown."""
    parts = [_PAGE_HEAD]
    for table in tables():
        title = f"## `{table.header}`" + (f', `kind = "{table.kind}"`' if table.kind else "")
        rows = ["| key | meaning | allowed | default |", "| --- | --- | --- | --- |"]
        for key in table.keys:
            default = f"`{key.default}`" if key.default else "has to be given" if key.required else "omitted"
            rows.append(f"| `{key.name}` | {key.meaning} | {key.values} | {default} |")
        parts.append("\n".join([title, "", table.meaning, "", *rows, ""]))
    return "\n".join(parts)
