"""Signals beside frames: so many rows a second over one connection, each read back from the file.

python -m tests.benchmarks.signals [--config configs/simulated.toml] [--set camera.rate=30] [--rows 10000]

Half of the rows bring the time of their sender's clock, which goes 50 ppm too fast. Needs room on the disk
for half a minute of frames, with --passing for some seconds of them.
"""

import argparse
import contextlib
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from recorder.files.opened.signals import read_signals
from tests.benchmarks.passing_frames import giving_room_back
from tests.system.test_remote import Listening, listen

DRIFT = 50e-6
PAUSE_S = 0.005


def send_rows(recorder: Listening, per_s: int, seconds: float) -> tuple[int, dict[str, object]]:
    """Send rows, evenly over their time; return how many, and the answer to their end."""
    client, lines = recorder.connect()
    sent = 0
    with client, lines:
        lines.readline()
        client.sendall(b"stream\n")
        lines.readline()
        began = time.perf_counter()
        while (passed := time.perf_counter() - began) < seconds:
            # Two signals take turns.
            due = round(passed * per_s) // 2 * 2
            sender_s = 1000 + passed * (1 + DRIFT)
            rows = (f"lick {n}\nwheel {n} 0.5 @ {sender_s:.7f}\n" for n in range(sent, due, 2))
            client.sendall("".join(rows).encode())
            sent = due
            time.sleep(PAUSE_S)
        client.sendall(b"end\n")
        return sent, json.loads(lines.readline())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--config", type=Path, default=Path("configs/simulated.toml"))
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE, as of recorder run")
    parser.add_argument("--rows", type=int, default=10_000, help="a second")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--passing", action="store_true", help="with less room: see passing_frames")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        settings = [word for one in asked.set for word in ("--set", one)]
        recorder = listen(Path(name), str(asked.config.resolve()), *settings, "--duration", "1h")
        passing = giving_room_back(Path(name) / "x.h5") if asked.passing else contextlib.nullcontext()
        try:
            with passing:
                sent, answer = send_rows(recorder, asked.rows, asked.seconds)
                recorder.run.terminate()
                out, _ = recorder.run.communicate(timeout=60)
        finally:
            recorder.run.kill()
            recorder.run.wait()
        summary = json.loads(out)
        signals = read_signals(Path(name) / "x.h5")
    found = sum(map(len, signals.values()))
    in_order = all((np.diff(signal.values[:, 0]) == 2).all() for signal in signals.values())
    print(f"{sent} rows sent in {asked.seconds:g} s, {answer['message']}")
    print(f"{found} rows in the file, {'in order' if in_order else 'OUT OF ORDER'}")
    print(f"{summary['frames']} frames, {summary['MBps']:.0f} MB/s, {summary['lost']} lost")
    wheel, lick = signals["wheel"], signals["lick"]
    late_ms = (lick.time - wheel.time) * 1e3
    quantiles = np.percentile(late_ms, [50, 99, 100])
    told = ", ".join(f"{value:.2f}" for value in quantiles)
    print(f"stamped on arrival later than by the sender's clock: {told} ms (median, 99 %, most)")


if __name__ == "__main__":
    main()
