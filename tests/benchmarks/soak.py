"""An hour at the rig in one command: the program with everything open, driven, measured, its files checked.

python -m tests.benchmarks.soak --hours 1 [--width 256 --height 256 --rate 200] [--folder DIR]

The simulated camera with preview, page and remote control server; a mark each second, notes, exposures,
`save new` each minute, `stop` and `start` every ten; one page that stays and one that comes and goes. Each
file is checked, every stamp and pixel, and removed. Samples and events go to DIR/soak.jsonl as they come; at
the end, or after Ctrl-C, a table and a summary. Exit code 0: no frame lost without being told, no mark
missing, nothing grew. Linux only. Room on the disk: a few minutes of frames.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from tests.benchmarks.soak_books import Books
from tests.benchmarks.soak_report import report
from tests.benchmarks.soak_rig import ANSWER_S, EXPOSURES_MS, TOKEN, Connection, Rig
from tests.system.conftest import COMMAND
from tests.system.test_remote import free_port

# How long the recorder may take to leave, and the checks to be finished, at the end.
LEAVE_S = 60.0
CHECKS_S = 900.0

# Without a script that goes on, a `stop` ends a headless recorder.
SCRIPT = "wait 200h\n"


class Soak:
    """One soak test in `folder`: the recorder, the rig that drives it, the process that checks its files."""

    def __init__(self, asked: argparse.Namespace, folder: Path) -> None:
        self._asked, self._folder = asked, folder
        self._books = Books(folder / "soak.jsonl")
        self.rig = Rig(self._books, (free_port(), free_port()), self._hand_over)
        self._recorder: asyncio.subprocess.Process | None = None
        self._checker: asyncio.subprocess.Process | None = None

    def _command(self) -> list[str]:
        files, script = self._folder / "files", self._folder / "script.txt"
        files.mkdir()
        script.write_text(SCRIPT)
        sets = {
            "camera.width": self._asked.width,
            "camera.height": self._asked.height,
            "camera.rate": self._asked.rate,
            "camera.exposure": f"{EXPOSURES_MS[-1]}ms",
            "remote.listen": f"127.0.0.1:{self.rig.port}",
            "remote.token": TOKEN,
            "preview.on": "true",
            "preview.web": f"127.0.0.1:{self.rig.page_port}",
            "preview.token": TOKEN,
        }
        command = [*COMMAND, "run", "--headless", "--json", "--output", str(files), "--script", str(script)]
        return command + [word for key, value in sets.items() for word in ("--set", f"{key}={value}")]

    async def run(self) -> int:
        """Carry out the test; return the exit code."""
        command = self._command()
        arguments = {name: str(value) for name, value in vars(self._asked).items()}
        self._books.write("start", command=command, cpus=os.cpu_count(), arguments=arguments)
        with (
            (self._folder / "recorder.log").open("w") as err,
            (self._folder / "recorder.out").open("w") as out,
        ):
            # A session of its own: Ctrl-C reaches this program alone.
            self._recorder = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            )
            try:
                await self._drive(self._recorder)
            except TimeoutError as error:
                sys.exit(f"{error}: {(self._folder / 'recorder.log').read_text()}")
            finally:
                if self._recorder.returncode is None:
                    self._recorder.kill()
                    await self._recorder.wait()
        text, code = report(self._books.read())
        print(text, flush=True)
        return code

    async def _drive(self, recorder: asyncio.subprocess.Process) -> None:
        rig, books, asked = self.rig, self._books, self._asked
        control = await rig.connect(lambda: recorder.returncode is None)
        idle = [found, "-c3"] if (found := shutil.which("ionice")) else []
        checks = [*idle, sys.executable, "-m", "tests.benchmarks.soak_check"]
        checks += [str(asked.width), str(asked.height)]
        pipe = asyncio.subprocess.PIPE
        self._checker = checker = await asyncio.create_subprocess_exec(
            *checks, stdin=pipe, stdout=pipe, start_new_session=True, limit=1 << 24
        )
        books.began_s = time.monotonic()
        checking = asyncio.create_task(self._guarded("checks", self._take_results(checker)))
        parts = {
            "commands": rig.commands(control, asked.new_every, asked.stop_every),
            "marks": rig.marks(),
            "samples": rig.samples(recorder.pid, self._folder),
            "page": rig.page(),
            "visits": rig.visits(),
            "recorder": self._wait_for_exit(recorder),
        }
        tasks = {name: asyncio.create_task(self._guarded(name, part)) for name, part in parts.items()}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(asked.hours * 3600):
                await rig.over.wait()
        rig.over.set()
        # A line that is under way is waited for: what it does is known then.
        await asyncio.wait([tasks["commands"], tasks["marks"]], timeout=ANSWER_S)
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        told = await self._guarded("end", self._leave(recorder, control)) or {}
        assert checker.stdin is not None
        checker.stdin.close()
        await asyncio.wait([checking], timeout=CHECKS_S)
        if not checking.done():
            books.problem("the checks are not finished")
            checker.kill()
            await asyncio.wait([checking])
        await checker.wait()
        books.close(told, (self._folder / "recorder.log").read_text(), rig.run)

    async def _guarded(self, name: str, part: Coroutine[Any, Any, Any]) -> Any:
        """Carry out one part; what it raises is a problem, and ends the test."""
        try:
            return await part
        except Exception as error:
            self._books.problem(f"{name}: {error!r}")
            self.rig.over.set()
            return None

    async def _wait_for_exit(self, recorder: asyncio.subprocess.Process) -> None:
        code = await recorder.wait()
        raise RuntimeError(f"it ended by itself with exit code {code}")

    async def _leave(self, recorder: asyncio.subprocess.Process, control: Connection) -> dict[str, Any]:
        """Have the recorder end in order; return what it printed at its end."""
        began_s = time.monotonic()
        try:
            if recorder.returncode is None:
                with contextlib.suppress(OSError, TimeoutError):
                    # While frames are being saved a program has to say `quit now`, where there is one.
                    if (await control.ask("quit"))["status"] != "ok":
                        await control.ask("quit now")
                async with asyncio.timeout(LEAVE_S):
                    await recorder.wait()
            self._books.took("quit", time.monotonic() - began_s)
        finally:
            control.close()
            self._hand_over(self.rig.current, self.rig.run, 0.0)
        told: dict[str, Any] = json.loads((self._folder / "recorder.out").read_text())
        wanted = 3 if told["lost"] else 0
        if recorder.returncode != wanted:
            self._books.problem(f"exit code {recorder.returncode}, not {wanted}: {told['verdict']}")
        return told

    def _hand_over(self, path: str, run: int, later_s: float) -> None:
        """Have a file checked that is being closed."""
        assert self._checker is not None
        assert self._checker.stdin is not None
        self._books.handed += 1
        told = {"file": path, "run": run, "not_before": time.time() + later_s}
        self._checker.stdin.write(json.dumps(told).encode() + b"\n")

    async def _take_results(self, checker: asyncio.subprocess.Process) -> None:
        assert checker.stdout is not None
        while line := await checker.stdout.readline():
            self._books.file(json.loads(line))
        if not self.rig.over.is_set():
            raise RuntimeError("the process that checks ended by itself")


async def soak(asked: argparse.Namespace, folder: Path) -> int:
    """Carry out a soak test; Ctrl-C and SIGTERM end it in order. Returns the exit code."""
    test = Soak(asked, folder)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, test.rig.over.set)
    return await test.run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument(
        "--folder", type=Path, help="a new folder, for log and files; default: a temporary one"
    )
    parser.add_argument("--new-every", type=int, default=60, help="s from file to file")
    parser.add_argument("--stop-every", type=int, default=600, help="s from run to run")
    asked = parser.parse_args()
    if asked.folder is None:
        folder = Path(tempfile.mkdtemp(prefix="soak-"))
    else:
        folder = asked.folder.absolute()
        folder.mkdir(parents=True)
    print(f"log: {folder / 'soak.jsonl'}", flush=True)
    sys.exit(asyncio.run(soak(asked, folder)))


if __name__ == "__main__":
    main()
