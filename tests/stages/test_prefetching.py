"""Work done ahead in threads: its order, its limit, its errors."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

import pytest

from stages.prefetching import map_in_order
from tests.waiting import HANG_S

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_results_come_in_the_order_of_their_items(threads: int) -> None:
    assert list(map_in_order(range(20), lambda i: -i, threads, ahead=5)) == [-i for i in range(20)]


def test_a_slow_first_item_is_still_the_first_result() -> None:
    second_is_done = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert second_is_done.wait(timeout=HANG_S)
        if item == 1:
            second_is_done.set()
        return item

    assert list(map_in_order(range(4), work, 2, ahead=3)) == [0, 1, 2, 3]


@pytest.mark.parametrize(("threads", "expected"), [(0, 1), (2, 6)])
def test_no_more_items_are_taken_than_may_be_ahead(threads: int, expected: int) -> None:
    taken = 0

    def counted() -> Iterator[int]:
        nonlocal taken
        for i in range(100):
            taken += 1
            yield i

    results = map_in_order(counted(), lambda i: i, threads, ahead=5)
    assert next(results) == 0
    assert taken == expected


def test_without_threads_work_runs_in_the_thread_of_the_caller() -> None:
    threads = set(map_in_order(range(3), lambda _: threading.get_ident(), 0, ahead=2))
    assert threads == {threading.get_ident()}
    others = set(map_in_order(range(3), lambda _: threading.get_ident(), 1, ahead=2))
    assert threading.get_ident() not in others


@pytest.mark.parametrize("threads", [0, 2])
def test_an_error_of_the_work_reaches_the_caller_after_the_results_before_it(threads: int) -> None:
    def fails(i: int) -> int:
        if i == 2:
            raise ValueError("item 2")
        return i

    results = map_in_order(range(5), fails, threads, ahead=2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="item 2"):
        next(results)


def test_items_that_were_not_started_are_cancelled_when_the_caller_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release, started, cancelled = threading.Event(), [], []
    cancel = Future.cancel

    def spy(future: Future[int]) -> bool:
        cancelled.append(cancel(future))
        if len(cancelled) == 5:
            release.set()  # the item that runs can end only after the others are cancelled
        return cancelled[-1]

    def work(item: int) -> int:
        started.append(item)
        assert item == 0 or release.wait(timeout=HANG_S)
        return item

    monkeypatch.setattr(Future, "cancel", spy)
    results = map_in_order(range(10), work, 1, ahead=5)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]
    assert cancelled[1:] == [True] * 4
    assert started in ([0], [0, 1])


@pytest.mark.parametrize("threads", [0, 2])
def test_no_items_give_no_results(threads: int) -> None:
    assert list(map_in_order([], lambda i: i, threads, ahead=3)) == []
