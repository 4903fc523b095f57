"""Lists of parts: read as they were written, or refused with a sentence."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.store import catalog, part_records
from pipeline.store import manifest as manifests
from pipeline.store.artifact import Artifact, open_artifact
from pipeline.store.part_records import FileRecord, PartList, PartRecord
from schemas.errors import ArtifactError
from tests.pipeline.helpers import make, records_in, rewrite_list, rewrite_manifest
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Records = list[dict[str, Any]]

HASH = "0" * 64
FULL = PartRecord(
    number=7,
    rows=5,
    bytes=100,
    sha256=HASH,
    files=(FileRecord(name="part-00007.dump.h5", bytes=20, sha256="1" * 64),),
    recipe="2" * 64,
    dropped={"unreadable": 2},
    counts={"objects": [1, 2], "images": {"a": 0.5}},
    facts=("network",),
)


def test_a_list_is_read_as_it_was_written_and_sums_up(tmp_path: Path) -> None:
    records = (PartRecord(number=0, rows=3, bytes=10, sha256=HASH), FULL)
    summary = part_records.write(tmp_path, records)
    content = (tmp_path / part_records.NAME).read_bytes()
    assert tuple(part_records.read(tmp_path, summary)) == records
    assert (summary.count, summary.rows, summary.bytes) == (2, 8, 130)
    assert summary.list_bytes == len(content)
    assert summary.list_sha256 == hashlib.sha256(content).hexdigest()


def test_a_part_is_a_line_that_leaves_out_what_it_does_not_have(tmp_path: Path) -> None:
    part_records.write(tmp_path, [PartRecord(number=0, rows=3, bytes=10, sha256=HASH)])
    assert records_in(tmp_path) == [{"number": 0, "rows": 3, "bytes": 10, "sha256": HASH}]


def test_a_list_of_no_parts_is_empty(tmp_path: Path) -> None:
    summary = part_records.write(tmp_path, ())
    assert (tmp_path / part_records.NAME).read_bytes() == b""
    assert tuple(part_records.read(tmp_path, summary)) == ()


def test_what_nobody_could_read_is_not_published(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not in rising order"):
        part_records.write(tmp_path, [FULL, FULL])
    assert list(tmp_path.iterdir()) == []


def _file(name: object) -> dict[str, object]:
    return {"name": name, "bytes": 1, "sha256": HASH}


CONTRADICTIONS: dict[str, tuple[Callable[[Records], object], str]] = {
    "a part doubled": (lambda r: r.insert(1, r[0]), "not in rising order"),
    "parts swapped": (lambda r: r.reverse(), "not in rising order"),
    "rows below 0": (lambda r: r[0].update(rows=-5), "rows: "),
    "rows beyond int64": (lambda r: r[0].update(rows=10**30), "rows: "),
    "a number below 0": (lambda r: r[0].update(number=-1), "number: "),
    "no hash": (lambda r: r[0].update(sha256="abc"), "sha256: "),
    "a field of its own": (lambda r: r[0].update(mood=1), "mood: "),
    "dropped below 0": (lambda r: r[0].update(dropped={"unreadable": -1}), "dropped.unreadable: "),
    "a name twice": (lambda r: r[0].update(files=[_file("x"), _file("x")]), "x is listed twice"),
    **{
        f"attachment {name!r}": (lambda r, name=name: r[0].update(files=[_file(name)]), "")
        for name in ("../x", "a/b", "", ".hidden", "\x1b[2J", "part-00000.parquet", "x" * 300)
    },
    **{
        f"attachment {name!r}": (lambda r, name=name: r[0].update(files=[_file(name)]), "not")
        for name in ("manifest.json", "recency.json", "parts.jsonl", "drafts", "Manifest.json")
    },
    "deep": (lambda r: r[0].update(counts={"a": json.loads("[" * 500 + "]" * 500)}), "JSON"),
}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(Ingest(), tmp_path_factory.mktemp("sound")).path


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_list_that_contradicts_itself_is_refused_even_if_its_hash_holds(
    sound: Path, tmp_path: Path, name: str
) -> None:
    records = records_in(sound)
    harm, said = CONTRADICTIONS[name]
    harm(records)
    summary = rewrite_list(tmp_path, records)
    expected = PartList(**{**summary, "rows": 20})
    with pytest.raises(ArtifactError) as told:
        part_records.read(tmp_path, expected)
    assert said in str(told.value)
    assert str(told.value).isprintable()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"count": 5}, "it has 4 parts together, not 5"),
        ({"rows": 0}, "it has 20 rows together, not 0"),
        ({"bytes": 1}, r"it has \d+ bytes together, not 1"),
        ({"list_bytes": 7}, r"it has \d+ bytes, and 7 in its manifest"),
        ({"list_sha256": HASH}, "differs from the hash in its manifest"),
    ],
)
def test_sums_and_hash_are_those_of_the_manifest(
    sound: Path, changed: dict[str, Any], said: str
) -> None:
    expected = open_artifact(sound).manifest.parts.model_copy(update=changed)
    with pytest.raises(ArtifactError, match=rf"parts.jsonl cannot be read: .*{said}.*--force"):
        part_records.read(sound, expected)


def test_verifying_names_a_list_that_is_damaged_or_that_of_another(root: Path) -> None:
    artifact, other = make(Ingest(), root), make(Ingest(count=3), root)
    path = artifact.path / part_records.NAME
    content = path.read_bytes()
    for harmed in (content[:-1], content.replace(b"5", b"4", 1), (other.path / path.name)):
        path.write_bytes(harmed if isinstance(harmed, bytes) else harmed.read_bytes())
        now = Artifact(artifact.path, artifact.manifest)  # remembers no list
        assert catalog.verify(now) == [f"{artifact.address}/{part_records.NAME}"]


def test_the_hash_of_a_manifest_covers_its_list(root: Path) -> None:
    path = make(Ingest(), root).path
    content = json.loads((path / manifests.NAME).read_text())
    summary = rewrite_list(path, records_in(path)[:3])
    (path / manifests.NAME).write_text(json.dumps({**content, "parts": summary}))
    with pytest.raises(ArtifactError, match="not as it was written, by its own hash"):
        open_artifact(path)
    rewrite_manifest(path, {**content, "parts": summary})
    assert open_artifact(path).numbers == [0, 1, 2]
