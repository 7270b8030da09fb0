"""One process looks into the files of all tests here."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from recorder.files.probe import Probe, probing
from tests.unit.files.damaged import DATA


@pytest.fixture(scope="package")
def probe() -> Iterator[Probe]:
    with probing() as one:
        one.ask(Path.exists, DATA)
        yield one
