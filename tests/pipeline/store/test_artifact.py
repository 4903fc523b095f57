from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.execution import provenance
from pipeline.store.artifact import open_artifact, stream
from schemas.errors import ArtifactError
from tests.pipeline.helpers import make, make_all
from tests.pipeline.toys import Ingest, Propose

if TYPE_CHECKING:
    from pathlib import Path


def test_an_artifact_knows_its_name_its_store_and_its_parts(root: Path) -> None:
    artifact = make(Ingest(), root)
    assert artifact.root == root
    assert artifact.path == root / artifact.address
    assert artifact.numbers == [0, 1, 2, 3]
    assert [path.name for path in artifact.files()] == [f"part-0000{n}.parquet" for n in range(4)]


def test_its_rows_stream_in_the_order_of_its_parts(root: Path) -> None:
    ids = [i for rows in stream(make(Ingest(), root).files()) for i in rows["image_id"].to_pylist()]
    assert ids == sorted(ids)
    assert len(ids) == 20


@pytest.mark.slow
def test_drafts_are_files_too(root: Path) -> None:
    concepts = make_all(root)["concepts"]
    assert {path.parent.name for path in concepts.files(drafts=True)} == {"drafts"}
    assert concepts.part(3, drafts=True).is_file()


def test_attachments_are_found_by_how_their_names_end(root: Path) -> None:
    make(Ingest(), root)
    proposals = make(Propose(), root)
    assert [path.name for path in proposals.attachments("dump.txt")] == [
        f"part-0000{n}.dump.txt" for n in range(4)
    ]
    assert proposals.attachments("quarantine.parquet") == []


def test_a_part_that_is_gone_is_a_sentence(root: Path) -> None:
    artifact = make(Ingest(), root)
    artifact.part(2).unlink()
    with pytest.raises(ArtifactError, match=r"part-00002.parquet is missing although its manifest"):
        artifact.files()


def test_an_artifact_made_again_is_not_the_one_remembered(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make(Ingest(), root)
    monkeypatch.setattr(provenance, "circumstances", lambda: {"created": "later"})
    make(Ingest(), root, force=True)
    assert open_artifact(first.path).manifest.run["created"] == "later"


@pytest.mark.slow
@pytest.mark.parametrize("table", ["images", "concepts", "proposals", "features", "teachers"])
def test_a_flipped_bit_in_any_file_is_seen_when_it_is_opened(root: Path, table: str) -> None:
    artifact = make_all(root)[table]
    rng = np.random.default_rng(7)
    for path in artifact.listed:
        content = path.read_bytes()
        for at in rng.integers(0, len(content), 8):
            harmed = bytearray(content)
            harmed[at] ^= 1 << rng.integers(8)
            path.write_bytes(harmed)
            with pytest.raises(
                ArtifactError, match=f"{path} differs from the hash in its manifest"
            ):
                artifact.files() + artifact.files(drafts=True) + artifact.attachments("")
        path.write_bytes(content)
    assert artifact.attachments("") == [
        path for path in artifact.listed if path.suffix != ".parquet" or "quarantine" in path.name
    ]
