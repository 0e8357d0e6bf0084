"""Frames worked out ahead in a few threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

THREADS = min(os.cpu_count() or 1, 4)
T = TypeVar("T")


@contextmanager
def in_order(work: Callable[[int], T], count: int, threads: int = THREADS) -> Iterator[Iterator[T]]:
    """The results of ``work(0)`` to ``work(count - 1)`` one after the other, a few of them ahead of who takes them.

    No thread is left running when the block is left, however that happens.
    """
    with ThreadPoolExecutor(min(threads, count)) as pool:

        def results() -> Iterator[T]:
            waiting = deque()
            for index in range(count):
                waiting.append(pool.submit(work, index))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

        try:
            yield results()
        finally:
            pool.shutdown(cancel_futures=True)
