from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.detections import DETECTIONS
from schemas.errors import ArtifactError, OptionError
from stages.detect import Detect
from stages.evaluation.recognise import PoolingConfig, region_features
from stages.evaluation.scores import boxes_of, combine, cosines, probabilities, select
from stages.finetune import Finetune
from stages.models.clip import load_clip
from stages.models.detector import predict, read_detector
from stages.models.text_embeddings import embed_names
from stages.pixels import load_image
from tests.stages.training import tiny_scenes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.in_memory import InMemory

LOOK = PoolingConfig("roialign", "48x96", "bilinear", 0.0)
WORDS = ["a photo of a {}."]
QUICK: dict[str, Any] = {"resize": "48x96", "device": "cpu", "threads": 1, "templates": "plain"}


def run(part: InMemory, **options: Any) -> pa.Table:
    found = [row for one in part.slices() for row in Detect(**{**QUICK, **options}).run(one)]
    for batch in found:
        DETECTIONS.check(batch)
    return pa.Table.from_batches(found or [DETECTIONS.empty()])


def whole(folder: Path, **changes: Any) -> InMemory:
    """One part; what a single task reads in slices, a stage by parts reads one by one."""
    part = tiny_scenes.part(folder, **changes)
    for one in part.slices():
        one.files.update(part.files)
        one.folder = folder
    return part


def trained(folder: Path, part: InMemory, **options: Any) -> dict[tuple[str, str], Path]:
    learn = Finetune(
        steps=20, images_per_batch=4, resize=("48x96",), rois_per_image=16, learning_rate=0.02,
        temperature=0.1, templates="plain", device="cpu", threads=1, **options,
    )  # fmt: skip
    list(learn.run(part))
    return {("model", name): folder / name for name in ("model.json", "weights.safetensors")}


def test_a_teacher_names_proposals_where_they_are(tmp_path: Path) -> None:
    part = whole(tmp_path)
    found = run(part, names="red, green", score_threshold=0.0, temperature=0.5)
    clip = load_clip(
        part.attachment("model", "model.json"),
        part.attachment("model", "weights.safetensors"),
        "cpu",
    )
    embeddings = embed_names(clip, ["red", "green"], WORDS, "reference", 8).numpy()
    rows = found.to_pylist()
    for one in part.slices():
        proposals = one.table("proposals").to_pylist()
        for image in one.table("images").to_pylist():
            own = [p for p in proposals if p["image_id"] == image["image_id"]]
            boxes = np.float32([[p[c] for c in ("x0", "y0", "x1", "y1")] for p in own])
            features = region_features(clip, load_image(image), boxes, LOOK)
            probability = probabilities(cosines(features, embeddings), 0.5)
            objectness = np.float32([p["objectness"] for p in own])
            scores = combine("sqrt-objectness", probability, objectness)
            expected = select(scores, boxes, threshold=0.0, nms=0.3, limit=300)
            told = [r for r in rows if r["image_id"] == image["image_id"]]
            assert [r["category_id"] for r in told] == expected.category.tolist()
            assert [r["score"] for r in told] == pytest.approx(expected.score, abs=1e-5)
            where = boxes_of(boxes, expected)
            assert np.allclose([[r[c] for c in ("x0", "y0", "x1", "y1")] for r in told], where)
            assert [r["detection"] for r in told] == list(range(len(told)))
    assert set(found["category"].to_pylist()) <= {"red", "green"}
    assert found["truth"].null_count == len(found)


def test_a_detector_moves_boxes_and_needs_no_list(tmp_path: Path) -> None:
    part = whole(tmp_path)
    files = trained(tmp_path, part)
    for one in part.slices():
        one.files.update(files)
    found = run(part, score_threshold=0.05)
    assert set(found["category"].to_pylist()) <= set(tiny_scenes.NAMES)
    detector = read_detector(*files.values())
    (one, *_) = part.slices()
    image = one.table("images").to_pylist()[0]
    own = [p for p in one.table("proposals").to_pylist() if p["image_id"] == image["image_id"]]
    boxes = np.float32([[p[c] for c in ("x0", "y0", "x1", "y1")] for p in own])
    features = torch.from_numpy(region_features(detector.clip, load_image(image), boxes, LOOK))
    size = (image["height"], image["width"])
    probability, moved = predict(detector, features, torch.from_numpy(boxes), size)
    expected = select(
        probability[:, :-1].numpy(), moved.numpy(), threshold=0.05, nms=0.3, limit=300
    )
    told = [r for r in found.to_pylist() if r["image_id"] == image["image_id"]]
    assert [r["score"] for r in told] == pytest.approx(expected.score, abs=1e-5)
    assert np.allclose(
        [[r[c] for c in ("x0", "y0", "x1", "y1")] for r in told],
        boxes_of(moved.numpy(), expected),
        atol=1e-3,
    )


def test_the_vocabulary_is_swapped_without_learning_again(tmp_path: Path) -> None:
    part = whole(tmp_path)
    files = trained(tmp_path, part)
    for one in part.slices():
        one.files.update(files)
    found = run(part, names="zebra, unicorn", score_threshold=0.0)
    assert set(found["category"].to_pylist()) <= {"zebra", "unicorn"}
    assert len(found)


def test_given_embeddings_say_what_is_looked_for(tmp_path: Path) -> None:
    part = whole(tmp_path)
    clip = load_clip(
        part.attachment("model", "model.json"),
        part.attachment("model", "weights.safetensors"),
        "cpu",
    )
    vectors = embed_names(clip, ["one", "two"], WORDS, "reference", 8).numpy()
    rows = {"concept_id": [0, 1], "concept": ["one", "two"], "prompts": [1, 1]}
    table = pa.Table.from_batches([CONCEPT_EMBEDDINGS.batch({**rows, "embedding": vectors})])
    for one in part.slices():
        one.tables["embeddings"] = table
    given = run(part, score_threshold=0.0)
    for one in part.slices():
        del one.tables["embeddings"]
    assert given.equals(run(part, names="one, two", score_threshold=0.0))


def test_a_teacher_must_be_told_what_to_look_for(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        run(whole(tmp_path))


def test_an_image_without_proposals_has_no_rows_and_a_lost_one_is_refused(tmp_path: Path) -> None:
    part = whole(tmp_path, leave_out=(0,))
    (first, *_) = part.slices()
    rows = first.table("images").to_pylist()
    rows[1] |= {"uri": str(tmp_path / "gone.png"), "content": None}
    first.tables["images"] = pa.Table.from_pylist(rows, first.table("images").schema)
    found = run(part, names="red", score_threshold=0.0)
    assert "tiny/000" not in set(found["image_id"].to_pylist())
    assert [(record, reason) for record, reason, _ in first.refused] == [("tiny/001", "unreadable")]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"names": "a", "categories": "b.txt"}, "not both"),
        ({"names": " , "}, "has no name"),
        ({"resize": "big"}, "resize"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        Detect(**options)
