"""The tables artifacts, lineage and quarantine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline import sql
from schemas.errors import ArtifactError
from tests.pipeline.helpers import make
from tests.pipeline.sql.query_rows import query_rows
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact


@pytest.mark.slow
def test_artifacts_and_lineage_are_tables(store: Path, artifacts: dict[str, Artifact]) -> None:
    rows = {row["artifact"]: row for row in query_rows(store, "FROM artifacts")}
    assert set(rows) == {artifact.address for artifact in artifacts.values()}
    assert rows[artifacts["images"].address]["dropped"] == 3
    edges = {
        (row["artifact"], row["role"], row["made_from"])
        for row in query_rows(store, "FROM lineage")
    }
    features, teacher = artifacts["features"].address, artifacts["teachers"].address
    assert (features, "teacher", teacher) in edges


@pytest.mark.slow
def test_refused_records_are_in_quarantine_with_their_artifact(
    store: Path,
    artifacts: dict[str, Artifact],
) -> None:
    images = artifacts["images"]
    assert query_rows(store, "FROM quarantine ORDER BY record") == [
        {
            "artifact": images.address,
            "record": f"toy/{number:06d}",
            "reason": "told-to",
            "detail": "The toy was told to refuse it.",
        }
        for number in (0, 7, 14)
    ]


def test_a_damaged_quarantine_file_is_refused(root: Path) -> None:
    images = make(Ingest(count=6, refuse_every=2), root)
    (path, *_) = images.attachments("quarantine.parquet")
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ArtifactError, match=r"quarantine\.parquet has 50 bytes"):
        sql.connect(root)
    path.unlink()
    with pytest.raises(ArtifactError, match=r"quarantine\.parquet is missing"):
        sql.connect(root)
