"""Rank 0 and another one train together what the first writes; both are threads here."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.execution.engines import joined_ranks
from schemas.errors import ArtifactError, StageError
from tests.pipeline.execution.texts import GroupOfThreads, Texts

if TYPE_CHECKING:
    from collections.abc import Callable

LOST = RuntimeError("[gloo/transport/tcp/pair.cc:561] Connection closed by peer")


@dataclass(frozen=True)
class Together:
    """A task whose work on each rank is given."""

    folder: Path
    texts: Texts = field(default_factory=Texts)
    of_first: Exception | None = None
    of_second: Exception | None = None

    def __call__(self, advance: Callable[[int], None]) -> Any:
        assert not list(self.folder.glob(".probe-*"))  # it was only to be looked at
        if self.of_first is LOST:  # as soon as the other rank has left, and not before
            assert GroupOfThreads(self.texts, 0).told("left/1") is not None
        if self.of_first:
            raise self.of_first
        return "receipt"

    def follow(self) -> None:
        if self.of_second:
            raise self.of_second


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined_ranks, "_LINGER_S", 0.1)
    monkeypatch.setattr(joined_ranks.signal, "signal", lambda *_: None)


def run(first: Any, second: Any) -> tuple[Any, Any]:
    """What `led` and `follow` end in: a value, or an error as text."""
    texts = first.texts

    def end(work: Callable[..., Any], rank: int, *arguments: Any) -> Any:
        try:
            return work(GroupOfThreads(texts, rank), *arguments)
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    with ThreadPoolExecutor(2) as ranks:
        led = ranks.submit(end, joined_ranks.led, 0, first, lambda count: None)
        followed = ranks.submit(end, joined_ranks.follow, 1, second)
        return led.result(), followed.result()


def test_the_first_has_the_receipt_and_no_probe_is_left(tmp_path: Path) -> None:
    task = Together(tmp_path)
    assert run(task, task) == ("receipt", None)
    assert list(tmp_path.iterdir()) == []


def test_a_rank_that_sees_another_store_is_named(tmp_path: Path) -> None:
    first, second = run(Together(tmp_path), Together(tmp_path / "elsewhere"))
    assert first == second
    assert first.startswith("StageError: rank 1, on ")
    assert f"does not see the same store: its {tmp_path / 'elsewhere'} is not there" in first


def test_what_failed_elsewhere_is_the_reason_of_a_loss(tmp_path: Path) -> None:
    task = Together(tmp_path, of_first=LOST, of_second=ArtifactError("part 3 is gone"))
    assert run(task, task)[0] == "StageError: rank 1 said: part 3 is gone."


def test_a_rank_that_went_without_a_word_is_said_to_be_gone(tmp_path: Path) -> None:
    task = Together(tmp_path, of_first=LOST, of_second=LOST)
    first, second = run(task, task)
    assert first == second
    assert first.startswith("StageError: another rank is gone, and whatever started it knows why")


def test_an_error_of_the_first_rank_stays_what_it_is(tmp_path: Path) -> None:
    task = Together(tmp_path, of_first=ArtifactError("no image is left"), of_second=LOST)
    assert run(task, task)[0] == "ArtifactError: no image is left"


def test_a_rank_follows_nothing_where_nothing_is_to_be_computed(tmp_path: Path) -> None:
    group: Any = GroupOfThreads(Texts({joined_ranks.BEGIN: ""}), 1)
    task: Any = Together(tmp_path, of_second=LOST)
    assert joined_ranks.follow(group, task) is None  # type: ignore[func-returns-value]


def test_a_rank_whose_first_one_is_gone_says_so(tmp_path: Path) -> None:
    group: Any = GroupOfThreads(Texts(), 1)
    group.told = lambda name, seconds=None: None
    with pytest.raises(StageError, match=r"^rank 0 is gone\. Run the same command again"):
        joined_ranks.follow(group, Together(tmp_path))  # type: ignore[arg-type]
