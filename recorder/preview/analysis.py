"""Call a function of the user with the latest frame, as often as it can keep up with."""

import asyncio
import importlib
import inspect
import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Executor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recorder.errors import ConfigurationError, did_you_mean
from recorder.frames.broadcaster import Broadcaster
from recorder.frames.channel import ChannelClosedError, LatestChannel
from recorder.frames.threads import on_thread
from recorder.settings.model import AnalysisSettings

log = logging.getLogger(__name__)

# After so many errors one after the other the function is not called any more.
MAX_CONSECUTIVE_ERRORS = 5

# Results on their way into the file; a stalled disk must not let them accumulate.
MAX_STORING = 64

# Values of one frame that are stored, and the length of their names in bytes.
MAX_VALUES = 16
MAX_NAME = 64

Function = Callable[[NDArray[Any], Mapping[str, Any]], Any]
Store = Callable[[int, Mapping[str, float]], Awaitable[None]]

# Entered with a frame's metadata while the function looks at it; what it gives is called with the values.
Looking = Callable[[Mapping[str, Any]], AbstractContextManager[Callable[[Mapping[str, float]], object]]]


def _nobody(metadata: Mapping[str, Any]) -> AbstractContextManager[Callable[[Mapping[str, float]], object]]:
    return nullcontext(lambda values: None)


def find(settings: AnalysisSettings) -> Function | None:
    """Import the function that the settings name, and bind its options; return None where they name none.

    Blocks for the import, on the event loop's thread, before a session begins. Raises ConfigurationError
    where it cannot be imported, or does not take its arguments.
    """
    if settings.function is None:
        return None
    module, _, name = settings.function.partition(":")
    if str(Path.cwd()) not in sys.path:
        # The function is usually kept in the working directory, beside the configuration.
        sys.path.append(str(Path.cwd()))
    try:
        found = importlib.import_module(module)
    except BaseException as error:
        raise ConfigurationError(
            f"analysis.function = {settings.function}: {module} cannot be imported: {one_line(error)}"
        ) from None
    function = getattr(found, name, None)
    if not callable(function):
        near = did_you_mean(name, [word for word in dir(found) if callable(getattr(found, word))])
        raise ConfigurationError(f"analysis.function = {settings.function}: no function {name} in it{near}")
    try:
        inspect.signature(function).bind(None, None, **settings.options)
    except TypeError as error:
        raise ConfigurationError(f"analysis.options: {name}(frame, metadata, ...): {error}") from None
    except ValueError:
        # Some functions of compiled modules have no signature.
        pass
    return partial(function, **settings.options)


def one_line(error: BaseException) -> str:
    """Return type and message of an error of the user's code in one printable line; raises nothing."""
    try:
        text = "".join(c if c.isprintable() else " " for c in str(error))
    except Exception:
        text = "no explanation"
    return f"{type(error).__name__}: {' '.join(text.split())[:300]}"


class Analysis:
    """Call `function(frame, metadata)` with the latest frame, again and again, and store what it returns.

    `frame` is a read-only view (H, W), valid until the function returns; `metadata` has its number,
    times (ns), exposure (s) and temperature (degrees C). A number, or a small dict of numbers, is stored.
    The function is called on the analysis thread; every method here on the event loop's thread. `latest` are
    the last values by name, `errors` counts the calls that failed.
    """

    def __init__(self, function: Function) -> None:
        self._function = function
        self.latest: Mapping[str, float] = {}
        self.errors = 0
        self._in_a_row = 0

    @property
    def given_up(self) -> bool:
        """Whether the function is not called any more, after too many errors in a row or a hanging call."""
        return self._in_a_row >= MAX_CONSECUTIVE_ERRORS

    def give_up(self) -> None:
        """Do not call the function again, as its last call does not return; logs that."""
        self.errors += 1
        self._in_a_row = MAX_CONSECUTIVE_ERRORS
        log.warning("analysis: the function does not return; it is switched off, the recording goes on")

    async def watch(
        self, broadcaster: Broadcaster, executor: Executor, store: Store, looking: Looking = _nobody
    ) -> None:
        """Call the function with frames of a run on `executor`, until cancelled or given up.

        `store(number, values)` is awaited for each result, with the frame's counter; frames are skipped while
        too many wait for it. Errors of the function are logged and counted. Whoever wants to know at once of
        a frame and its values is told by `looking`.
        """
        channel = LatestChannel("analysis")
        disconnect = broadcaster.connect(channel, eager=True)
        last_seen = 0
        storing: set[asyncio.Task[None]] = set()
        try:
            while not self.given_up:
                (span,) = await channel.receive()
                with span:
                    row = span.metadata[-1]
                    if row["frame_number"] == last_seen:
                        continue
                    last_seen = row["frame_number"]
                    metadata = {
                        name: row[name].item()
                        for name in row.dtype.names
                        if name not in {"gap_cause", "unread_ns"}
                    }
                    # Over a read-only buffer: the flag of an array alone could be reset by the function.
                    pixels = span.pixels[-1]
                    frame = np.frombuffer(memoryview(pixels).toreadonly(), pixels.dtype).reshape(pixels.shape)
                    with looking(metadata) as tell:
                        values = await on_thread(executor, self._call, frame, metadata)
                        tell(values)
                    del frame, pixels
                if values:
                    self.latest = values
                    task = asyncio.ensure_future(store(metadata["frame_number"], values))
                    storing.add(task)
                    task.add_done_callback(storing.discard)
                if len(storing) >= MAX_STORING:
                    await asyncio.wait(storing, return_when=asyncio.FIRST_COMPLETED)
        except ChannelClosedError:
            pass
        finally:
            disconnect()
            channel.discard()
            await asyncio.gather(*storing, return_exceptions=True)

    def _call(self, frame: NDArray[Any], metadata: Mapping[str, Any]) -> dict[str, float]:
        """Return the function's values by name; an error is logged and counted. On the analysis thread."""
        try:
            values = as_values(self._function(frame, metadata))
        except BaseException as error:
            # Also SystemExit, with which the user's code would end this program.
            self.errors += 1
            self._in_a_row += 1
            end = "; it is switched off, the recording goes on" if self.given_up else ""
            log.warning("analysis: %s (error %d)%s", one_line(error), self.errors, end)
            return {}
        self._in_a_row = 0
        return values


def as_values(result: object) -> dict[str, float]:
    """Return the result of a function as numbers by name: {} for None, "value" for a single number.

    Raises TypeError for anything else, and for too many values.
    """
    if result is None:
        return {}
    named = result if isinstance(result, dict) else {"value": result}
    if len(named) > MAX_VALUES:
        raise TypeError(f"the function returned {len(named)} values; at most {MAX_VALUES} are kept")
    values = {}
    for name, value in named.items():
        if not isinstance(value, int | float | np.number | np.bool_):
            raise TypeError(f"the function returned {name!r} = {type(value).__name__}; return numbers")
        if not (isinstance(name, str) and name.isprintable() and len(name.encode()) <= MAX_NAME):
            raise TypeError(f"the function returned a value called {name!r:.80}; names are short plain texts")
        values[name] = float(value)
    return values
