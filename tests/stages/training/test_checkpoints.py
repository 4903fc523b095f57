"""Checkpoints are written atomically, and run no code when loaded."""

from __future__ import annotations

import pickle
from functools import partial
from typing import TYPE_CHECKING

import pytest
import torch

from schemas.errors import ArtifactError
from stages.training import checkpoints
from tests.small_disk import small_disk

if TYPE_CHECKING:
    from pathlib import Path


def test_a_saved_state_is_loaded_unchanged(tmp_path: Path) -> None:
    state = {"a": torch.arange(3), "b": [1, 2.5, {"c": None}], "d": (0, 7)}
    checkpoints.save(tmp_path / "x.pt", state)
    loaded = checkpoints.load(tmp_path / "x.pt")
    assert loaded is not None
    assert torch.equal(loaded["a"], state["a"])
    assert (loaded["b"], loaded["d"]) == (state["b"], state["d"])
    assert [p.name for p in tmp_path.iterdir()] == ["x.pt"]


def test_loading_a_missing_file_gives_none(tmp_path: Path) -> None:
    assert checkpoints.load(tmp_path / "x.pt") is None


def test_a_kill_while_writing_leaves_the_older_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints.save(tmp_path / "x.pt", {"step": 1})

    def killed(state: object, file: object) -> None:
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        checkpoints.save(tmp_path / "x.pt", {"step": 2})
    assert checkpoints.load(tmp_path / "x.pt") == {"step": 1}


def test_on_a_full_disk_the_older_checkpoint_stays_and_no_draft(tmp_path: Path) -> None:
    checkpoints.save(tmp_path / "x.pt", {"step": 1})
    with small_disk(10_000), pytest.raises(OSError, match=r"File too large.*x\.pt"):
        checkpoints.save(tmp_path / "x.pt", {"step": torch.zeros(10_000)})
    assert checkpoints.load(tmp_path / "x.pt") == {"step": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.pt"]


def test_a_damaged_checkpoint_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    checkpoints.save(path, {"weights": torch.arange(64.0)})
    content = path.read_bytes()
    flipped = [
        content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]
        for place in range(0, len(content), 97)
    ]
    for harmed in (b"not a checkpoint", b"", content[:-1], content[: len(content) // 2], *flipped):
        path.write_bytes(harmed)
        with pytest.raises(ArtifactError, match=r"x\.pt is damaged.*; delete it to start over"):
            checkpoints.load(path)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    for run in ("v1-a", "v1-b"):
        (tmp_path / run / ".scratch").mkdir(parents=True)
        checkpoints.save(tmp_path / run / ".scratch" / "x.pt", {"step": 1})
    (tmp_path / "v1-a").rename(tmp_path / "v1-c")
    with pytest.raises(ArtifactError, match="of another run"):
        checkpoints.load(tmp_path / "v1-c" / ".scratch" / "x.pt")


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("this must never be printed",)


def test_code_in_a_checkpoint_is_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "save", partial(torch.save, pickle_module=pickle))
    checkpoints.save(tmp_path / "x.pt", {"step": Trap()})
    with pytest.raises(ArtifactError):
        checkpoints.load(tmp_path / "x.pt")
    assert capsys.readouterr().out == ""


def test_trainable_state_has_buffers_but_no_frozen_parameters() -> None:
    network = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    network[0].weight.requires_grad_(False)
    network[1].requires_grad_(False)
    names = set(checkpoints.trainable_state(network))
    assert names == {"0.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"}
