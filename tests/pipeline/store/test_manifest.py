from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.store import manifest as manifests
from pipeline.store import recency
from pipeline.store.artifact import open_artifact
from schemas.errors import ArtifactError
from tests.pipeline.helpers import make, make_all
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_a_manifest_is_read_as_it_was_written(root: Path) -> None:
    for artifact in make_all(root).values():
        assert manifests.read(artifact.path) == artifact.manifest


@pytest.mark.slow
def test_its_size_is_that_of_all_committed_files(root: Path) -> None:
    for artifact in make_all(root).values():
        files = [p for p in artifact.path.rglob("*") if p.is_file() and p.suffix != ".faiss"]
        assert artifact.manifest.bytes() == sum(
            path.stat().st_size for path in files if path.name not in (manifests.NAME, recency.NAME)
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda text: text[: len(text) // 2], "its JSON: Invalid JSON"),
        (lambda text: "", "its JSON: Invalid JSON"),
        (lambda text: text.replace('"rows"', '"lines"', 1), "Extra inputs|Field required"),
        (lambda text: json.dumps({**json.loads(text), "rows": "many"}), "rows: Input should be"),
        (lambda text: json.dumps({**json.loads(text), "mood": 1}), "mood: Extra inputs"),
    ],
)
def test_a_damaged_or_foreign_manifest_is_refused_with_a_sentence(root: Path, harm, said) -> None:  # type: ignore[no-untyped-def]
    path = make(Ingest(), root).path / manifests.NAME
    path.write_text(harm(path.read_text()))
    with pytest.raises(ArtifactError, match=rf"manifest.json cannot be read: .*({said}).*--force"):
        open_artifact(path.parent)
