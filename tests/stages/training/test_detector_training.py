"""A step of detector training: its terms, their weights, and the file of its regions."""

from __future__ import annotations

import json
from contextlib import nullcontext
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from stages.training.batch_gradient import batch_gradient
from stages.training.detector_batches import DetectorBatch, Rois
from stages.training.detector_losses import box_regression, classification
from stages.training.detector_training import DetectorLossConfig, DetectorTraining
from tests.stages.training.terms import terms_of

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS = (10.0, 10.0, 5.0, 5.0)
BACKGROUND = 2


class FakeDetector(torch.nn.Module):
    """Features are the boxes; logits and deltas are linear in them."""

    def __init__(self, *, moves_boxes: bool = True) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.names = torch.nn.Parameter(torch.randn(4, 3, generator=generator) / 20)
        self.moves = torch.nn.Parameter(torch.randn(4, 4, generator=generator) / 20)
        self.moves_boxes = moves_boxes
        self.embeddings = torch.zeros(2, 4)
        self.head = SimpleNamespace(weights=WEIGHTS)
        self.clip = SimpleNamespace(
            network=SimpleNamespace(visual=torch.nn.Identity()),
            trunk=lambda pixels: pixels,
            pool_regions=lambda feature_map, boxes: torch.cat(list(boxes)),
        )

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        return features @ self.names

    def regress(self, features: torch.Tensor) -> torch.Tensor | None:
        return features @ self.moves if self.moves_boxes else None


def rois(*boxes: list[float], classes: list[int]) -> Rois:
    tensor = torch.tensor(boxes).reshape(-1, 4)
    targets = tensor + 1
    targets[torch.tensor(classes) == BACKGROUND] = 0
    return Rois(tensor, torch.tensor(classes, dtype=torch.int64), targets)


def batch() -> DetectorBatch:
    return DetectorBatch(
        torch.zeros(2, 3, 8, 8),
        [
            rois([1.0, 2, 9, 9], [3.0, 3, 8, 7], classes=[1, BACKGROUND]),
            rois([0.0, 1, 4, 6], classes=[0]),
        ],
        [{"image_id": "a"}, {"image_id": "b"}],
    )


def losses(detector: FakeDetector, *args: Any, **weights: float) -> dict[str, torch.Tensor]:
    learner = DetectorTraining(detector, DetectorLossConfig(**weights), "float32", *args)
    return dict(terms_of(learner, batch()))


def test_the_loss_is_the_weighted_sum_of_both_losses_over_all_images() -> None:
    detector = FakeDetector()
    terms = losses(detector, box_weight=3.0, background_weight=0.5, focal_gamma=2.0)
    boxes = torch.cat([part.boxes for part in batch().rois])
    targets = torch.cat([part.targets for part in batch().rois])
    classes = torch.tensor([1, BACKGROUND, 0])
    named = classification(boxes @ detector.names, classes, 0.5, 2.0)
    moved = box_regression(boxes @ detector.moves, boxes, targets, classes, WEIGHTS)
    torch.testing.assert_close(terms["classification"], named)
    torch.testing.assert_close(terms["regression"], moved)
    torch.testing.assert_close(terms["loss"], named + 3 * moved)
    terms["loss"].backward()
    assert detector.names.grad is not None
    assert detector.moves.grad is not None


def test_a_detector_that_moves_no_boxes_has_the_classification_loss_alone() -> None:
    terms = losses(FakeDetector(moves_boxes=False))
    assert "regression" not in terms
    assert terms["loss"].item() == terms["classification"].item()


def test_accuracy_is_over_objects_and_never_counts_background() -> None:
    detector = FakeDetector()
    with torch.no_grad():
        detector.names.zero_()
        detector.names[0, 1] = 1  # category 1 wins where x0 is above 0
        detector.names[:, BACKGROUND] = 9  # background wins everywhere, but is not counted
    terms = losses(detector)
    assert terms["regions"].item() == 3
    assert terms["foreground"].item() == pytest.approx(2 / 3)
    assert terms["accuracy"].item() == 1


def test_without_objects_there_is_no_accuracy() -> None:
    only_background = rois([1.0, 2, 9, 9], classes=[BACKGROUND])
    learner = DetectorTraining(FakeDetector(), DetectorLossConfig(), "float32")
    terms = terms_of(learner, DetectorBatch(torch.zeros(1, 3, 8, 8), [only_background], [{}]))
    assert terms["foreground"].item() == 0
    assert "accuracy" not in terms
    assert terms["regression"].item() == 0


def test_without_regions_there_is_no_loss() -> None:
    learner = DetectorTraining(FakeDetector(), DetectorLossConfig(), "float32")
    empty = Rois(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4))
    terms = terms_of(learner, DetectorBatch(torch.zeros(1, 3, 8, 8), [empty], [{}]))
    assert {name: term.item() for name, term in terms.items()} == {"regions": 0}


def test_the_dump_of_micro_batches_is_that_of_the_batch(tmp_path: Path) -> None:
    whole, pieces = tmp_path / "whole.jsonl", tmp_path / "pieces.jsonl"
    losses(FakeDetector(), whole)
    learner = DetectorTraining(FakeDetector(), DetectorLossConfig(), "float32", pieces)
    both = batch()
    cut = [
        DetectorBatch(both.pixels[i : i + 1], both.rois[i : i + 1], both.views[i : i + 1])
        for i in range(2)
    ]
    batch_gradient(learner, cut, lambda *keys: nullcontext())
    (actual,), (expected,) = (
        [json.loads(line) for line in path.read_text().splitlines()] for path in (pieces, whole)
    )
    assert actual["images"] == expected["images"]
    assert actual["loss"] == pytest.approx(expected["loss"])
    assert actual["num_foreground"] == expected["num_foreground"] == 2


@pytest.mark.parametrize("moves_boxes", [True, False])
def test_the_dump_has_a_line_per_step_with_losses_and_regions(
    tmp_path: Path, moves_boxes: bool
) -> None:
    detector, dump = FakeDetector(moves_boxes=moves_boxes), tmp_path / "dump.jsonl"
    terms = losses(detector, dump)
    losses(detector, dump)
    first, second = (json.loads(line) for line in dump.read_text().splitlines())
    assert first == second
    assert first["loss"] == pytest.approx(terms["loss"].item())
    assert first["loss_cls"] == pytest.approx(terms["classification"].item())
    assert (first["loss_box_reg"] is not None) == moves_boxes
    assert (first["num_foreground"], first["num_background"]) == (2, 1)
    assert first["background_class"] == BACKGROUND
    assert [image["image_id"] for image in first["images"]] == ["a", "b"]
    assert first["images"][0]["boxes"] == [[1, 2, 9, 9], [3, 3, 8, 7]]
    assert first["images"][0]["classes"] == [1, BACKGROUND]
    assert first["images"][0]["targets"] == [[2, 3, 10, 10], [0, 0, 0, 0]]
