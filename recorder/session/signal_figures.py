"""How many rows of signals became of what."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(frozen=True)
class SignalFigures:
    """Rows by the name of their signal: in files, in none as nothing was saved, and lost."""

    saved: Counter[str] = field(default_factory=Counter)
    unsaved: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return bool(self.saved or self.unsaved or self.lost)

    def __str__(self) -> str:
        kinds = ((self.saved, "saved"), (self.unsaved, "not saved"), (self.lost, "lost"))
        return ", ".join(_told(rows, words) for rows, words in kinds if rows)

    @classmethod
    def of_all(cls, several: Iterable[Self]) -> Self:
        """Return the sum of several."""
        total = cls()
        for one in several:
            total.saved.update(one.saved)
            total.unsaved.update(one.unsaved)
            total.lost.update(one.lost)
        return total

    def for_json(self) -> dict[str, Any]:
        """Return what `--json` prints of it."""
        kinds = {"signals": self.saved, "signals_unsaved": self.unsaved, "signals_lost": self.lost}
        return {name: dict(rows) for name, rows in kinds.items() if rows}


def _told(rows: Counter[str], words: str) -> str:
    return f"{rows.total()} {words} ({', '.join(f'{name} {count}' for name, count in rows.items())})"
