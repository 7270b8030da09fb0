"""The chunks that were unpacked last, for who reads their frames one by one, or the same again."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any

from numpy.typing import NDArray

# Of chunks of 8 MiB, which small frames have, 8; of full frames of a pco.edge 5.5, 5.
LIMIT_BYTES = 64 * 2**20


class UnpackedChunks:
    """Chunks in memory, up to `limit_bytes`, but one at least. From any thread: who comes second waits."""

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._chunks: OrderedDict[Hashable, Future[NDArray[Any]]] = OrderedDict()

    def get(self, key: Hashable, chunk_bytes: int, unpack: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """Return a chunk, which `unpack` makes where it is not there yet; nobody changes it.

        Raises what `unpack` raises, and asks it anew the next time.
        """
        with self._lock:
            known = self._chunks.pop(key, None)
            chunk = self._chunks[key] = Future() if known is None else known
            while len(self._chunks) > max(1, self._limit // max(1, chunk_bytes)):
                self._chunks.popitem(last=False)
        if known is None:
            try:
                chunk.set_result(unpack())
            except BaseException as error:
                with self._lock:
                    self._chunks.pop(key, None)
                chunk.set_exception(error)
        return chunk.result()

    def clear(self) -> None:
        """Let go of the memory."""
        with self._lock:
            self._chunks.clear()
