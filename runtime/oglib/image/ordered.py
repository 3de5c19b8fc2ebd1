# SPDX-License-Identifier: GPL-3.0-or-later
"""Work done by several threads, results in order, and never more than a few items in memory.

The work is compressing, hashing and reading, all outside the interpreter's lock; so threads
are enough. Knows nothing of images.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import repeat
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_MOST_WORKERS = 8
_WAITING_READERS = 6


def worker_count(asked: int | None, bytes_each: int) -> int:
    """``asked``, or one per processor; fewer where each needs much memory (``bytes_each``)."""
    count = asked or min(_MOST_WORKERS, len(os.sched_getaffinity(0)))
    return max(1, min(count, (64 << 20) // bytes_each))


def reader_count(workers: int, bytes_each: int) -> int:
    """How many threads compare a disk: some wait for it while ``workers`` hash."""
    return max(workers, worker_count(workers + _WAITING_READERS, 4 * bytes_each))


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], workers: int, ahead_each: int = 2
) -> Generator[Result, None, None]:
    """``map`` by threads; the first error ends it.

    At most ``ahead_each * workers`` items are read ahead of the result at hand. Close it
    (``contextlib.closing``): only then no thread works on after the caller failed.
    """
    ahead: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="og-image")
    try:
        for item in items:
            ahead.append(pool.submit(work, item))
            if len(ahead) >= ahead_each * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def made_ahead(items: Iterator[Item]) -> Generator[Item, None, None]:
    """``items``, made by a thread of their own while the taker works on those before.

    Close it, as ``in_order``; ``items`` stay the caller's to close. No item may be None.
    """
    with closing(in_order(lambda _: next(items, None), repeat(None), 1)) as ready:
        while (item := next(ready)) is not None:
            yield item
