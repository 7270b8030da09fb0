"""The fixtures that look for what a test leaves behind find each kind of it, and name it."""

import gc
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests import leaks

ROOT = Path(__file__).parents[2]

LEAKING = '''
import asyncio, os, subprocess, sys, threading
import numpy as np
import pytest
from recorder.frames.pool import Pool
from tests import leaks
from tests.conftest import SMALL, fill, take

leaks.GRACE_S = 0.2
kept = []


def test_thread():
    thread = threading.Thread(target=threading.Event().wait, args=(20,), name="my thread", daemon=True)
    thread.start()


def test_lease():
    kept.append(Pool(SMALL, 4, 1).take("me", 0))


def test_dropped_lease():
    Pool(SMALL, 4, 1).take("me", 0)


def test_span_in_a_variable_of_a_generator():
    def holding(span):
        yield span
    span = fill(take(Pool(SMALL, 4, 1)), 0, 4, 1)
    kept.append(holding(span))
    next(kept[-1])


def test_descriptor(tmp_path):
    os.open(tmp_path / "plain", os.O_RDWR | os.O_CREAT)


def test_file(tmp_path):
    kept.append(open(tmp_path / "held", "w"))


def test_pipe():
    kept.append(os.pipe())


def test_child():
    kept.append(subprocess.Popen([sys.executable, "-c", "input() # my child"], stdin=subprocess.DEVNULL))
    kept.append(subprocess.Popen(["sleep", "20"]))


def test_child_that_nobody_waited_for():
    kept.append(subprocess.Popen(["true"]))


async def test_task():
    async def inner():
        await asyncio.sleep(20)
    async def outer():
        await inner()
    asyncio.create_task(outer(), name="my task")
    await asyncio.sleep(0)


@pytest.fixture
async def looking():
    task = asyncio.create_task(asyncio.sleep(20), name="the fixture's")
    yield task
    task.cancel()


async def test_fixture_that_ends_its_task(looking):
    """A task that was cancelled and not awaited ends by itself."""
    assert not looking.done()


def test_clean(tmp_path):
    with open(tmp_path / "x", "w"):
        subprocess.run(["true"], check=True)
    with Pool(SMALL, 4, 1).take("me", 0):
        thread = threading.Thread(target=lambda: None)
        thread.start()
'''

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What pytest says of each of the leaking tests, "" where it found nothing."""
    folder = tmp_path_factory.mktemp("leaking")
    (folder / "test_leaking.py").write_text(LEAKING)
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-c", str(ROOT / "pyproject.toml")]
    command += ["--rootdir", str(folder), "-p", "tests.conftest", "-p", "no:cacheprovider"]
    # Else what they leave open is removed before it is looked for.
    command += ["-o", "tmp_path_retention_policy=all"]
    command += ["--junitxml", str(folder / "told.xml"), str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    cases = ElementTree.parse(folder / "told.xml").getroot().iter("testcase")
    return {
        str(case.get("name")): "\n".join(
            str(problem.text) for kind in ("error", "failure") for problem in case.findall(kind)
        )
        for case in cases
    }


@pytest.mark.parametrize(
    ("test", "told"),
    [
        ("test_thread", ["Thread(my thread", "still runs", "in wait (threading.py"]),
        (
            "test_lease",
            ["<BlockLease for me, open> was not given back", "held by a list in test_leaking: kept"],
        ),
        ("test_dropped_lease", ["nobody gave back <BlockLease for me, open>"]),
        (
            "test_span_in_a_variable_of_a_generator",
            ["<FrameSpan [0:4] for test, open>", "holding (test_leaking.py:"],
        ),
        ("test_task", ["task 'my task' is pending", "outer waits in outer (", "> inner (", "> sleep ("]),
        *[
            pytest.param(name, told, marks=linux_only)
            for name, told in {
                "test_descriptor": ["is open: ", "/plain; no Python object has it"],
                "test_file": ["/held; <_io.TextIOWrapper name=", "held by a list in test_leaking: kept"],
                "test_pipe": ["is open: pipe:["],
                "test_child": ["child process", "sleep 20"],
                "test_child_that_nobody_waited_for": ["ended, and nobody waited for it"],
            }.items()
        ],
    ],
)
def test_what_is_left_behind_fails_the_test_and_is_named(
    outcomes: dict[str, str], test: str, told: list[str]
) -> None:
    for words in told:
        assert words in outcomes[test]


def test_who_leaves_nothing_passes(outcomes: dict[str, str]) -> None:
    assert {name for name, told in outcomes.items() if not told} == {
        "test_fixture_that_ends_its_task",
        "test_clean",
    }


def test_looking_costs_less_than_five_milliseconds() -> None:
    costs = []
    for _ in range(20):
        began_s = time.perf_counter()
        before = leaks.Snapshot.take()
        gc.collect()
        assert leaks.left_since(before) == []
        costs.append(time.perf_counter() - began_s)
    assert sorted(costs)[10] < 0.005
