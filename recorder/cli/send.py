"""`recorder send`: send command lines to a running recorder."""

import asyncio
import sys
from collections.abc import AsyncIterator

import click

from recorder.errors import UsageError
from recorder.frontends import remote_client
from recorder.frontends.printing import print_json


@click.command()
@click.option("--to", "address", default="127.0.0.1:7625", show_default=True, metavar="HOST:PORT")
@click.option(
    "--token", envvar="RECORDER_TOKEN", default="", help="As the recorder printed it [env: RECORDER_TOKEN]."
)
@click.argument("line", nargs=-1, required=True)
def send(address: str, token: str, line: tuple[str, ...]) -> int:
    """Send a command LINE to a running recorder; - takes lines from standard input."""
    if not token:
        raise UsageError("no token: set RECORDER_TOKEN, or write --token, to what the recorder printed")

    async def lines() -> AsyncIterator[str]:
        if line == ("-",):
            while text := await asyncio.to_thread(sys.stdin.readline):
                yield text.strip()
        else:
            yield " ".join(f'"{word}"' if " " in word else word for word in line)

    async def talk() -> int:
        worst = 0
        async for answer in remote_client.send(address, token, lines()):
            print_json(answer)
            worst = max(worst, 0 if answer["status"] == "ok" else 1)
        return worst

    return asyncio.run(talk())
