"""The page and the picture: complete, by themselves, and never over anything."""

import base64
import os
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import h5py
import pytest
from click.testing import CliRunner
from PIL import Image

import recorder
from recorder.cli.report import report
from recorder.errors import NotOurFileError, StorageError, UsageError
from recorder.files.report.writing import write_report
from recorder.storage.layout import JOURNAL_SUFFIX
from tests.unit.files.damaged import DATA
from tests.unit.files.opened.recordings import Written, written


class Page(HTMLParser):
    """What of a page can go wrong: what it loads, pictures without words, tags that do not match."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.pictures: list[tuple[str, bytes]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert tag not in {"script", "link", "iframe"}
        assert not {name for name in given if name.startswith("on")}
        if tag not in {"meta", "img", "source"}:
            self.open.append(tag)
        self.loads += [value or "" for name, value in attrs if name in {"src", "srcset", "href"}]
        if tag in {"img", "source"}:
            source = given.get("src") or given.get("srcset") or ""
            content = base64.b64decode(source.partition("base64,")[2])
            self.pictures.append((given.get("alt") or "" if tag == "img" else "source", content))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if "style" not in self.open else ""


def called(*arguments: object) -> str:
    done = CliRunner().invoke(report, [*map(str, arguments)], catch_exceptions=False, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.stdout


def test_a_page_stands_by_itself(tmp_path: Path) -> None:
    file = Written(tmp_path / "x.h5")
    for lost in (0, 3, 0):
        file.write(lost=lost)
    file.mark(2, "<script>a$b$", "\x1b[31m & \u202e")
    file.mark(5, "\x1b]0;gone\x07")
    file.close()
    said = called(tmp_path / "x.h5", "--png", tmp_path / "x.png")
    assert said.splitlines() == [
        f"{tmp_path / 'x.report.html'}: 12 frames, complete",
        f"{tmp_path / 'x.png'}: the same as a picture",
    ]
    page = Page(tmp_path / "x.report.html")
    assert all(load.startswith("data:image/") for load in page.loads)
    assert all(words for words, _ in page.pictures)
    # Six frames, and two figures for wide and for narrow pages.
    assert len(page.pictures) == 10
    for _, content in page.pictures:
        if not content.startswith(b"\x89PNG"):
            drawn = ElementTree.fromstring(content)
            assert not [one for one in drawn.iter() if one.tag.endswith("image")]
            assert b"http" not in re.sub(rb'(xmlns(:\w+)?|rdf:resource)="[^"]+"|"http[^"]+dtd"', b"", content)
    for words in (
        "<script>a$b$",
        "\ufffd[31m & \ufffd",
        "3 of 15 frames",
        "kind = 'µ'",
        "tested camera, serial 7",
    ):
        assert words in page.text
    with Image.open(tmp_path / "x.png") as picture:
        assert (picture.format, picture.width) == ("PNG", 1650)
        assert picture.height > 1000


def test_the_same_recording_is_the_same_page(tmp_path: Path) -> None:
    written(tmp_path / "x.h5", marks=[(3, "a")])
    with recorder.open(tmp_path / "x.h5") as recording:
        for name in ("a.html", "b.html"):
            write_report(recording, tmp_path / name)
    first, second = ((tmp_path / name).read_text(encoding="utf-8") for name in ("a.html", "b.html"))
    made = re.compile(r"\d\d:\d\d UTC, from")
    assert made.sub("", first) == made.sub("", second)


@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("*.h5")))
def test_files_of_every_layout_are_reported(tmp_path: Path, name: str) -> None:
    said = called(DATA / name, tmp_path / "x.html")
    page = Page(tmp_path / "x.html")
    assert name in page.text
    assert ("recorder recover" in said) == ("recorder recover" in page.text) == ("killed" in name)


def test_nothing_is_overwritten_and_nothing_is_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "x.h5")
    (tmp_path / "x.report.html").write_text("mine")
    (tmp_path / "x.png").write_text("mine, too")
    content = (tmp_path / "x.h5").read_bytes()
    for arguments in (("x.h5",), ("x.h5", "y.html", "--png", "x.png"), ("x.h5", "x.report.html")):
        paths = [part if part.startswith("-") else tmp_path / part for part in arguments]
        with pytest.raises(UsageError, match="exists already, and nothing is ever overwritten"):
            called(*paths)
    with recorder.open(tmp_path / "x.h5") as recording, monkeypatch.context() as broken:
        # The disk is full when the picture, the second of the two, gets its name.
        def full(_path: Path) -> None:
            raise OSError(28, "No space left on device")

        broken.setattr("recorder.files.export.target._sync", full)
        with pytest.raises(StorageError, match=r"z\.png: cannot be written: No space left"):
            write_report(recording, tmp_path / "z.html", tmp_path / "z.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.h5", "x.png", "x.report.html"]
    assert (tmp_path / "x.report.html").read_text() == "mine"
    assert (tmp_path / "x.h5").read_bytes() == content


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (["x.h5", "x.pdf"], UsageError, r"x\.pdf: write a name that ends in \.html"),
        (["x.h5", "--png", "x.jpg"], UsageError, r"x\.jpg: write a name that ends in \.png"),
        (["y.h5"], UsageError, r"y\.h5: no such file; did you mean x\.h5\?"),
        (["x.h5", "no/x.html"], UsageError, r"no such folder as .*no; make it first"),
        (["text.h5"], NotOurFileError, r"not an HDF5 file; expected a file that this recorder wrote"),
        (["other.h5"], NotOurFileError, r"has no entry/instrument/detector/data"),
        (["cut.h5"], NotOurFileError, r"cut\.h5: cut short; recorder recover keeps what can be read"),
    ],
)
def test_what_cannot_be_reported_is_refused_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], error: type[Exception], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "x.h5", chunks=1)
    (tmp_path / "text.h5").write_text("hello")
    with h5py.File(tmp_path / "other.h5", "w", libver="v110") as file:
        file["data"] = [1, 2, 3]
    (tmp_path / "cut.h5").write_bytes((DATA / "layout3.h5").read_bytes()[:200_000])
    before = sorted(tmp_path.iterdir())
    with pytest.raises(error, match=says) as raised:
        called(*arguments)
    assert "\n" not in str(raised.value)
    assert sorted(tmp_path.iterdir()) == before


def test_a_session_is_one_report_beside_its_first_file(tmp_path: Path) -> None:
    written(tmp_path / "a.h5", marks=[(3, "one")])
    written(tmp_path / "b.h5", first=21, marks=[(3, "two")])
    journal = tmp_path / f"a{JOURNAL_SUFFIX}"
    journal.write_text('{"next_file": "b.h5", "run": 1}\n')
    assert called(journal) == f"{tmp_path / 'a.report.html'}: 40 frames in 2 files, complete\n"
    page = Page(tmp_path / "a.report.html")
    assert all(word in page.text for word in ("2 files", "one", "two", "b.h5"))
    # Of one of them it is said that there are more.
    assert called(tmp_path / "a.h5", tmp_path / "only.html").splitlines()[1] == (
        f"{tmp_path / 'a.h5'}: one of the 2 files of its session; recorder report {journal} is about all"
    )


def test_a_link_has_its_report_beside_itself(tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    written(tmp_path / "archive" / "x.h5", chunks=1)
    try:
        (tmp_path / "mouse.h5").symlink_to(tmp_path / "archive" / "x.h5")
    except OSError:
        pytest.skip("no right to make links here")
    called(tmp_path / "mouse.h5")
    assert (tmp_path / "mouse.report.html").is_file()
    assert os.listdir(tmp_path / "archive") == ["x.h5"]


def test_a_recording_without_a_frame_is_a_page(tmp_path: Path) -> None:
    Written(tmp_path / "x.h5").close()
    called(tmp_path / "x.h5", "--png", tmp_path / "x.png")
    page = Page(tmp_path / "x.report.html")
    assert page.pictures == []
    assert "0 of 40 x 24 pixels" in page.text
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.width == 1650


def test_without_matplotlib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path / "x.h5", chunks=1)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "recorder.files.report.figures", raising=False)
    monkeypatch.delattr("recorder.files.report.figures", raising=False)
    with pytest.raises(UsageError, match=r"needs the package matplotlib: pip install 'recorder\[report\]'"):
        called(tmp_path / "x.h5")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.h5"]
