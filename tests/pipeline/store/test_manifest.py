from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.store import catalog, part_records, recency
from pipeline.store import manifest as manifests
from pipeline.store.artifact import open_artifact
from schemas.errors import ArtifactError
from tests.pipeline.helpers import make, make_all, records_in, rewrite_list, rewrite_manifest
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from collections.abc import Callable
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
            path.stat().st_size
            for path in files
            if path.name not in (manifests.NAME, part_records.NAME, recency.NAME)
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda text: text[: len(text) // 2], "its JSON: Invalid JSON"),
        (lambda text: "", "its JSON: Invalid JSON"),
        (lambda text: text.replace('"rows"', '"lines"', 1), "Extra inputs|Field required"),
        (lambda text: json.dumps({**json.loads(text), "parts": "many"}), "parts: Input should be"),
        (lambda text: json.dumps({**json.loads(text), "mood": 1}), "mood: Extra inputs"),
        (lambda text: text.replace('"schema_version": 2,', ""), "schema_version: Field required"),
        (lambda text: text.replace('"schema_version": 2', '"schema_version": 3'), "should be 2"),
    ],
)
def test_a_damaged_or_foreign_manifest_is_refused_with_a_sentence(root: Path, harm, said) -> None:  # type: ignore[no-untyped-def]
    path = make(Ingest(), root).path / manifests.NAME
    path.write_text(harm(path.read_text()))
    with pytest.raises(ArtifactError, match=rf"manifest.json cannot be read: .*({said}).*--force"):
        open_artifact(path.parent)


CONTRADICTIONS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "rows below 0": (lambda m: m["parts"].update(rows=-5), "parts.rows: "),
    "rows beyond int64": (lambda m: m["parts"].update(rows=10**30), "parts.rows: "),
    "rows as text": (lambda m: m["parts"].update(rows="20"), "parts.rows: "),
    "no hash": (lambda m: m["parts"].update(list_sha256="abc"), "parts.list_sha256: "),
    "parts themselves": (lambda m: m.update(parts=[]), "parts: "),
    "seconds as text": (lambda m: m["run"].update(seconds="long"), "seconds is not a number"),
    "endless": (lambda m: m["run"].update(seconds=float("inf")), "manifest.json cannot be read"),
    "created in colour": (lambda m: m["run"].update(created="\x1b[31m"), "created and engine"),
    "origins": (lambda m: m["run"].update(origins={"sources": [1]}), "origins are not lists"),
    "run as a list": (lambda m: m.update(run=[1]), "run: "),
    "dropped below 0": (lambda m: m.update(dropped={"unreadable": -1}), "dropped.unreadable: "),
    "dropped as text": (lambda m: m.update(dropped={"unreadable": "x"}), "dropped.unreadable: "),
    "dropped as a list": (lambda m: m.update(dropped=["x"]), "dropped: "),
    "inputs elsewhere": (lambda m: m.update(inputs={"a": "../../v1-0123456789ab"}), "inputs.a: "),
    "deep": (lambda m: m.update(notes=json.loads("[" * 500 + "]" * 500)), "Invalid JSON"),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(Ingest(), tmp_path_factory.mktemp("sound")).path


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_manifest_that_contradicts_itself_is_refused_even_if_its_hash_holds(
    sound: Path, tmp_path: Path, name: str
) -> None:
    content = json.loads((sound / manifests.NAME).read_text())
    harm, said = CONTRADICTIONS[name]
    harm(content)
    rewrite_manifest(tmp_path, content)
    with pytest.raises(ArtifactError) as told:
        manifests.read(tmp_path)
    assert said in str(told.value)
    assert str(told.value).isprintable()


def test_a_manifest_that_is_not_as_it_was_written_is_refused(sound: Path, tmp_path: Path) -> None:
    text = (sound / manifests.NAME).read_text()
    content = json.loads(text)
    changes = [
        text.replace('"rows": 20', '"rows": 16'),
        text.replace('"count": 4', '"count": 5'),
        text.replace("  ", " "),
        json.dumps({**content, "own_sha256": "0" * 64}),
    ]
    for changed in changes:
        (tmp_path / manifests.NAME).write_text(changed)
        with pytest.raises(ArtifactError, match="not as it was written, by its own hash"):
            manifests.read(tmp_path)
    for changed in ({**content, "own_sha256": ""}, {**content, "own_sha256": None}):
        (tmp_path / manifests.NAME).write_text(json.dumps(changed))
        with pytest.raises(ArtifactError, match=r"no hash of itself|own_sha256: "):
            manifests.read(tmp_path)


def test_what_a_sound_manifest_leaves_out_or_makes_up_is_seen_when_it_is_verified(
    root: Path,
) -> None:
    path = make(Ingest(), root).path
    content, records = json.loads((path / manifests.NAME).read_text()), records_in(path)
    rewrite_manifest(path, {**content, "parts": rewrite_list(path, records[:3])})
    address = f"images/{path.name}"
    assert catalog.verify(open_artifact(path)) == [f"{address}/part-00003.parquet"]
    first = {**records[0], "rows": 10**18}
    rewrite_manifest(path, {**content, "parts": rewrite_list(path, [first, *records[1:]])})
    assert catalog.verify(open_artifact(path)) == [f"{address}/part-00000.parquet"]


def test_a_file_of_another_length_or_that_is_not_listed_is_not_read(root: Path) -> None:
    artifact = make(Ingest(), root)
    with pytest.raises(ArtifactError, match=r"part-00007.parquet is not in its manifest"):
        artifact.part(7)
    with artifact.part(1).open("ab") as file:
        file.write(b"more")
    with pytest.raises(ArtifactError, match=r"part-00001.parquet has \d+ bytes, and \d+ in its"):
        artifact.files()
    artifact.part(2).unlink()
    with pytest.raises(ArtifactError, match=r"part-00002.parquet is missing although"):
        artifact.part(2)
