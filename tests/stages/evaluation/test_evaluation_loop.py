from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stages.evaluation import evaluation_loop
from stages.evaluation.evaluation_loop import EvaluationLoop
from stages.evaluation.image_inputs import ImageProposals
from stages.evaluation.region_features import PoolingConfig
from stages.evaluation.vocabulary import Vocabulary
from tests.in_memory import InMemory
from tests.stages.evaluation.image_rows import image_row, object_row

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.evaluation.image_inputs import ImageObjects

BOX = [5.0, 5.0, 60.0, 70.0]
NO_PROPOSALS = ImageProposals(*(np.zeros(shape, np.float32) for shape in ((0, 4), 0, 0)))


class RecordingEvaluator:
    """Writes down the calls it gets."""

    def __init__(self) -> None:
        self.vocabulary = Vocabulary(("ant", "bee"), {})
        self.calls: list[tuple[str, Any]] = []

    def begin(self, image_id: str, width: int, height: int, objects: ImageObjects) -> None:
        self.calls.append(("begin", (image_id, width, height, len(objects.category))))

    def skip(self, objects: ImageObjects) -> None:
        self.calls.append(("skip", objects.ignored))

    def classify(self, image_id: str, objects: ImageObjects, features: NDArray[Any]) -> None:
        self.calls.append(("classify", (image_id, objects.index.tolist(), features.tolist())))

    def detect(self, image_id: str, proposals: ImageProposals, features: NDArray[Any]) -> None:
        boxes = proposals.boxes.tolist()
        self.calls.append(("detect", (image_id, boxes, features.tolist())))


@pytest.fixture(autouse=True)
def _features_are_corners(monkeypatch: pytest.MonkeyPatch) -> None:
    """The feature of a box is its own corners: what is compared can be read off."""
    monkeypatch.setattr(evaluation_loop, "region_features", lambda clip, image, boxes, how: boxes)


def loop(evaluator: Any, moved: Any = None, **options: Any) -> EvaluationLoop:
    model: Any = SimpleNamespace(clip=None, move_boxes=lambda features, boxes: np.float32(moved))
    pooling = PoolingConfig("roialign", "none", "bilinear", 0.0)
    settings = {"with_proposals": False, "move_boxes": False, "bare_images": True, **options}
    return EvaluationLoop(evaluator, model, pooling, **settings)


def evaluate(loop: EvaluationLoop, part: Any, row: Any, proposals: ImageProposals) -> None:
    loop.evaluate(part, loop.encode((row, proposals)))


def proposals(*boxes: list[float]) -> ImageProposals:
    ones = np.ones(len(boxes), np.float32)
    return ImageProposals(np.float32(boxes), ones, ones)


def test_ground_truth_boxes_are_classified_without_crowds(tmp_path: Path) -> None:
    objects = [object_row("ant", BOX, is_crowd=True), object_row("owl"), object_row("bee", BOX)]
    evaluator, part = RecordingEvaluator(), InMemory({})
    row = image_row(tmp_path, "a", objects)
    evaluate(loop(evaluator), part, row, NO_PROPOSALS)
    assert evaluator.calls == [("begin", ("a", 96, 96, 2)), ("classify", ("a", [2], [BOX]))]


def test_proposals_are_detected_where_they_are(tmp_path: Path) -> None:
    evaluator, row = RecordingEvaluator(), image_row(tmp_path, "a", [object_row("ant")])
    evaluate(loop(evaluator, with_proposals=True), InMemory({}), row, proposals(BOX))
    assert evaluator.calls[1] == ("detect", ("a", [BOX], [BOX]))


def test_moved_boxes_are_clipped_to_the_image_and_keep_the_features_of_proposals(
    tmp_path: Path,
) -> None:
    evaluator, row = RecordingEvaluator(), image_row(tmp_path, "a", [object_row("ant")])
    moving = loop(evaluator, [[-9, 5, 60, 200]], with_proposals=True, move_boxes=True)
    evaluate(moving, InMemory({}), row, proposals(BOX))
    assert evaluator.calls[1] == ("detect", ("a", [[0, 5, 60, 96]], [BOX]))


def test_a_moved_box_that_is_not_finite_stays_so(tmp_path: Path) -> None:
    evaluator, row = RecordingEvaluator(), image_row(tmp_path, "a", [object_row("ant")])
    moved = [[np.nan, 5, np.inf, 200]]
    moving = loop(evaluator, moved, with_proposals=True, move_boxes=True)
    evaluate(moving, InMemory({}), row, proposals(BOX))
    ((_, boxes, _),) = (call for name, call in evaluator.calls if name == "detect")
    np.testing.assert_array_equal(boxes, [[np.nan, 5, np.nan, 96]])


def test_an_image_without_boxes_only_begins(tmp_path: Path) -> None:
    evaluator, row = RecordingEvaluator(), image_row(tmp_path, "a", [])
    evaluate(loop(evaluator), InMemory({}), row, NO_PROPOSALS)
    evaluate(loop(evaluator, with_proposals=True), InMemory({}), row, NO_PROPOSALS)
    assert evaluator.calls == [("begin", ("a", 96, 96, 0))] * 2


def test_images_without_an_object_of_the_vocabulary_can_be_skipped(tmp_path: Path) -> None:
    evaluator, part = RecordingEvaluator(), InMemory({})
    skipping = loop(evaluator, with_proposals=True, bare_images=False)
    row = image_row(tmp_path, "a", [object_row("owl")])
    evaluate(skipping, part, row, proposals(BOX))
    assert evaluator.calls == [("skip", 1)]
    crowd = image_row(tmp_path, "b", [object_row("ant", BOX, is_crowd=True)])
    evaluate(skipping, part, crowd, proposals(BOX))
    assert [name for name, _ in evaluator.calls] == ["skip", "begin", "detect"]


def test_an_image_that_cannot_be_read_is_refused_and_its_objects_do_not_count(
    tmp_path: Path,
) -> None:
    evaluator, part = RecordingEvaluator(), InMemory({})
    row = image_row(tmp_path, "a", [object_row("ant")])
    (tmp_path / "a.png").unlink()
    evaluate(loop(evaluator), part, row, NO_PROPOSALS)
    assert evaluator.calls == []
    ((image_id, reason, detail),) = part.refused
    assert (image_id, str(reason)) == ("a", "unreadable")
    assert "a.png" in detail
