"""What is said of ranks that fail; tests/pipeline/execution/engines/test_ranks.py starts some."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from stages.training import rank_launch

if TYPE_CHECKING:
    from pathlib import Path


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
