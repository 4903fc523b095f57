"""Import-weights: one published file, five things that can be taken out of it."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from pipeline.store.tables import models
from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.detectors import DETECTORS
from schemas.errors import OptionError, SourceError
from schemas.rpns import RPNS
from schemas.students import STUDENTS
from schemas.table import as_matrix
from schemas.teachers import TEACHERS
from stages.import_weights import ImportWeights
from stages.models.clip import read_clip
from stages.models.detector import read_detector
from tests.in_memory import InMemory
from tests.stages.models import foreign, tiny

if TYPE_CHECKING:
    import pyarrow as pa


def run(folder: Path, **options: Any) -> tuple[pa.RecordBatch, dict[str, Any]]:
    stage = ImportWeights(**({"device": "cpu", "threads": 1} | options))
    part = InMemory({}, folder=folder)
    (rows,) = stage.run(part)
    stage.makes().check(rows)
    assert part.advanced == 1
    return rows, part.notes


def test_the_option_as_decides_the_table() -> None:
    tables = {"teacher": TEACHERS, "student": STUDENTS, "rpn": RPNS}
    for kind, table in tables.items():
        assert ImportWeights(file="f.pth", kind=kind).makes() is table
    (embeddings, detector) = (
        ImportWeights(file="f.pth", kind="embeddings", names="n.txt"),
        ImportWeights(file="f.pth", kind="detector", categories="n.txt"),
    )
    assert (embeddings.makes(), detector.makes()) == (CONCEPT_EMBEDDINGS, DETECTORS)
    tables_made = {TEACHERS, *tables.values(), CONCEPT_EMBEDDINGS, DETECTORS}
    assert {table.name for table in tables_made} == {*models(), CONCEPT_EMBEDDINGS.name}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["teacher", "student"])
def test_a_clip_is_attached_to_an_empty_curve_and_its_keys_are_noted(tmp_path, kind) -> None:
    raw = foreign.pretrained(tmp_path)
    path = foreign.save(raw, tmp_path / "f.pth")
    rows, notes = run(
        tmp_path, file=str(path), kind=kind, architecture=foreign.architecture(tmp_path)
    )
    assert rows.num_rows == 0
    clip = read_clip(tmp_path / "model.json", tmp_path / "weights.safetensors")
    prefix = "teacher_backbone" if kind == "teacher" else "backbone"
    assert torch.equal(clip.network.visual.conv1.weight, raw[f"{prefix}.conv1.weight"])
    assert notes["origin"] == clip.spec.origin == f"RegionCLIP f.pth ({prefix})"
    assert notes["keys"]["counts"]["used"] + notes["keys"]["counts"]["unused"] == len(raw)
    assert len(notes["language"]) == 64
    assert "tensors used" in notes["summary"][0]


@pytest.mark.slow
def test_a_detector_is_attached_to_an_empty_curve(tmp_path) -> None:
    path = foreign.save(foreign.finetuned(tmp_path), tmp_path / "f.pth")
    rows, notes = run(
        tmp_path,
        file=str(path),
        kind="detector",
        categories=foreign.names(tmp_path, 5),
        architecture=foreign.architecture(tmp_path),
    )
    assert rows.num_rows == 0
    assert notes["language"] == "none"
    assert notes["categories"] == 5
    detector = read_detector(tmp_path / "model.json", tmp_path / "weights.safetensors")
    assert detector.head.categories[4] == "thing 4"


def test_embeddings_become_rows_in_the_order_of_the_file_unchanged(tmp_path) -> None:
    matrix = torch.randn(4, 8) * 3
    torch.save(matrix, tmp_path / "emb.pth")
    names = tmp_path / "names.txt"
    names.write_text("zebra\nant\ndog\ncat\n")
    rows, _ = run(tmp_path, file=str(tmp_path / "emb.pth"), kind="embeddings", names=names)
    assert rows.column("concept").to_pylist() == ["zebra", "ant", "dog", "cat"]
    assert rows.column("concept_id").to_pylist() == [0, 1, 2, 3]
    assert np.array_equal(as_matrix(rows, "embedding"), matrix.numpy())


@pytest.mark.slow
def test_numpy_arrays_are_read_as_tensors_with_their_values(tmp_path) -> None:
    raw = foreign.renamed(tiny.tiny_clip(tmp_path))
    arrays = {"model": {name: value.numpy() for name, value in raw.items()}, "best": np.float64(3)}
    (tmp_path / "f.pkl").write_bytes(pickle.dumps(arrays, protocol=4))
    torch.save(arrays, tmp_path / "g.pth")
    config = foreign.architecture(tmp_path)
    for name in ("f.pkl", "g.pth"):
        run(tmp_path, file=str(tmp_path / name), kind="student", architecture=config)
        saved = read_clip(tmp_path / "model.json", tmp_path / "weights.safetensors")
        for key, value in raw.items():
            ours = key.replace("backbone.", "visual.").removeprefix("lang_encoder.")
            assert torch.equal(saved.network.state_dict()[ours], value), key


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"file": "f.pth"}, "takes a file, and --as one of teacher, student"),
        ({"kind": "teacher"}, "takes a file"),
        ({"file": "f.pth", "kind": "picture"}, "--as must be one of teacher, student"),
        ({"file": "f.pth", "kind": "embeddings"}, "needs --names"),
        ({"file": "f.pth", "kind": "detector"}, "needs --categories"),
        (
            {"file": "f.pth", "kind": "teacher", "temperature": 0.02},
            "--temperature is for --as det",
        ),
        ({"file": "f.pth", "kind": "rpn", "tokenizer": Path("t")}, "--tokenizer is for --as teach"),
        ({"file": "f.pth", "kind": "student", "norm_eps": 0.0}, "--norm-eps is for --as rpn, and"),
        (
            {"file": "f.pth", "kind": "embeddings", "names": Path("n"), "architecture": "RN50"},
            "--arch",
        ),
    ],
)
def test_wrong_options_are_refused_before_a_file_is_opened(options, message) -> None:
    with pytest.raises(OptionError, match=message):
        ImportWeights(**options)


def test_the_content_of_files_decides_the_artifact_and_their_folder_does_not(tmp_path) -> None:
    stages = []
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "f.pth"
        path.write_bytes(b"weights")
        stages.append(ImportWeights(file=str(path), kind="student"))
    here, there = stages
    assert here.recipe() == there.recipe()
    assert here.recipe()["file"] == "f.pth"
    assert here.digests() == there.digests()
    (tmp_path / "there" / "open_clip_config.json").write_text("{}")
    assert there.digests().keys() - here.digests().keys() == {"description"}
    (tmp_path / "there" / "open_clip_config.json").unlink()
    (tmp_path / "there" / "f.pth").write_bytes(b"others")
    assert here.digests() != there.digests()
    (tmp_path / "names.txt").write_text("dog")
    named = ImportWeights(file="openai", kind="embeddings", names=tmp_path / "names.txt")
    assert named.digests().keys() == {"names"}


def test_a_missing_file_is_refused(tmp_path) -> None:
    with pytest.raises(SourceError, match=r"none.pth cannot be read"):
        ImportWeights(file=str(tmp_path / "none.pth"), kind="student").digests()


def test_a_file_must_have_the_hash_that_is_asked_for(tmp_path) -> None:
    path = tmp_path / "f.pth"
    path.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    given = {"file": str(path), "kind": "rpn"}
    for spelled in (digest, digest.upper()):
        stage = ImportWeights(**given, sha256=spelled)
        assert stage.digests() == ImportWeights(**given).digests() == {"file": digest}
        assert "sha256" not in stage.recipe()
    with pytest.raises(SourceError, match=f"has the SHA-256 {digest}, and --sha256 says another"):
        ImportWeights(**given, sha256="0" * 64).digests()
    with pytest.raises(SourceError, match="--sha256 is of a file, and ViT-B-32:openai is none"):
        ImportWeights(file="ViT-B-32:openai", kind="teacher", sha256=digest).digests()
