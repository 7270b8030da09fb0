"""Blocks of an export are made ahead, on a thread that ends with it."""

import threading
import time
from collections.abc import Iterator

import pytest

from recorder.files.export.content import ahead


def test_the_next_item_is_made_while_one_is_used() -> None:
    made: list[int] = []

    def make() -> Iterator[int]:
        for i in range(3):
            made.append(i)
            yield i

    items = ahead(make())
    assert next(items) == 0
    end_s = time.monotonic() + 10
    while made != [0, 1]:
        assert time.monotonic() < end_s
    # The one after that waits until one is taken.
    assert [next(items), *items] == [1, 2]
    assert made == [0, 1, 2]


def test_what_fails_is_raised_where_it_is_wanted_and_no_thread_stays() -> None:
    def items() -> int:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        next(ahead(iter(items, None)))
    endless = ahead(iter(lambda: 1, 2))
    next(endless)
    endless.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
