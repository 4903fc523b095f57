"""A training on two ranks of this machine: one artifact, made by rank 0, or a sentence."""

from __future__ import annotations

import logging
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.execution import engines, runner
from schemas.errors import OptionError, StageError
from tests.pipeline.helpers import Listener, contents
from tests.pipeline.rank_toys import Pretrain

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact

TOY = Pretrain(steps=4, ranks=2, device="cpu", threads=1)


def make(stage: Pretrain, root: Path, **how: Any) -> Artifact:
    return runner.materialize(stage, {}, root, **how)


def state() -> tuple[Any, ...]:
    """What torch's launcher changes in its process, and must not stay changed."""
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    return dict(os.environ), handlers, logging.root.manager.disable


def test_ranks_are_an_engine_and_one_rank_is_this_process() -> None:
    assert engines.make_for(TOY, workers=3).name == "ranks"
    assert engines.make_for(replace(TOY, ranks=1), workers=3).name == "in-process"


@pytest.mark.slow
def test_two_ranks_make_what_one_makes_and_report_it_once(root: Path, tmp_path: Path) -> None:
    listener, before = Listener(), state()
    together = make(replace(TOY, watched=tmp_path), root, reporter=listener)
    assert state() == before
    alone = make(replace(TOY, ranks=1), tmp_path / "alone")
    assert sorted(path.name for path in tmp_path.glob("rank-*")) == ["rank-0", "rank-1"]
    assert together.address == alone.address
    assert contents(together.path) == contents(alone.path)
    assert together.manifest.run["engine"] == "ranks"
    assert together.manifest.run["ranks"] == [2]
    assert "ranks" not in alone.manifest.run
    assert listener.count == 4  # steps: those of rank 0 alone
    folders = [path for path in root.rglob("*") if path.is_dir()]
    assert folders == [together.path.parent, together.path]


@pytest.mark.slow
def test_what_a_rank_said_is_the_error(root: Path) -> None:
    with pytest.raises(StageError) as caught:
        make(replace(TOY, trouble="1:1:raises"), root)
    assert str(caught.value) == "rc pretrain: rank 1 said: the disk of this rank is gone."


@pytest.mark.gpu
def test_more_ranks_than_devices_are_refused(root: Path) -> None:
    with pytest.raises(StageError, match=r"--ranks 99 needs as many CUDA devices, and torch sees"):
        make(replace(TOY, ranks=99, device="cuda"), root)


@pytest.mark.gpu
def test_one_device_for_all_ranks_is_refused(root: Path) -> None:
    with pytest.raises(StageError, match="--device cuda:0 is one device, and each rank"):
        make(replace(TOY, device="cuda:0"), root)


def test_a_device_that_is_not_there_is_refused_before_a_process_starts(root: Path) -> None:
    with pytest.raises((StageError, OptionError), match="--device must be auto, cpu, cuda"):
        make(replace(TOY, device="tpu"), root)
