"""Functions run on two new processes, and what is said of those that fail."""

from __future__ import annotations

import logging
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from stages.training import rank_launch

if TYPE_CHECKING:
    from pathlib import Path


def _place(word: str) -> list[str]:
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "TORCH_CPP_LOG_LEVEL")
    return [word, *(os.environ[name] for name in names)]


@pytest.mark.slow
def test_every_rank_has_its_place_and_the_caller_has_what_it_had() -> None:
    before = dict(os.environ), [signal.getsignal(number) for number in rank_launch._SIGNALS]
    assert rank_launch.launched(2, _place, "here") == ["here", "0", "2", "0", "127.0.0.1", "FATAL"]
    assert before == (
        dict(os.environ),
        [signal.getsignal(number) for number in rank_launch._SIGNALS],
    )
    assert logging.root.manager.disable == logging.NOTSET


def failure(tmp_path: Path, exitcode: int, message: Any = None) -> ProcessFailure:
    ended = ProcessFailure(1, 4711, exitcode, str(tmp_path / "no error file"))
    if message:
        ended.message = message
    return ended


@pytest.mark.parametrize(
    ("exitcode", "said"),
    [
        (-9, "rank 1 was ended by SIGKILL, perhaps because memory ran out, and the other ranks"),
        (-11, "rank 1 was ended by SIGSEGV, and the other ranks were ended. Run the same command"),
        (7, "rank 1 ended with exit code 7 and said nothing, and the other ranks were ended. Run"),
    ],
)
def test_who_ends_without_a_word_is_named(tmp_path: Path, exitcode: int, said: str) -> None:
    assert rank_launch._sentence(1, failure(tmp_path, exitcode)).startswith(said)


def test_what_the_first_rank_says_is_said_as_by_one_process(tmp_path: Path) -> None:
    message = {"message": "StageError: no image is left: none.", "extraInfo": {}}
    assert rank_launch._sentence(0, failure(tmp_path, 1, message)) == "no image is left: none."
