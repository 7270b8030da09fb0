"""Signals over a connection: a stream of rows, from programs that read answers and from one that does not."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from recorder.files.opened.signals import read_signals
from tests.system.test_remote import Listening, listen


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Listening]:
    opened = listen(tmp_path)
    yield opened
    opened.run.kill()
    opened.run.communicate()


def test_a_stream_brings_rows_and_lines_go_on_after_it(listening: Listening) -> None:
    client, lines = listening.connect()

    def answer() -> dict[str, object]:
        told: dict[str, object] = json.loads(lines.readline())
        return told

    with client:
        answer()
        client.sendall(b"value weight 23.4\nvalue weight\nstream\nlick 1\nlick 1 2\n\nweight\n")
        assert "value weight 23.4, a new signal on frame" in str(answer()["message"])
        assert answer()["message"] == "weight: no numbers; its rows have 1, as its first one had"
        assert str(answer()["message"]).startswith("send rows, one a line: NAME NUMBER... [@ SECONDS]")
        told = answer()
        assert told["message"] == "lick: 2 numbers; its rows have 1, as its first one had"
        for i in range(200):
            client.sendall(f"lick {i} @ {1000 + time.perf_counter():.6f}\npupil 0.5 nan {i}\n".encode())
            time.sleep(0.002)
        client.sendall(b"end\nmark after\n")
        while "rows:" not in str((told := answer())["message"]):
            assert told["status"] == "refused"
        assert told == {"status": "ok", "message": "rows: 401 taken, 2 refused", "rows": 401, "refused": 2}
        assert str(answer()["message"]).startswith("mark after on frame")
    told = listening.finish()
    assert told["signals"] == {"weight": 1, "lick": 201, "pupil": 200}
    signals = read_signals(listening.folder / "x.h5")
    lick, pupil = signals["lick"], signals["pupil"]
    assert lick.values[1:, 0].tolist() == list(range(200))
    assert pupil.values.shape == (200, 3)
    # A row with its sender's time is no later than the one after it, which was stamped as it came.
    assert (lick.time[1:] <= pupil.time + 1e-9).all()
    assert np.allclose(np.diff(lick.time[1:]), np.diff(lick.sender_time[1:]), atol=2e-3)
    journal = (listening.folder / "x.commands.jsonl").read_text().splitlines()
    streams = [row for row in map(json.loads, journal) if "stream" in row]
    assert [(row["stream"], row["refused"]) for row in streams] == [({"lick": 201, "pupil": 200}, 2)]


def test_a_sender_that_reads_nothing_loses_nothing(listening: Listening) -> None:
    client, unread = listening.connect()
    other, lines = listening.connect()
    with client, unread, other, lines:
        lines.readline()
        # More than the buffers of sockets hold, were each row answered.
        client.sendall(b"stream\n" + b"".join(b"wheel %d\n" % i for i in range(30_000)) + b"wheel 7")
        deadline = time.monotonic() + 20
        message = ""
        while "30000 rows" not in message and time.monotonic() < deadline:
            other.sendall(b"signals\n")
            message = json.loads(lines.readline())["message"]
            time.sleep(0.05)
    told = listening.finish()
    # The last one has no end: it may have been cut short.
    assert told["signals"] == {"wheel": 30_000}
    assert read_signals(listening.folder / "x.h5")["wheel"].values[:, 0].tolist() == list(range(30_000))
