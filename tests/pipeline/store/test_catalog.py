from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline.store import catalog, recency
from pipeline.store.atomic import exclusively
from pipeline.store.manifest import NAME
from schemas.errors import ArtifactError, ArtifactNotFoundError, SchemaError, StageError
from tests.pipeline.helpers import make, make_all, rewrite_manifest
from tests.pipeline.toys import ExtractConcepts, Featurize, Ingest, Propose

if TYPE_CHECKING:
    from pathlib import Path


def test_the_newest_is_found_by_table_and_any_by_prefix_or_address(root: Path) -> None:
    first, second = make(Ingest(), root), make(Ingest(count=5), root)
    assert catalog.find(root, "images") == second
    digest = first.manifest.fingerprint
    for name in (f"images@{digest[:4]}", f"images@{digest[:12]}", first.address):
        assert catalog.find(root, name) == first
    assert catalog.find(root, f"{first.address}/") == first
    assert catalog.find(root, "images@") == second


@pytest.mark.slow
def test_a_prefix_that_fits_several_is_refused_naming_them(root: Path) -> None:
    made = [make(Ingest(count=count), root) for count in range(1, 19)]
    digits = [artifact.manifest.fingerprint[0] for artifact in made]
    twice = next(digit for digit in digits if digits.count(digit) > 1)  # 18 names, 16 digits
    with pytest.raises(ArtifactError, match=rf"'images@{twice}' could be any of images/v2-{twice}"):
        catalog.find(root, f"images@{twice}")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["features", "images@0000000", "images/v2-000000000000"])
def test_what_is_not_there_is_a_sentence_with_the_next_command(root: Path, name: str) -> None:
    make(Ingest(), root)
    with pytest.raises(ArtifactNotFoundError, match=r"no artifact matches .*: "):
        catalog.find(root, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["", "*", "../images", "images@x y", "images/v1", "a b", "i@1@2"])
def test_what_is_no_name_is_a_sentence(root: Path, name: str) -> None:
    make(Ingest(), root)
    with pytest.raises(ArtifactNotFoundError, match="names no artifact: write table, table@prefix"):
        catalog.find(root, name)


@pytest.mark.parametrize(
    ("version", "said"), [(3, "a newer .* Upgrade"), (1, "an older .* Recomp")]
)
def test_a_table_of_another_version_is_refused(root: Path, version: int, said: str) -> None:
    artifact = make(Ingest(), root)
    named = artifact.path.name.replace("v2", f"v{version}")
    other = artifact.path.rename(artifact.path.with_name(named))
    rewrite_manifest(other, {**json.loads((other / NAME).read_text()), "version": version})
    with pytest.raises(SchemaError, match=f"was written by {said}"):
        catalog.find(root, "images", 2)


def test_only_folders_with_our_kind_of_name_and_a_manifest_are_artifacts(root: Path) -> None:
    artifact = make(Ingest(), root)
    for name in ("v1-short", "v1-0123456789ab.old", "notes"):
        (root / "images" / name).mkdir()
        shutil.copy(artifact.path / NAME, root / "images" / name)
    (root / "images" / "v1-0123456789ab").mkdir()
    assert catalog.committed(root) == [artifact.path]
    assert catalog.committed(root / "nowhere") == []


@pytest.mark.slow
def test_ancestry_names_each_artifact_once_nearest_first(root: Path) -> None:
    made = make_all(root)
    names = [a.manifest.artifact for a in catalog.ancestry(made["pseudo_labels"])]
    assert sorted(names) == sorted(set(made) - {"students"})
    assert names[0] == "pseudo_labels"
    assert names.index("features") < names.index("images")
    assert catalog.ancestor(made["pseudo_labels"], ("images",)) == made["images"]
    assert catalog.ancestor(made["images"], ("features",)) is None


@pytest.mark.slow
def test_an_ancestor_that_was_deleted_is_left_out(root: Path) -> None:
    made = make_all(root)
    shutil.rmtree(made["teachers"].path)
    assert catalog.ancestor(made["features"], ("teachers",)) is None
    assert catalog.ancestor(made["features"], ("images",)) == made["images"]


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["delete", "flip", "truncate"])
@pytest.mark.parametrize("table", ["images", "concepts", "proposals", "teachers"])
def test_verifying_names_the_file_that_differs_and_no_other(
    root: Path, table: str, harm: str
) -> None:
    artifact = make_all(root)[table]
    assert catalog.verify(artifact) == []
    record = (artifact.drafts or artifact.parts)[-1]
    folder = artifact.path / "drafts" if artifact.drafts else artifact.path
    name = record.files[0].name if record.files else f"part-{record.number:05d}.parquet"
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    if harm == "flip":
        path.write_bytes(content[:5] + bytes([content[5] ^ 8]) + content[6:])
    if harm == "truncate":
        path.write_bytes(content[:-1])
    assert catalog.verify(artifact) == [str(path.relative_to(root))]


def test_the_manifest_of_another_artifact_is_as_good_as_damaged(root: Path) -> None:
    first, second = make(Ingest(), root), make(Ingest(count=20, seed=1), root)
    shutil.copy(second.path / NAME, first.path / NAME)
    assert f"it is that of {second.address}" in catalog.damage(first.path)
    assert catalog.everything(root) == [second]


@pytest.mark.slow
def test_only_what_nothing_refers_to_can_be_swept(root: Path) -> None:
    made = make_all(root)
    assert catalog.sweepable(root) == {}
    newer = make(Propose(regions=2), root)
    assert catalog.sweepable(root) == {}  # the older proposals still carry the features
    make(Featurize(), root, {"proposals": newer.address})
    assert made["features"].path not in catalog.sweepable(root)  # the labels need them
    superseded = make(ExtractConcepts(min_frequency=2), root)
    recency.record(made["concepts"].path)
    assert set(catalog.sweepable(root)) == {superseded.path}


@pytest.mark.slow
def test_models_and_metrics_are_never_superseded(root: Path) -> None:
    made = make_all(root)
    others = make_all(root, count=6)
    kept = set(catalog.sweepable(root))
    for table in ("teachers", "students"):
        assert made[table].path not in kept
        assert others[table].path not in kept
    assert made["images"].path not in kept  # the teacher was made from it


def test_an_unfinished_run_can_be_swept_but_not_while_it_is_under_way(root: Path) -> None:
    with pytest.raises(StageError):
        make(Ingest(break_part=0), root)
    (folder,) = root.glob("images/v*")
    assert catalog.sweepable(root) == {folder: "unfinished"}
    with exclusively(catalog.lock(folder), lambda: None):
        assert catalog.under_way(root) == [f"images/{folder.name}"]
        assert catalog.sweepable(root) == {}
        with pytest.raises(ArtifactError, match=r"nothing was deleted: images/v2-.* is being made"):
            catalog.sweep(root, [folder])
    assert catalog.under_way(root) == []
    assert catalog.sweep(root, [folder]) > 0
    assert not folder.exists()


def test_what_is_not_ours_is_never_swept(root: Path) -> None:
    make(Ingest(), root)
    for name in ("images/v2-mine", "notes/v2-draft", "images/v1-0123456789abc"):
        (root / name).mkdir(parents=True)
    assert catalog.sweepable(root) == {}
