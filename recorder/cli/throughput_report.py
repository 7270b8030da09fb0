"""What `recorder bench` measured: a verdict, and a table below it."""

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Measurement:
    """One measurement: `group` is the frame size ("2560x2160"), `way` what was measured ("raw direct").

    GB/s and CPU s/GB are over the bytes of frames that are durable (of "memcpy": copied), `fps` is frames/s.
    Where frames are compressed, `ratio` says how much smaller they became, `as_is` which share of the chunks
    is stored as it is.
    """

    group: str
    way: str
    gb_per_s: float
    cpu_s_per_gb: float
    fps: float
    lost: int = 0
    ratio: float = 1.0
    as_is: float = 1.0


@dataclass
class Report:
    """All measurements, and the `rate` of the configured camera in frames/s (inf: as fast as it can).

    `configured` is the group of the configured camera, `frame_bytes` the size of a frame of each group.
    """

    rate: float
    configured: str
    frame_bytes: dict[str, int]
    measurements: list[Measurement] = field(default_factory=list)

    def of(self, group: str, way: str) -> list[Measurement]:
        """Return the measurements of a frame size and a way, in the order of the rounds."""
        return [m for m in self.measurements if (m.group, m.way) == (group, way)]

    def median(self, group: str, way: str) -> float:
        """Return the median GB/s of a frame size and a way; raises StatisticsError where there is none."""
        return statistics.median(m.gb_per_s for m in self.of(group, way))

    def ratio(self, group: str, way: str, base: str) -> float:
        """Return the median, over the rounds, of the ratio of `way` to `base` in GB/s; NaN without a base."""
        pairs = zip(self.of(group, way), self.of(group, base), strict=False)
        ratios = [a.gb_per_s / b.gb_per_s for a, b in pairs]
        return statistics.median(ratios) if ratios else math.nan

    def verdict(self) -> str:
        """Return a sentence: whether this computer keeps up with the configured camera, and how well."""
        ways = {
            m.way for m in self.measurements if m.group == self.configured and m.way.startswith("recorder")
        }
        best_way = max(ways, key=lambda way: self.median(self.configured, way))
        best = self.median(self.configured, best_way)
        by = f" with {best_way.partition(', ')[2]} compression" if "," in best_way else ""
        if math.isinf(self.rate):
            frames = best * 1e9 / self.frame_bytes[self.configured]
            return f"this computer takes {frames:.0f} frames/s of {self.configured}{by}: {best:.2f} GB/s"
        camera = f"{self.configured} at {self.rate:g} frames/s"
        needs = self.frame_bytes[self.configured] * self.rate / 1e9
        figures = f"{needs:.3g} GB/s needed, {best:.2f} GB/s sustained{by}"
        times = best / needs
        if times < 1:
            return f"this computer does NOT keep up with {camera}: only {times:.2f} of it ({figures})"
        return f"this computer keeps up with {camera}, {times:.1f} times over ({figures})"

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield a row for each frame size and way, by the names of its columns; a missing ratio is NaN."""
        is_packed = any(m.ratio != 1 for m in self.measurements)
        for group, way in dict.fromkeys((m.group, m.way) for m in self.measurements):
            runs = self.of(group, way)
            yield {
                "frames": group,
                "way": way,
                "GB/s": self.median(group, way),
                "min": min(m.gb_per_s for m in runs),
                "max": max(m.gb_per_s for m in runs),
                "frames/s": statistics.median(m.fps for m in runs),
                "CPU s/GB": statistics.median(m.cpu_s_per_gb for m in runs),
                **(_packing(runs) if is_packed else {}),
                "of raw direct": self.ratio(group, way, "raw direct"),
                "of raw buffered": self.ratio(group, way, "raw buffered"),
            }

    def show(self, console: Console) -> None:
        """Print the verdict, and the table below it."""
        verdict = self.verdict()
        console.print(verdict, highlight=False, style="red" if " NOT " in verdict else "green")
        rows = list(self.rows())
        if "ratio" in rows[0]:
            # There is no room for all.
            rows = [{name: row[name] for name in row if name not in {"min", "max"}} for row in rows]
        table = Table(title="durable (fsync) throughput; ratios are medians of interleaved pairs")
        for name in rows[0]:
            table.add_column(name, justify="left" if name in {"frames", "way"} else "right", no_wrap=True)
        for row in rows:
            table.add_row(*(value if isinstance(value, str) else _figure(value) for value in row.values()))
        console.print(table)

    def for_json(self) -> dict[str, Any]:
        """Return rows and verdict for JSON, which has no NaN: None in its place."""
        rows = [
            {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in row.items()}
            for row in self.rows()
        ]
        return {"verdict": self.verdict(), "rows": rows}


def _packing(runs: list[Measurement]) -> dict[str, float]:
    ratio, as_is = statistics.median(m.ratio for m in runs), statistics.median(m.as_is for m in runs)
    return {"ratio": ratio, "% as is": as_is * 100}


def _figure(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
