"""The training log as TensorBoard events, and the error without TensorBoard."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from schemas.errors import OptionError
from stages.training.tensorboard import event_writer

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [{"step": 5, "loss": 2.0, "images": 20}, {"step": 10, "loss": 1.5, "images": 40}]


def test_event_files_contain_the_training_log(tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    write = event_writer(str(tmp_path / "events"), "train")
    write(ROWS[:1])
    write(ROWS[1:])
    accumulator = events.EventAccumulator(str(tmp_path / "events"))
    accumulator.Reload()
    losses = [(event.step, event.value) for event in accumulator.Scalars("train/loss")]
    assert losses == [(5, 2.0), (10, 1.5)]


def test_without_a_folder_nothing_is_written(tmp_path: Path) -> None:
    event_writer(None, "train")(ROWS)
    assert not list(tmp_path.iterdir())


def test_a_missing_tensorboard_is_an_error_that_names_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(OptionError, match="rc pretrain: --tensorboard needs the package"):
        event_writer(str(tmp_path), "pretrain")


def test_of_several_ranks_only_the_first_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.training.tensorboard.rank", lambda: 1)
    event_writer(str(tmp_path), "train")(ROWS)
    assert not list(tmp_path.iterdir())
