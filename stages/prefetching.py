"""Work done ahead of time in threads; results come in the order of their inputs."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")
V = TypeVar("V")


def map_in_order(
    items: Iterable[T], work: Callable[[T], V], threads: int, ahead: int
) -> Iterator[V]:
    """Results of `work` in the order of `items`; runs at most `ahead` items ahead."""
    if threads == 0:
        yield from map(work, items)
        return
    pending: deque[Future[V]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                pending.append(pool.submit(work, item))
                if len(pending) > ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
