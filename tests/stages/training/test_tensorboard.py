"""Event files say what the journal says; without TensorBoard there is one sentence."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from schemas.errors import OptionError
from stages.training.tensorboard import board

if TYPE_CHECKING:
    from pathlib import Path

ROWS = [{"step": 5, "loss": 2.0, "images": 20}, {"step": 10, "loss": 1.5, "images": 40}]


def test_event_files_hold_the_journal(tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    write = board(str(tmp_path / "events"), "train")
    write(ROWS[:1])
    write(ROWS[1:])
    found = events.EventAccumulator(str(tmp_path / "events"))
    found.Reload()
    told = [(event.step, event.value) for event in found.Scalars("train/loss")]
    assert told == [(5, 2.0), (10, 1.5)]


def test_without_a_folder_nothing_is_written(tmp_path: Path) -> None:
    board(None, "train")(ROWS)
    assert not list(tmp_path.iterdir())


def test_without_tensorboard_there_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(OptionError, match="rc pretrain: --tensorboard needs the package"):
        board(str(tmp_path), "pretrain")
