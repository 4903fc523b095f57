from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from safetensors.torch import load_file, save_file

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.detections import DETECTIONS
from schemas.errors import ArtifactError, OptionError, SourceError
from stages.detect import Detect
from stages.evaluation.region_features import PoolingConfig, region_features
from stages.evaluation.scores import boxes_of, combine, cosines, probabilities, select
from stages.finetune import Finetune
from stages.models.clip import load_clip
from stages.models.detector import predict, read_detector
from stages.models.text_embeddings import embed_names
from stages.outcome import Result
from stages.pixels import load_image
from tests.stages.training import tiny_scenes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.in_memory import InMemory

POOLING = PoolingConfig("roialign", "48x96", "bilinear", 0.0)
TEMPLATES = ["a photo of a {}."]
QUICK: dict[str, Any] = {"resize": "48x96", "device": "cpu", "threads": 1, "templates": "plain"}


def run(part: InMemory, **options: Any) -> pa.Table:
    stage = Detect(**{**QUICK, **options})
    batches = [batch for piece in part.slices() for batch in stage.run(piece)]
    for batch in batches:
        DETECTIONS.check(batch)
    return pa.Table.from_batches(batches or [DETECTIONS.empty()])


def whole(folder: Path, **changes: Any) -> InMemory:
    """A part whose slices have the files of the whole, for a stage that reads part by part."""
    part = tiny_scenes.part(folder, **changes)
    for piece in part.slices():
        piece.files.update(part.files)
        piece.folder = folder
    return part


def trained(folder: Path, part: InMemory, **options: Any) -> dict[tuple[str, str], Path]:
    stage = Finetune(
        steps=20, images_per_batch=4, resize=("48x96",), rois_per_image=16, learning_rate=0.02,
        temperature=0.1, templates="plain", device="cpu", threads=1, **options,
    )  # fmt: skip
    list(stage.run(part))
    return {("model", name): folder / name for name in ("model.json", "weights.safetensors")}


@pytest.mark.slow
def test_a_teacher_classifies_proposals_where_they_are(tmp_path: Path) -> None:
    part = whole(tmp_path)
    detected = run(part, names="red, green", score_threshold=0.0, temperature=0.5)
    clip = load_clip(
        part.attachment("model", "model.json"),
        part.attachment("model", "weights.safetensors"),
        "cpu",
    )
    embeddings = embed_names(clip, ["red", "green"], TEMPLATES, "reference", 8).numpy()
    rows = detected.to_pylist()
    for piece in part.slices():
        proposals = piece.table("proposals").to_pylist()
        for image in piece.table("images").to_pylist():
            own = [p for p in proposals if p["image_id"] == image["image_id"]]
            boxes = np.float32([[p[c] for c in ("x0", "y0", "x1", "y1")] for p in own])
            features = region_features(clip, load_image(image), boxes, POOLING)
            probability = probabilities(cosines(features, embeddings), 0.5)
            objectness = np.float32([p["objectness"] for p in own])
            scores = combine("sqrt-objectness", probability, objectness)
            expected = select(scores, boxes, threshold=0.0, nms=0.3, limit=300)
            rows_of_image = [r for r in rows if r["image_id"] == image["image_id"]]
            assert [r["category_id"] for r in rows_of_image] == expected.category.tolist()
            assert [r["score"] for r in rows_of_image] == pytest.approx(expected.score, abs=1e-5)
            corners = boxes_of(boxes, expected)
            assert np.allclose(
                [[r[c] for c in ("x0", "y0", "x1", "y1")] for r in rows_of_image], corners
            )
            assert [r["detection"] for r in rows_of_image] == list(range(len(rows_of_image)))
    assert set(detected["category"].to_pylist()) <= {"red", "green"}
    run(part, names="red")
    assert part.slices()[0].notes["protocol"]["temperature"] == 0.07  # that of the weights


@pytest.mark.slow
def test_under_sigmoids_a_name_does_not_depend_on_the_others(tmp_path: Path) -> None:
    part = whole(tmp_path)
    with pytest.raises(ArtifactError, match="these have no logit bias"):
        run(part, names="red", probability="sigmoid")
    files = [part.attachment("model", n) for n in ("model.json", "weights.safetensors")]
    description = json.loads(files[0].read_text())
    description["config"]["init_logit_bias"] = -3.0
    files[0].write_text(json.dumps(description))
    save_file({**load_file(files[1]), "logit_bias": torch.tensor(-3.0)}, files[1])
    options = {"probability": "sigmoid", "score": "probability", "nms": 1.0, "temperature": 0.2}
    alone, among = (
        run(part, names=names, score_threshold=0.0, **options) for names in ("red", "green, red")
    )
    of_red = among.filter(pc.equal(among["category"], "red"))
    for column in ("image_id", "x0", "score"):
        assert alone[column].to_pylist() == pytest.approx(of_red[column].to_pylist())
    image = part.slices()[0].table("images").to_pylist()[0]
    (x0, y0, x1, y1), score = next(
        ([row[side] for side in ("x0", "y0", "x1", "y1")], row["score"])
        for row in alone.to_pylist()
    )
    clip = load_clip(files[0], files[1], "cpu")
    feature = region_features(clip, load_image(image), np.float32([[x0, y0, x1, y1]]), POOLING)
    cosine = cosines(feature, embed_names(clip, ["red"], TEMPLATES, "reference", 8).numpy())
    assert score == pytest.approx(1 / (1 + np.exp(3 - cosine[0, 0] / 0.2)), rel=1e-4)
    assert part.slices()[0].notes["protocol"]["background"] == "none"


@pytest.mark.slow
def test_a_detector_moves_boxes_and_needs_no_list_of_names(tmp_path: Path) -> None:
    part = whole(tmp_path)
    files = trained(tmp_path, part)
    for piece in part.slices():
        piece.files.update(files)
    detected = run(part, score_threshold=0.05)
    assert part.slices()[0].notes["protocol"]["temperature"] == 0.1  # what it was trained at
    assert set(detected["category"].to_pylist()) <= set(tiny_scenes.NAMES)
    detector = read_detector(*files.values())
    (piece, *_) = part.slices()
    image = piece.table("images").to_pylist()[0]
    own = [p for p in piece.table("proposals").to_pylist() if p["image_id"] == image["image_id"]]
    boxes = np.float32([[p[c] for c in ("x0", "y0", "x1", "y1")] for p in own])
    features = torch.from_numpy(region_features(detector.clip, load_image(image), boxes, POOLING))
    size = (image["height"], image["width"])
    probability, moved = predict(detector, features, torch.from_numpy(boxes), size)
    expected = select(
        probability[:, :-1].numpy(), moved.numpy(), threshold=0.05, nms=0.3, limit=300
    )
    rows_of_image = [r for r in detected.to_pylist() if r["image_id"] == image["image_id"]]
    assert [r["score"] for r in rows_of_image] == pytest.approx(expected.score, abs=1e-5)
    assert np.allclose(
        [[r[c] for c in ("x0", "y0", "x1", "y1")] for r in rows_of_image],
        boxes_of(moved.numpy(), expected),
        atol=1e-3,
    )


@pytest.mark.slow
def test_a_detector_finds_other_names_without_training_again(tmp_path: Path) -> None:
    part = whole(tmp_path)
    files = trained(tmp_path, part)
    for piece in part.slices():
        piece.files.update(files)
    detected = run(part, names="zebra, unicorn", score_threshold=0.0)
    assert set(detected["category"].to_pylist()) <= {"zebra", "unicorn"}
    assert len(detected)


@pytest.mark.slow
def test_imported_embeddings_are_the_names_to_detect(tmp_path: Path) -> None:
    part = whole(tmp_path)
    clip = load_clip(
        part.attachment("model", "model.json"),
        part.attachment("model", "weights.safetensors"),
        "cpu",
    )
    vectors = embed_names(clip, ["one", "two"], TEMPLATES, "reference", 8).numpy()
    rows = {"concept_id": [0, 1], "concept": ["one", "two"], "prompts": [1, 1]}
    table = pa.Table.from_batches([CONCEPT_EMBEDDINGS.batch({**rows, "embedding": vectors})])
    for piece in part.slices():
        piece.tables["embeddings"] = table
    imported = run(part, score_threshold=0.0)
    for piece in part.slices():
        del piece.tables["embeddings"]
    assert imported.equals(run(part, names="one, two", score_threshold=0.0))


@pytest.mark.slow
def test_a_teacher_needs_names_to_detect(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        run(whole(tmp_path))


@pytest.mark.slow
def test_an_image_without_proposals_has_no_rows_and_an_unreadable_one_is_refused(
    tmp_path: Path,
) -> None:
    part = whole(tmp_path, leave_out=(0,))
    (first, *_) = part.slices()
    rows = first.table("images").to_pylist()
    rows[1] |= {"uri": str(tmp_path / "gpiece.png"), "content": None}
    first.tables["images"] = pa.Table.from_pylist(rows, first.table("images").schema)
    detected = run(part, names="red", score_threshold=0.0)
    assert "tiny/000" not in set(detected["image_id"].to_pylist())
    assert [(record, reason) for record, reason, _ in first.refused] == [("tiny/001", "unreadable")]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"names": "a", "categories": "b.txt"}, "not both"),
        ({"names": " , "}, "--names has an empty text in place of name 1"),
        ({"names": "cat,,dog"}, "--names has an empty text in place of name 2"),
        ({"names": "cat, dog,cat"}, r"--names has 'cat' more than once \(names 1 and 3\)"),
        ({"names": "cat,c\u0430t"}, r"which look alike \(names 1 and 2\); separate different"),
        ({"resize": "big"}, "resize"),
    ],
)
def test_options_that_contradict_or_are_malformed_are_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        Detect(**options)


def test_the_outcome_counts_images_with_detections() -> None:
    images = {"seen": 4, "with_detections": 1, "unreadable": 3}
    outcome = Detect().outcome(Result(7, {}, {"images": images}))
    assert outcome.summary == ["7 detections in 1 of 4 images; 3 could not be read"]
    assert outcome.losses == ["3 of 4 images could not be read"]
    assert Detect().outcome(Result(0, {}, {"images": images | {"unreadable": 0}})).empty == (
        "nothing was detected: 0 detections in 1 of 4 images"
    )


@pytest.mark.slow
def test_a_tower_without_dense_tokens_to_choose_is_no_fault_of_the_images(tmp_path: Path) -> None:
    part = whole(tmp_path)
    with pytest.raises(SourceError, match="so leave --dense out"):
        run(part, names="red", dense="last-block")
    assert not any(piece.refused for piece in part.slices())


def test_a_precision_is_noted_and_finds_about_the_same(tmp_path: Path) -> None:
    part = whole(tmp_path)
    options: dict[str, Any] = {"names": "red, green", "score_threshold": 0.0, "nms": 1.0}
    exact = run(part, **options)
    assert run(part, **options, precision="float32").equals(exact)
    rough = run(part, **options, precision="bfloat16")
    notes = part.slices()[0].notes
    assert notes["precision"] == "bfloat16"
    assert rough.num_rows == exact.num_rows
    assert not rough["score"].equals(exact["score"])
    sums = [pc.mean(rows["score"]).as_py() for rows in (exact, rough)]
    assert sums[1] == pytest.approx(sums[0], abs=0.02)
    result = Result(rough.num_rows, {}, notes)
    assert Detect(names="red").outcome(result).summary[0].endswith("; computed in bfloat16")
    with pytest.raises(OptionError, match="--precision tf32 needs a CUDA device"):
        run(part, names="red", precision="tf32")
