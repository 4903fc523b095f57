"""Stages on models whose text tower has a tokenizer of its own, without a network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import open_clip
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from open_clip.tokenizer import HFTokenizer

from pipeline.exporting import weights
from schemas.concepts import CONCEPTS
from schemas.errors import OptionError
from schemas.table import as_matrix
from stages.detect import Detect
from stages.embed_concepts import EmbedConcepts
from stages.evaluate import Evaluate
from stages.evaluation.region_features import PoolingConfig, region_features
from stages.evaluation.scores import cosines, probabilities
from stages.finetune import Finetune
from stages.import_weights import ImportWeights
from stages.models.clip import create_clip, read_clip, save_clip
from stages.models.clip_import import language_digest
from stages.models.similarity import Similarity
from stages.models.tokenizer_files import read_tokenizer_folder
from stages.models.weights_export import ModelFiles
from stages.models.weights_files import CONFIG, SAFE_FILE
from stages.pixels import load_image
from stages.pretrain import Pretrain
from stages.train import Train
from tests.in_memory import InMemory
from tests.stages.evaluation.image_rows import image_row, object_row, part_of
from tests.stages.models.offline import block_network
from tests.stages.models.small_tokenizers import KINDS, TEXTS, write_kind
from tests.stages.training import tiny, tiny_scenes

if TYPE_CHECKING:
    from pathlib import Path

    from stages.models.clip import Clip

pytestmark = pytest.mark.slow
EACH = pytest.mark.parametrize("kind", ["siglip", "xlm-roberta"])
BOTH = ("model.json", "weights.safetensors")
QUICK: dict[str, Any] = {"device": "cpu", "threads": 1}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    block_network(monkeypatch)


def new_folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder


def attachments(role: str, folder: Path) -> dict[tuple[str, str], Path]:
    return {(role, name): folder / name for name in BOTH}


def model(folder: Path) -> Clip:
    return read_clip(*(folder / name for name in BOTH))


@pytest.fixture
def teacher(tmp_path: Path, kind: str) -> Path:
    """The folder of a teacher made by two steps of `rc pretrain --tokenizer`."""
    write_kind(tmp_path / "tokenizer", kind)
    net = tmp_path / "net.json"
    (tmp_path / "tokenizer" / "net.json").rename(net)
    made = new_folder(tmp_path, "teacher")
    part = tiny.captioned(made)
    stage = Pretrain(
        model=str(net), tokenizer=tmp_path / "tokenizer", steps=2, images_per_batch=6, **QUICK
    )
    (rows,) = stage.run(part)
    assert np.isfinite(rows.column("loss").to_pylist()).all()
    assert stage.digests()["tokenizer"]
    return made


@EACH
def test_a_trained_teacher_takes_its_tokenizer_along(tmp_path: Path, teacher: Path) -> None:
    assert read_tokenizer_folder(teacher) == read_tokenizer_folder(tmp_path / "tokenizer")
    first = create_clip(str(tmp_path / "net.json"), tokenizer=tmp_path / "tokenizer")
    made = model(teacher)
    assert torch.equal(made.tokenize(TEXTS), first.tokenize(TEXTS))
    states = made.network.state_dict(), first.network.state_dict()
    moved = [name for name in states[0] if not torch.equal(states[0][name], states[1][name])]
    assert [name for name in moved if name.startswith("text.")]


@EACH
def test_concepts_are_embedded_as_open_clip_embeds_them(
    tmp_path: Path, teacher: Path, kind: str
) -> None:
    columns = {column.name: [None] for column in CONCEPTS.columns}
    columns |= {"concept_id": [0], "concept": ["cat"], "names": [["cat"]]}
    files = attachments("teacher", teacher)
    part = InMemory({"concepts": pa.table(columns)}, tmp_path, files=files)
    (batch,) = EmbedConcepts(device="cpu").run(part)
    clean = "canonicalize" if kind == "siglip" else "whitespace"
    tokenizer = HFTokenizer(str(tmp_path / "tokenizer"), context_length=12, clean=clean)
    prompts = tokenizer([t.replace("{}", "cat") for t in part.notes["templates"]])
    with torch.no_grad():
        expected = model(teacher).network.encode_text(prompts).mean(dim=0)
    np.testing.assert_allclose(as_matrix(batch, "embedding")[0], expected, rtol=1e-4, atol=1e-6)


@EACH
def test_a_student_learns_from_captions_and_keeps_its_text_tower(
    tmp_path: Path, teacher: Path
) -> None:
    student = new_folder(tmp_path, "student")
    part = tiny.labelled(new_folder(tmp_path, "inputs"))
    part.folder, part.files = student, attachments("teacher", teacher)
    (rows,) = Train(steps=2, images_per_batch=4, resize=("64x64",), **QUICK).run(part)
    assert np.isfinite(rows.column("image_text").to_pylist()).all()
    assert read_tokenizer_folder(student) == read_tokenizer_folder(teacher)
    before, after = model(teacher), model(student)
    assert language_digest(after) == language_digest(before)
    visual = (m.network.visual.proj for m in (before, after))
    assert not torch.equal(*visual)


@EACH
def test_a_detector_finds_names_that_it_did_not_learn(tmp_path: Path, teacher: Path) -> None:
    detector = new_folder(tmp_path, "detector")
    part = tiny_scenes.part(new_folder(tmp_path, "scenes"))
    part.folder, part.files = detector, attachments("model", teacher)
    options: dict[str, Any] = {"resize": ("64x64",), "templates": "plain", **QUICK}
    list(Finetune(steps=2, images_per_batch=4, rois_per_image=16, **options).run(part))
    (piece, *_) = part.slices()
    piece.files, piece.folder = attachments("model", detector), detector
    stage = Detect(names="a cat, dogs", score_threshold=0.0, **options | {"resize": "64x64"})
    rows = [row for batch in stage.run(piece) for row in batch.to_pylist()]
    assert {row["category"] for row in rows} <= {"a cat", "dogs"}
    assert rows


@EACH
def test_an_evaluation_compares_with_names_in_the_tokens_of_the_model(
    tmp_path: Path, teacher: Path, kind: str
) -> None:
    folder, names = new_folder(tmp_path, "evaluated"), ["a cat", "dogs"]
    row = image_row(folder, "p", [object_row(name) for name in names * 2])
    part = part_of(folder, attachments("model", teacher), [row])
    list(Evaluate(templates="plain", resize="none", pictures=False, **QUICK).run(part))
    scored = pq.read_table(folder / "evaluated_detections.parquet").to_pylist()
    clean = "canonicalize" if kind == "siglip" else "whitespace"
    tokenizer = HFTokenizer(str(tmp_path / "tokenizer"), context_length=12, clean=clean)
    clip = model(teacher)
    with torch.no_grad():
        texts = clip.network.encode_text(tokenizer([f"a photo of a {n}." for n in names])).numpy()
    boxes = np.float32([[o[c] for c in ("x0", "y0", "x1", "y1")] for o in row["objects"]])
    features = region_features(clip, load_image(row), boxes, PoolingConfig(resize="none"))
    expected = probabilities(cosines(features, texts), Similarity.of(clip).temperature)
    assert len(scored) == len(expected) == 4
    for own, probability in zip(scored, expected, strict=True):
        assert own["category"] == names[int(probability.argmax())]
        assert own["score"] == pytest.approx(probability.max(), abs=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_exported_weights_are_open_clips_and_come_back(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_kind(tmp_path / "made", kind)
    clip = create_clip(str(tmp_path / "made" / "net.json"), seed=3)
    stored = new_folder(tmp_path, "stored")
    save_clip(clip, *(stored / name for name in BOTH))
    files = ModelFiles(*(stored / name for name in BOTH))
    monkeypatch.setattr(weights, "_network_files", lambda _: files)
    monkeypatch.setattr(weights.catalog, "find", lambda *_: None)
    out, _ = weights.export_weights(
        tmp_path, "teachers", tmp_path / "out", "open_clip", weights.ExtraModels(), force=False
    )
    assert read_tokenizer_folder(out) == read_tokenizer_folder(tmp_path / "made")

    again = new_folder(tmp_path, "again")
    stage = ImportWeights(file=str(out / SAFE_FILE), kind="teacher", **QUICK)
    list(stage.run(InMemory({}, folder=again)))
    ours = model(again)
    expected = clip.network.state_dict()
    state = ours.network.state_dict()
    assert expected.keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in expected.items())
    assert language_digest(ours) == language_digest(clip)

    tower_is_here(out)
    theirs = open_clip.create_model(f"local-dir:{out}").eval()
    tokens = open_clip.get_tokenizer(f"local-dir:{out}")(TEXTS)
    assert torch.equal(tokens, ours.tokenize(TEXTS))
    with torch.no_grad():
        embeddings = theirs.encode_text(tokens, normalize=False)
        torch.testing.assert_close(embeddings, ours.encode_tokens(tokens))
    assert ("logit_bias" in expected) is (theirs.logit_bias is not None)


def tower_is_here(folder: Path) -> None:
    """Name the folder where open_clip would fetch the config.json of a text tower."""
    content = json.loads((folder / CONFIG).read_text())
    if content["model_cfg"]["text_cfg"].get("hf_model_name"):
        content["model_cfg"]["text_cfg"]["hf_model_name"] = str(folder)
    (folder / CONFIG).write_text(json.dumps(content))


@pytest.mark.parametrize("kind", ["siglip"])
def test_a_teacher_of_the_store_has_its_tokenizer_already(tmp_path: Path, teacher: Path) -> None:
    part = tiny.captioned(new_folder(tmp_path, "further"))
    part.files = attachments("teacher", teacher)
    list(Pretrain(steps=1, images_per_batch=6, **QUICK).run(part))
    assert read_tokenizer_folder(part.folder) == read_tokenizer_folder(teacher)
    with pytest.raises(OptionError, match="--teacher has its tokenizer"):
        list(Pretrain(steps=1, tokenizer=teacher, **QUICK).run(part))


@pytest.mark.parametrize("kind", ["siglip"])
def test_the_tokenizer_decides_the_fingerprint(tmp_path: Path, kind: str) -> None:
    write_kind(tmp_path / "a", kind)
    stage = ImportWeights(
        file=str(tmp_path / "a" / "w.pt"), kind="teacher", architecture=str(tmp_path / "a/net.json")
    )
    (tmp_path / "a" / "w.pt").touch()
    before = stage.digests()["tokenizer"]
    (tmp_path / "a" / "spiece.model").write_bytes(b"another")
    assert stage.digests()["tokenizer"] != before
