"""A damaged Parquet that ends the process of who asks pyarrow for its columns."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import SourceError
from stages.sources import parquet_metadata
from stages.sources.parquet_rows import open_parquet
from tests.hostile import crashes

CRASHES = sorted(Path(next(iter(crashes.__path__))).glob("*.parquet"))


@pytest.mark.parametrize("path", CRASHES, ids=lambda path: path.stem)
def test_a_file_that_ends_the_process_is_refused(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = rf"{path.name} is damaged: what it says of its columns"
    with path.open("rb") as file, pytest.raises(SourceError, match=said):
        open_parquet(str(path), file)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("path", CRASHES, ids=lambda path: path.stem)
def test_it_does_end_the_process(path: Path) -> None:
    """Else pyarrow was mended, and the check can go."""
    asks = f"import pyarrow.parquet as pq; m = pq.ParquetFile({str(path)!r}).metadata.row_group(0)"
    asks += "; [m.column(n) for n in range(m.num_columns)]"
    assert subprocess.run([sys.executable, "-c", asks], capture_output=True).returncode < 0


def test_a_file_is_tried_once_while_it_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []
    survives = parquet_metadata._survives
    monkeypatch.setattr(
        parquet_metadata, "_survives", lambda metadata: tried.append(1) or survives(metadata)
    )
    path = tmp_path / "a.parquet"
    for rows, tries in ((3, 1), (3, 1), (30, 2)):
        if tries > len(tried):
            pq.write_table(pa.table({"a": list(range(rows))}), path)
        with path.open("rb") as file:
            assert open_parquet(str(path), file).metadata.num_rows == rows
        assert len(tried) == tries


def test_a_child_that_does_not_come_back_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless:
        num_row_groups = 1

        def row_group(self, number: int) -> None:
            while True:
                pass

    monkeypatch.setattr(parquet_metadata, "_LONGEST_S", 1)
    start = time.monotonic()
    assert not parquet_metadata._survives(Endless())
    assert time.monotonic() - start < 60
