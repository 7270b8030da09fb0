"""The remote control server at full frames: 1,000 marks in 10 s, then 200 strangers; memory of the process.

python -m tests.benchmarks.remote_control [--config configs/simulated.toml]

Needs room on the disk for half a minute of frames. Linux: memory is read from /proc.
"""

import argparse
import contextlib
import json
import socket
import tempfile
import time
from pathlib import Path

import h5py

from tests.system.test_remote import Listening, listen

MARKS = 1000
MARKS_S = 10.0
STRANGERS = 200


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise ValueError("no VmRSS")


def send_marks(recorder: Listening) -> float:
    """Send the marks, evenly over their time; return how long it took until the last was answered."""
    client, lines = recorder.connect()
    with client:
        lines.readline()
        began = time.monotonic()
        for i in range(MARKS):
            client.sendall(f"mark m{i}\n".encode())
            time.sleep(max(0.0, began + (i + 1) * MARKS_S / MARKS - time.monotonic()))
        statuses = {json.loads(lines.readline())["status"] for _ in range(MARKS)}
        assert statuses == {"ok"}, statuses
        return time.monotonic() - began


def crowd(recorder: Listening) -> list[socket.socket]:
    """Connect strangers: idle, with garbage, with a wrong token."""
    strangers = []
    for i in range(STRANGERS):
        with contextlib.suppress(OSError):
            client = socket.create_connection(("127.0.0.1", recorder.port), timeout=5)
            client.sendall((b"", b"\x00\xff" * 20_000, b"wrong\nmark never\n")[i % 3])
            strangers.append(client)
    return strangers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--config", type=Path, default=Path("configs/simulated.toml"))
    parser.add_argument("--rounds", type=int, default=5, help="crowds of strangers, one after the other")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recorder = listen(folder, str(asked.config.resolve()), "--duration", "1h")
        memory = [resident_mb(recorder.run.pid)]
        try:
            took = send_marks(recorder)
            memory.append(resident_mb(recorder.run.pid))
            for _ in range(asked.rounds):
                strangers = crowd(recorder)
                time.sleep(2.5)
                memory.append(resident_mb(recorder.run.pid))
                for stranger in strangers:
                    stranger.close()
            summary = recorder.finish()
        finally:
            recorder.run.kill()
            recorder.run.wait()
        with h5py.File(folder / "x.h5") as file:
            labels = {row["label"] for row in file["entry/marks"]}
        print(f"{MARKS} marks in {took:.1f} s, {len(labels)} labels in the file")
        print(f"{summary['frames']} frames, {summary['lost']} lost")
        print(
            f"VmRSS in MB at the start, after the marks, in each crowd of {STRANGERS}: "
            f"{', '.join(f'{mb:.1f}' for mb in memory)}"
        )


if __name__ == "__main__":
    main()
