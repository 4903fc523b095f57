from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.execution import provenance
from pipeline.store import catalog, part_records
from pipeline.store.artifact import Artifact, open_artifact, stream, with_readable_parts
from pipeline.store.atomic import remove_folder
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
    for path in map(artifact.path.joinpath, artifact.listed):
        content = path.read_bytes()
        said = "cannot be read: it " if path.name == part_records.NAME else ""
        for at in rng.integers(0, len(content), 8):
            harmed = bytearray(content)
            harmed[at] ^= 1 << rng.integers(8)
            path.write_bytes(harmed)
            now = Artifact(artifact.path, artifact.manifest)  # remembers no list
            with pytest.raises(
                ArtifactError, match=f"{path} {said}differs from the hash in its manifest"
            ):
                now.files() + now.files(drafts=True) + now.attachments("")
        path.write_bytes(content)
    assert artifact.attachments("") == [
        path
        for path in map(artifact.path.joinpath, artifact.listed)
        if path.suffix not in (".parquet", ".jsonl") or "quarantine" in path.name
    ]


def test_what_is_in_a_store_is_known_without_reading_a_list(root: Path) -> None:
    artifact = make(Ingest(), root)
    (artifact.path / part_records.NAME).unlink()
    [there] = catalog.everything(root)
    facts = (there.manifest.rows, there.manifest.parts.count, there.manifest.bytes())
    assert facts == (20, 4, sum(path.stat().st_size for path in there.path.glob("part-*")))
    assert catalog.sweepable(root) == {}
    with pytest.raises(ArtifactError, match=r"parts\.jsonl cannot be read: No such file"):
        there.files()


def test_an_artifact_whose_list_is_damaged_is_left_out_of_those_with_parts(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sound, harmed = make(Ingest(), root), make(Ingest(count=3), root)
    (harmed.path / part_records.NAME).write_bytes(b"{}\n")
    there = [Artifact(one.path, one.manifest) for one in (sound, harmed)]
    assert list(with_readable_parts(there)) == [sound]
    assert f"{harmed.address} is left out: " in caplog.text


def test_of_one_that_was_deleted_since_nothing_is_said(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    artifact = make(Ingest(), root)
    there = Artifact(artifact.path, artifact.manifest)  # has read no list
    remove_folder(artifact.path, first="manifest.json")
    assert list(with_readable_parts([there])) == []
    assert caplog.text == ""
