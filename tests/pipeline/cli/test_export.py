"""`rc export-features`: what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.pipeline.helpers import make_all

if TYPE_CHECKING:
    from pathlib import Path


def test_features_are_exported_and_counted(rc, root: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    make_all(root, count=4)
    answer = rc("export-features", "features", tmp_path / "out", "--format", "h5")
    assert answer.code == 0
    assert "out.h5" in answer.out
    assert "rows" in answer.out
    assert (
        "--format must be one of" in rc("export-features", "features", "x", "--format", "xls").err
    )
