"""Work done ahead of time in threads, its results handed out in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")
V = TypeVar("V")


def in_order(items: Iterable[T], work: Callable[[T], V], threads: int, ahead: int) -> Iterator[V]:
    """Results of `work` in the order of `items`, at most `ahead` more than were asked for."""
    if threads == 0:
        yield from map(work, items)
        return
    waiting: deque[Future[V]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for late in waiting:
                late.cancel()
