"""The README and its pages in notes/ taken apart: their blocks, their tables, their code spans."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"

# In the order in which blocks and tables are accounted for; that of the configuration is made by a program.
PAGES = (
    README,
    *(ROOT / "notes" / f"{name}.md" for name in ("console", "file", "remote", "troubleshooting")),
)


@dataclass(frozen=True)
class Block:
    """A fenced block; `line` is where it begins in its page."""

    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """Return what it begins with, for the names of tests and for lists of what is accounted for."""
        return self.text.partition("\n")[0]


@dataclass(frozen=True)
class Table:
    """The cells of a table below its heading, row by row; `head` is the heading's first cell."""

    head: str
    rows: tuple[tuple[str, ...], ...]


def _read(page: Path) -> tuple[list[Block], list[Table], str]:
    blocks: list[Block] = []
    tables: list[Table] = []
    rows: list[tuple[str, ...]] = []
    inside: list[str] | None = None
    prose: list[str] = []
    language, began = "", 0
    for number, line in enumerate([*page.read_text(encoding="utf-8").splitlines(), ""], 1):
        if line.startswith("```"):
            if inside is None:
                inside, language, began = [], line[3:], number
            else:
                blocks.append(Block(began, language, "\n".join(inside)))
                inside = None
        elif inside is not None:
            inside.append(line)
        elif line.startswith("|"):
            rows.append(tuple(cell.strip() for cell in line.strip("|").split("|")))
            prose.append(line)
        else:
            if rows:
                # The row below the heading is a rule.
                tables.append(Table(rows[0][0], tuple(rows[2:])))
                rows = []
            prose.append(line)
    return blocks, tables, "\n".join(prose)


_READ = {page: _read(page) for page in PAGES}
BLOCKS = [block for blocks, _, _ in _READ.values() for block in blocks]
TABLES = [one for _, tables, _ in _READ.values() for one in tables]
PROSE_OF = {page: prose for page, (_, _, prose) in _READ.items()}
PROSE = "\n\n".join(PROSE_OF.values())


def table(head: str, first: str) -> Table:
    """Return the one table with that heading whose first cell begins with `first`."""
    (found,) = (t for t in TABLES if t.head == head and t.rows[0][0].startswith(first))
    return found


def spans(text: str) -> list[str]:
    """Return what stands between backquotes."""
    return re.findall(r"`([^`]+)`", text.replace("\n", " "))


def paragraph(first: str) -> str:
    """Return the one paragraph, or item of a list, that begins with these words."""
    (found,) = (
        part for part in re.split(r"\n\n+|\n(?=- )", PROSE) if part.removeprefix("- ").startswith(first)
    )
    return found
