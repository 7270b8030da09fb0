"""Where to look for the preview, in every combination of window, page and console."""

import socket

import pytest

from recorder.control.displays import Displays, PictureForm

NAME = socket.gethostname()
NO_DISPLAY = "there is no display (DISPLAY is not set)"
PAGE = "http://127.0.0.1:8080/?token=secret"


class Here:
    """A console that shows nothing."""

    form = ""

    def show(self, form: PictureForm) -> str:
        return form

    def hide(self) -> None:
        return


def told(displays: Displays, **environment: str) -> dict[str, str]:
    return dict(displays.where(environment))


def test_where_a_window_opens_nothing_needs_saying() -> None:
    assert Displays(no_window="").summary == ""
    assert told(Displays(no_window="", here=Here())) == {"window": "it opens on this computer"}


def test_without_a_display_each_way_is_named() -> None:
    rows = told(Displays(no_window=NO_DISPLAY, here=Here()))
    assert rows["window"] == f"no: {NO_DISPLAY}"
    assert rows["page"].endswith("recorder run --set preview.web=127.0.0.1:8080")
    assert rows["here"] == "preview here shows it in this terminal"
    assert "by ssh" not in rows


def test_by_ssh_without_its_display_both_ways_of_ssh_are_named() -> None:
    rows = told(Displays(PAGE, NO_DISPLAY, Here()), SSH_CONNECTION="10.0.0.1 5 10.0.0.2 22")
    assert rows["page"] == PAGE
    assert rows["from afar"].startswith(f"ssh -L 8080:127.0.0.1:8080 {NAME}")
    assert rows["by ssh"].startswith(f"ssh -X {NAME}")


def test_with_a_display_but_no_tkinter_ssh_is_no_help() -> None:
    rows = told(Displays(no_window="no tkinter", here=Here()), SSH_CONNECTION="x", DISPLAY="localhost:10.0")
    assert "by ssh" not in rows


def test_a_page_for_every_address_is_named_by_this_computer() -> None:
    rows = told(Displays("http://0.0.0.0:8080/", NO_DISPLAY))
    assert rows["page"] == f"http://{NAME}:8080/"
    assert "from afar" not in rows


@pytest.mark.parametrize(
    ("page", "words"), [(PAGE, "on the page http://127.0.0.1:8080/"), ("", "nothing shows it yet")]
)
def test_what_the_journal_gets_has_no_token(page: str, words: str) -> None:
    summary = Displays(page, NO_DISPLAY).summary
    assert summary.startswith(words)
    assert "secret" not in summary
