"""What `recorder view` costs a recording that grows: throughput with it and without, in pairs; frames lost.

python -m tests.benchmarks.view [--pairs 6] [--frames 1000]    (a pair needs room for 11 GB)

The viewer plays the file while it is written; a client has every picture as fast as it comes, as a page does.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp

from tests.system.conftest import COMMAND


async def record(config: Path, folder: Path, *arguments: str) -> dict[str, float]:
    command = [*COMMAND, "run", str(config), "--headless", "--json", "--output", "x.h5", *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    out, _ = await process.communicate()
    told: dict[str, float] = json.loads(out)
    return told


async def watch(folder: Path, stop: asyncio.Event) -> dict[str, float]:
    """View the recording in `folder` from its first frame on until `stop`; return what it took."""
    while not (folder / "x.h5").exists():
        await asyncio.sleep(0.05)
    began_s = time.monotonic()
    viewer = await asyncio.create_subprocess_exec(
        *COMMAND, "view", "x.h5", "--no-window", cwd=folder, stdout=asyncio.subprocess.PIPE
    )
    assert viewer.stdout is not None
    pictures, indices = 0, set()
    try:
        address = (await viewer.stdout.readline()).decode().strip()
        async with aiohttp.ClientSession() as http, http.ws_connect(address.replace("/?", "/ws?")) as page:
            await page.send_json({"ready": True, "go": {"frame": 0}})
            await page.send_json({"play": True})
            stopping = asyncio.ensure_future(stop.wait())
            while not stop.is_set():
                hearing = asyncio.ensure_future(page.receive())
                await asyncio.wait([hearing, stopping], return_when=asyncio.FIRST_COMPLETED)
                if not hearing.done():
                    hearing.cancel()
                    break
                message = hearing.result()
                if message.type is aiohttp.WSMsgType.BINARY:
                    size = int.from_bytes(message.data[:4], "little")
                    indices.add(json.loads(message.data[4 : 4 + size])["index"])
                    pictures += 1
                    await page.send_json({"ready": True})
            stopping.cancel()
    finally:
        took_s = time.monotonic() - began_s
        cpu_s = _cpu_s(viewer.pid)
        viewer.terminate()
        await viewer.wait()
    return {"pictures": pictures, "frames": len(indices), "seconds": took_s, "cores": cpu_s / took_s}


def _cpu_s(pid: int) -> float:
    """Return the processor time of a process and of the one that looks into files for it."""
    total = 0.0
    for each in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = each.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(each.parent.name) == pid or int(fields[1]) == pid:
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


async def run(config: Path, *arguments: str, viewed: bool) -> tuple[dict[str, float], dict[str, float]]:
    with tempfile.TemporaryDirectory() as name:
        stop = asyncio.Event()
        watching: asyncio.Future[dict[str, Any]] | None = None
        if viewed:
            watching = asyncio.ensure_future(watch(Path(name), stop))
        told = await record(config, Path(name), *arguments)
        stop.set()
        return told, await watching if watching else {}


def in_words(seen: dict[str, float]) -> str:
    return (
        f"{seen['pictures'] / seen['seconds']:.1f} pictures/s of {seen['frames']} frames, "
        f"{seen['cores']:.2f} cores"
    )


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--pairs", type=int, default=6)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--config", type=Path, default=Path("configs/simulated.toml"))
    asked = parser.parse_args()
    config = asked.config.resolve()
    fast = ["--set", "camera.rate=max", "--frames", str(asked.frames)]
    ratios = []
    for pair in range(asked.pairs):
        rates: dict[bool, float] = {}
        seen: dict[str, float] = {}
        for viewed in ((False, True), (True, False))[pair % 2]:
            told, watched = await run(config, *fast, viewed=viewed)
            rates[viewed] = told["fps"]
            seen = watched or seen
        ratios.append(rates[True] / rates[False])
        print(
            f"without {rates[False]:.1f}/s, with {rates[True]:.1f}/s, ratio {ratios[-1]:.3f}; "
            f"{in_words(seen)}",
            flush=True,
        )
    if ratios:
        print(f"ratio: median {statistics.median(ratios):.3f}")
    told, seen = await run(config, "--duration", f"{asked.seconds}s", viewed=True)
    print(
        f"at 100/s, viewed: {told['frames']} frames, {told['lost']} lost, {told['verdict']}; {in_words(seen)}"
    )


if __name__ == "__main__":
    asyncio.run(main())
