"""Every write and sync of a session fails, once or from then on.

    python -m tests.fault_injection.disk_faults

Some 400 calls in 5 ways take about 20 minutes; `--step` takes every n-th call only,
`--compressed` packs frames.
"""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fault_injection.sessions import Case, Runner, check_session, compiled_shim

COMPRESSED = ("--set", "storage.compression=lossless")

WAYS = (("EIO", False), ("EIO", True), ("ENOSPC", False), ("ENOSPC", True), ("short", False))

# More than a session makes: what fails then is nothing, and the session is complete.
CALLS = 450


def cases(step: int, start: int = 1) -> list[Case]:
    """Every `step`-th call from `start` on, in all ways."""
    return [Case(at, kind, forever) for at in range(start, CALLS, step) for kind, forever in WAYS]


def failures(
    shim: Path, folder: Path, these: Sequence[tuple[int, Case]], options: Sequence[str]
) -> Iterator[str]:
    """Run a session for each case; yield what was wrong with those that did not end as designed."""
    with Runner(shim) as runner:
        for number, case in these:
            own = folder / str(number)
            code = runner.run(own, case, options=options)
            try:
                check_session(own, case, code)
            except AssertionError as error:
                yield str(error)
            else:
                shutil.rmtree(own)


def check_all(
    folder: Path, these: Sequence[Case], options: Sequence[str] = (), workers: int = 2
) -> list[str]:
    """Run all cases on so many processes; return what was wrong."""
    shim = compiled_shim(folder)
    numbered = list(enumerate(these))
    with ThreadPoolExecutor(workers) as pool:
        parts = pool.map(
            lambda i: list(failures(shim, folder, numbered[i::workers], options)), range(workers)
        )
        return [failure for part in parts for failure in part]


def main() -> None:
    """Run every case, and exit with 1 where one did not end as designed."""
    parser = argparse.ArgumentParser(description="Have every write and sync of a session fail.")
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--start", type=int, default=1)
    parser.add_argument("--compressed", action="store_true")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="disk_faults"))
    these = cases(arguments.step, arguments.start)
    found = check_all(folder, these, COMPRESSED if arguments.compressed else ())
    sys.stdout.write(
        "\n\n".join([*found, f"{len(these)} sessions, {len(found)} not as designed ({folder})\n"])
    )
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
