"""Why a run failed is kept beside its parts until it is started again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.store import failure
from schemas.errors import StageError

if TYPE_CHECKING:
    from pathlib import Path


def test_the_error_that_ended_a_run_is_kept(tmp_path: Path) -> None:
    with pytest.raises(StageError), failure.recorded(tmp_path):
        raise StageError("part 3 said no")
    assert failure.failure_of(tmp_path) == "part 3 said no"


def test_a_run_that_starts_again_forgets_it(tmp_path: Path) -> None:
    (tmp_path / ".failed").write_text("long ago")
    with failure.recorded(tmp_path):
        assert failure.failure_of(tmp_path) is None
    assert failure.failure_of(tmp_path) is None


def test_a_run_that_was_killed_has_not_failed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), failure.recorded(tmp_path):
        raise KeyboardInterrupt
    assert failure.failure_of(tmp_path) is None


def test_a_run_that_left_no_folder_leaves_no_reason(tmp_path: Path) -> None:
    with pytest.raises(StageError), failure.recorded(tmp_path / "none"):
        raise StageError("no")
    assert not (tmp_path / "none").exists()
