"""Run a scan of bluesky's RunEngine on a recorder: `python -m tests.system.bluesky_scans SCENARIO FOLDER`.

A process of its own, as the RunEngine's thread never ends. Writes the documents, what the plan raised, and
the frames that bluesky's consolidators read, into FOLDER.
"""

import asyncio
import json
import os
import re
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.plans as bp
import bluesky.preprocessors as bpp
import numpy as np
from bluesky import RunEngine
from bluesky.consolidators import consolidator_factory
from ophyd_async.core import TriggerInfo, init_devices

from recorder.assembly import build_session
from recorder.bluesky import RecorderDetector
from recorder.frontends.session_context import session_context
from recorder.settings.model import validate

TOKEN = "correct-horse"
EXAMPLE = Path(__file__).parents[2] / "notes" / "bluesky.md"
SOFTWARE = {"trigger": "software trigger", "exposure": "1ms"}


@contextmanager
def recorder_at(folder: Path, camera: dict[str, Any]) -> Iterator[str]:
    """Have an idle recorder listen, and yield where."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{probe.getsockname()[1]}"
    tree = {
        "recording": {"output": f"{folder}/"},
        "camera": {"width": 64, "height": 32, "fifo": 300, **camera},
        "pool": {"memory": "4MB"},
        "remote": {"listen": where, "token": TOKEN},
    }
    listens, leaving = threading.Event(), threading.Event()

    async def listen() -> None:
        async with session_context(build_session(validate(tree), dry_run=False)):
            listens.set()
            await asyncio.to_thread(leaving.wait)

    thread = threading.Thread(target=asyncio.run, args=(listen(),))
    thread.start()
    assert listens.wait(20)
    try:
        yield where
    finally:
        leaving.set()
        thread.join()


def fly(camera: RecorderDetector, info: TriggerInfo) -> Any:
    @bpp.stage_decorator([camera])  # type: ignore[untyped-decorator]
    @bpp.run_decorator()  # type: ignore[untyped-decorator]
    def plan() -> Any:
        yield from bps.prepare(camera, info, wait=True)
        yield from bps.declare_stream(camera, name="primary", collect=True)
        yield from bps.kickoff(camera, wait=True)
        yield from bps.complete(camera, wait=False, group="flying")
        is_over = False
        while not is_over:
            try:
                yield from bps.wait(group="flying", timeout=0.1)
                is_over = True
            except TimeoutError:
                pass
            yield from bps.collect(camera, name="primary")

    return plan()


def scan(scenario: str, camera: RecorderDetector, engine: RunEngine) -> None:
    match scenario:
        case "count" | "count dropped" | "count free running" | "relative":
            engine(bp.count([camera], 10))
        case "fly":
            engine(fly(camera, TriggerInfo(number_of_events=20)))
        case "five each":
            engine(fly(camera, TriggerInfo(number_of_events=3, collections_per_event=5)))
        case "fly dropped":
            engine(fly(camera, TriggerInfo(number_of_events=300)))
        case "livetime":
            engine(fly(camera, TriggerInfo(number_of_events=2, livetime=0.1)))


CAMERAS: dict[str, dict[str, Any]] = {
    "example": SOFTWARE,
    "count": SOFTWARE,
    "count dropped": {**SOFTWARE, "faults": [{"kind": "drop", "at": 5, "count": 1}]},
    "count free running": {},
    "relative": SOFTWARE,
    "fly": {},
    "five each": SOFTWARE,
    "fly dropped": {"faults": [{"kind": "drop", "at": 150, "count": 2}]},
    "livetime": SOFTWARE,
}


def consolidated(documents: list[tuple[str, Any]], *, is_whole: bool) -> Any:
    """Return the frames that the documents name, as bluesky and tiled find them.

    Behind those of a scan that failed are others in the file, which nobody told of.
    """
    descriptor = next(document for name, document in documents if name == "descriptor")
    found = None
    for name, document in documents:
        if name == "stream_resource":
            found = consolidator_factory(document, descriptor)  # type: ignore[no-untyped-call]
        elif name == "stream_datum":
            assert found is not None
            found.consume_stream_datum(document)
    assert found is not None
    if is_whole:
        found.validate()
    return found.get_adapter().read()


def main(scenario: str, folder: Path) -> None:
    documents: list[tuple[str, Any]] = []
    raised = ""
    if scenario == "relative":
        os.chdir(folder)
    with recorder_at(Path() if scenario == "relative" else folder, CAMERAS[scenario]) as where:
        if scenario == "example":
            (code,) = re.findall(r"```python\n(.*?)```", EXAMPLE.read_text(encoding="utf-8"), re.DOTALL)
            os.environ["RECORDER_TOKEN"] = TOKEN
            exec(compile(code.replace("127.0.0.1:7625", where), str(EXAMPLE), "exec"), {})
        else:
            engine = RunEngine({})
            engine.subscribe(lambda *named: documents.append(named))  # type: ignore[no-untyped-call]
            with init_devices():
                camera = RecorderDetector(where, TOKEN, patience_s=2)
            try:
                scan(scenario, camera, engine)
            except Exception as error:  # whatever the plan raises is what is looked at
                raised = f"{error} {error.__cause__}"
    if any(name == "stream_datum" for name, _ in documents):
        np.save(folder / "consolidated.npy", consolidated(documents, is_whole=not raised))
    told = {"documents": documents, "raised": raised}
    (folder / "told.json").write_text(json.dumps(told, default=str), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
