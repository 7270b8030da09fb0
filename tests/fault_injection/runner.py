"""Run sessions under the shim, each in a process of its own that is forked from this one (python -m).

Reads a line of JSON for each session from standard input, and answers with a line: how its process ended.
"""

import ctypes
import json
import os
import resource
import sys
from pathlib import Path

import recorder.cli.record
import recorder.cli.run  # noqa: F401 - what sub-commands import, once for all
from recorder.cli.main import main

KINDS = {"none": 0, "EIO": 1, "ENOSPC": 2, "short": 3}


def session(case: dict[str, object], shim: ctypes.CDLL) -> None:
    """Become the recorder in the case's folder; does not return."""
    folder = Path(str(case["folder"]))
    os.chdir(folder)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for fd, name in ((1, "stdout"), (2, "stderr")):
        new = os.open(folder.with_name(f"{folder.name}.{name}"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        os.dup2(new, fd)
    log = str(case.get("log", ""))
    shim.fault_arm(
        f"{folder}/".encode(),
        ctypes.c_long(int(str(case["at"]))),
        KINDS[str(case["kind"])],
        int(bool(case["forever"])),
        log.encode(),
    )
    arguments = case["arguments"]
    sys.argv = ["recorder", *(arguments if isinstance(arguments, list) else [])]
    main()


def serve() -> None:
    """Answer line by line until standard input ends."""
    shim = ctypes.CDLL(os.environ["LD_PRELOAD"])
    for line in sys.stdin:
        case = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                session(case, shim)
            except SystemExit as error:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(error.code if isinstance(error.code, int) else 1)
            finally:
                os._exit(99)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps(os.waitstatus_to_exitcode(status)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
