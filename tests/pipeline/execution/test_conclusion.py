"""What a stage says of its result, and the refusal of an empty one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.execution.conclusion import refuse_empty
from schemas.errors import StageError
from tests.pipeline.helpers import make
from tests.pipeline.toys import Ingest, Pretrain

if TYPE_CHECKING:
    from pathlib import Path


def test_an_empty_artifact_passes_only_where_it_is_allowed(tmp_path: Path) -> None:
    empty = make(Ingest(count=0), tmp_path, allow_empty=True)
    assert refuse_empty(empty, allow_empty=True) is empty
    with pytest.raises(StageError, match=r"^rc ingest: the result has no rows\. Nothing was made"):
        refuse_empty(empty, allow_empty=False)


def test_refusals_explain_an_empty_result(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"no rows \(refused: 2 told-to\)"):
        make(Ingest(count=2, refuse_every=1), tmp_path)


def test_an_artifact_with_rows_passes(tmp_path: Path) -> None:
    full = make(Ingest(count=1), tmp_path)
    assert refuse_empty(full, allow_empty=False) is full
    assert full.manifest.notes["summary"] == ["1 row"]
    assert not make(Pretrain(), tmp_path).is_empty
