"""What the tables and spans of README and pages say is what the code says; blocks are run by tests/system."""

import importlib
import re

import click
import pytest

import recorder.control.commands
import recorder.control.view_commands  # noqa: F401 - registers the commands
from recorder.cli.main import COMMANDS as PROGRAMS
from recorder.control.registry import COMMANDS, parse
from recorder.frames.ledger import Cause
from recorder.frames.metadata import COLUMNS
from recorder.session.status import EXIT_CODES, Summary
from recorder.settings.cameras import SimulatedCameraSettings
from recorder.settings.model import SECTIONS, keys, load
from recorder.storage.records import Verdict
from tests.readme import BLOCKS, PAGES, PROSE, PROSE_OF, README, ROOT, TABLES, paragraph, spans, table

# The tour is what somebody reads who reads nothing else.
MAX_TOUR = 72

# What is seen of it at first.
FIRST_LINES = 60

# Every table of README and pages, by its heading and how its first cell begins, with what checks it.
CHECKED = {
    ("configuration", "none"): "test_the_configurations_are_those_there_are",
    ("", "Linux, USB"): "nothing: packages of the system and drivers of makers, for real cameras",
    ("page", "[console]"): "test_files_and_folders_in_the_text_are_there",
    ("command", "`mark"): "test_the_console_has_these_commands, and tests/system/test_readme.py types them",
    ("where", "`/data`"): "tests/system/test_readme.py, in a file",
    ("exit code", "0"): "test_the_exit_codes_are_those_of_the_verdicts",
}

# Words of the console's table that stand for something, with an example.
EXAMPLES = {
    "[LABEL] [TEXT...]": "flame out",
    "[TEXT...]": "some text",
    "TEXT...": "some text",
    "LABEL": "trial3",
    "[PATH]": "picture.tif",
    "[NAME]": "second",
    "KEY VALUE": "camera.seed 3",
    "LOW HIGH": "100 2000",
    "cancel N": "cancel 1",
    "LINE": "note later",
    "[COMMAND]": "mark",
}


def console_lines() -> list[str]:
    """Return the lines of the console's table as one would type them."""
    lines: list[str] = []
    for cells in table("command", "`mark").rows:
        for span in spans(cells[0]):
            line = span
            for words, example in EXAMPLES.items():
                line = line.replace(words, example)
            if line.split()[0] not in {name.split()[0] for name in COMMANDS}:
                # An alternative to the end of the line before: `preview on`, `off`.
                before = lines[-1].split()
                known = max((n for n in COMMANDS if lines[-1].startswith(n)), key=len)
                line = " ".join([*before[: len(known.split())], line])
            lines.append(line)
    return lines


def options_of(name: str) -> set[str]:
    module, _, function = PROGRAMS[name].partition(":")
    command: click.Command = getattr(importlib.import_module(module), function)
    shown = [one for one in command.params if not getattr(one, "hidden", False)]
    return {option for parameter in shown for option in parameter.opts if option.startswith("--")}


def test_every_table_is_accounted_for() -> None:
    found = [(t.head, next(k for k in CHECKED if t.rows[0][0].startswith(k[1]))[1]) for t in TABLES]
    assert found == list(CHECKED)


def test_the_configurations_are_those_there_are() -> None:
    told = {name for cells in table("configuration", "none").rows for name in spans(cells[0])}
    assert {name.rpartition("/")[2] for name in told} == {path.name for path in (ROOT / "configs").iterdir()}


@pytest.mark.parametrize("cells", table("configuration", "none").rows[:3], ids=lambda cells: cells[0])
def test_a_configuration_is_what_the_table_says(cells: tuple[str, str]) -> None:
    path = next(iter(spans(cells[0])), None)
    camera = load(ROOT / path if path else None).camera
    assert isinstance(camera, SimulatedCameraSettings)
    size = re.search(r"(\d\d+)\W(\d\d+)", cells[1])
    rate = re.search(r"(\d+) frames/s", cells[1])
    assert size
    assert rate
    assert (camera.width, camera.height, camera.rate) == (int(size[1]), int(size[2]), float(rate[1]))
    if flow := re.search(r"([\d.]+) GB/s", cells[1]):
        assert camera.width * camera.height * 2 * camera.rate / 1e9 == pytest.approx(float(flow[1]), abs=0.05)


def test_the_synopsis_lists_every_program_and_every_option_of_run() -> None:
    (synopsis,) = (block for block in BLOCKS if block.text.startswith("recorder run ["))
    assert re.findall(r"^recorder (\w+)", synopsis.text, re.MULTILINE) == list(PROGRAMS)
    run = synopsis.text.partition("recorder rig")[0]
    assert set(re.findall(r"--[\w-]+", run)) == options_of("run")


def test_the_exit_codes_are_those_of_the_verdicts() -> None:
    told = {int(cells[0]): cells[1] for cells in table("exit code", "0").rows}
    assert set(told) == {*EXIT_CODES.values(), 2}
    for verdict in (Verdict.COMPLETE, Verdict.FAILED, Verdict.INTERRUPTED):
        assert told[EXIT_CODES[verdict]].startswith(verdict)
    assert "frames were lost" in told[EXIT_CODES[Verdict.FRAMES_LOST]]


def test_the_console_has_these_commands() -> None:
    named = set()
    for line in console_lines():
        parsed = parse(line)
        assert parsed is not None
        named.add(parsed.command.name)
    assert named == set(COMMANDS)


def test_json_has_these_fields() -> None:
    told = [span for span in spans(paragraph("`--json` prints")) if not span.startswith("--")]
    assert told == list(Summary.of_nothing("").for_json())


def test_the_causes_of_a_loss_are_these() -> None:
    told = spans(paragraph("A frame exists once").partition("Causes of a loss:")[2])
    assert told == [cause.words for cause in Cause]


def test_the_verdicts_are_these() -> None:
    (cells,) = (cells for cells in table("where", "`/data`").rows if "/entry/verdict" in cells[0])
    assert set(spans(cells[1])) == set(Verdict)


def test_the_columns_of_a_frame_are_these() -> None:
    (cells,) = (cells for cells in table("where", "`/data`").rows if "detector" in cells[0])
    told = set(spans(cells[1])) - {"start"}
    columns = {field.column for field in COLUMNS}
    assert told == {"data", *columns, *(field.alias for field in COLUMNS if field.alias)}


@pytest.mark.parametrize("text", sorted(set(re.findall(r"--set ([\w.]+=[^\s`]+)", PROSE.replace("\n", " ")))))
def test_an_override_in_the_text_is_allowed(text: str) -> None:
    key, _, value = text.partition("=")
    assert load(None, (text,)).to_toml()
    assert key in keys()
    assert value


def test_keys_in_the_text_are_keys() -> None:
    told = {
        span.partition(" ")[0]
        for span in spans(PROSE)
        if span.partition(".")[0] in SECTIONS and re.fullmatch(r"\w+\.\w+( = .*)?", span)
    }
    assert len(told) >= 3
    assert told <= set(keys())


def test_files_and_folders_in_the_text_are_there() -> None:
    told = {ROOT / s for s in spans(PROSE) if re.match(r"(recorder|configs|tests|notes|\.ci)/", s)}
    for page, prose in PROSE_OF.items():
        told |= {page.parent / link for link in re.findall(r"\]\(([^)]+)\)", prose)}
    assert len(told) > 10
    assert {path for path in told if not path.exists()} == set()


def test_the_readme_begins_with_a_short_tour_and_names_every_page() -> None:
    before, _, _ = README.read_text(encoding="utf-8").partition("## Recording")
    assert "## A tour" in before
    first = "\n".join(README.read_text(encoding="utf-8").splitlines()[:FIRST_LINES])
    assert first.count("```") % 2 == 0
    for told in ("recorder run", "\nstop\n", "recorder export", "```python\n"):
        assert told in first
    assert len(before.splitlines()) <= MAX_TOUR
    links = set(re.findall(r"\]\(([^)]+)\)", PROSE_OF[README]))
    assert {f"notes/{page.name}" for page in PAGES if page != README} <= links
