"""Items 23 to 25: losses of a detector, and the proposals it is trained with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from stages.finetune import Finetune
from stages.models.box_deltas import decode, encode
from stages.models.detector import Detector, HeadSpec
from stages.propose import Propose
from stages.training.detector_losses import box_regression, classification
from tests.parity import nets
from tests.stages.models.tiny_rpn import raw_boxes, tiny_rpn

if TYPE_CHECKING:
    from pathlib import Path

WEIGHTS = (10.0, 10.0, 5.0, 5.0)


def sampled(seed: int, count: int = 30, categories: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(count, categories + 1, generator=rng, dtype=torch.float64) * 3
    logits[:, -1] = 0.0
    classes = torch.randint(0, categories + 1, (count,), generator=rng)
    return logits, classes


def log_probability(logits: list[float], which: int) -> float:
    top = max(logits)
    return logits[which] - top - math.log(sum(math.exp(v - top) for v in logits))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weight", [0.2, 1.0])
def test_item_23_focal_scaling_is_on_all_regions_then_weighed_then_divided_by_their_number(
    seed: int, weight: float
) -> None:
    logits, classes = sampled(seed)
    expected = 0.0
    for row, k in zip(logits.tolist(), classes.tolist(), strict=True):
        entropy = -log_probability(row, k)
        scaled = entropy * (1 - math.exp(-entropy)) ** 0.5
        expected += scaled * (weight if k == 4 else 1.0) / len(classes)
    assert classification(logits, classes, weight, 0.5).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weight", [0.8, 1.0])
def test_item_23_without_scaling_it_is_divided_by_the_sum_of_the_weights(
    seed: int, weight: float
) -> None:
    logits, classes = sampled(seed)
    total, divisor = 0.0, 0.0
    for row, k in zip(logits.tolist(), classes.tolist(), strict=True):
        own = weight if k == 4 else 1.0
        total -= own * log_probability(row, k)
        divisor += own
    actual = classification(logits, classes, weight, 0.0)
    assert actual.item() == pytest.approx(total / divisor, rel=1e-9)
    weights = torch.tensor([1.0] * 4 + [weight], dtype=torch.float64)
    library = torch.nn.functional.cross_entropy(logits, classes, weight=weights)
    torch.testing.assert_close(actual, library)


def test_item_23_the_default_is_the_published_one_for_coco() -> None:
    stage = Finetune()
    assert (stage.focal_gamma, stage.background_weight) == (0.5, 0.2)


def wanted_deltas(box: list[float], target: list[float]) -> list[float]:
    wide, high = box[2] - box[0], box[3] - box[1]
    target_wide, target_high = target[2] - target[0], target[3] - target[1]
    return [
        10 * ((target[0] + target_wide / 2) - (box[0] + wide / 2)) / wide,
        10 * ((target[1] + target_high / 2) - (box[1] + high / 2)) / high,
        5 * math.log(target_wide / wide),
        5 * math.log(target_high / high),
    ]


def random_boxes(seed: int, count: int) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 50, (count, 2))
    return torch.from_numpy(np.concatenate([corners, corners + rng.uniform(5, 60, (count, 2))], 1))


def test_item_24_the_box_loss_is_l1_over_objects_divided_by_all_sampled_regions() -> None:
    boxes, targets = random_boxes(0, 12), random_boxes(1, 12)
    classes = torch.tensor([0, 1, 2, 3, 0, 4, 4, 4, 4, 4, 4, 4])  # five objects, seven backgrounds
    targets[classes == 4] = 0.0
    deltas = torch.randn(12, 4, dtype=torch.float64)
    expected = 0.0
    for i in range(5):
        ideal = wanted_deltas(boxes[i].tolist(), targets[i].tolist())
        expected += sum(abs(a - b) for a, b in zip(deltas[i].tolist(), ideal, strict=True)) / 12
    actual = box_regression(deltas, boxes, targets, classes, WEIGHTS)
    assert actual.item() == pytest.approx(expected, rel=1e-9)


def test_item_24_deltas_move_a_box_onto_its_target_and_are_weighed_10_10_5_5() -> None:
    boxes, targets = random_boxes(2, 20), random_boxes(3, 20)
    deltas = encode(boxes, targets)
    expected = [wanted_deltas(b, t) for b, t in zip(boxes.tolist(), targets.tolist(), strict=True)]
    torch.testing.assert_close(deltas, torch.tensor(expected, dtype=torch.float64))
    torch.testing.assert_close(decode(boxes, deltas), targets)


def test_item_24_the_box_layer_reads_unnormalised_features_and_serves_all_categories(
    tmp_path: Path,
) -> None:
    clip = nets.thin(tmp_path, side=64).float()
    detector = Detector(clip, HeadSpec(categories=("a", "b")), torch.randn(2, clip.width))
    assert detector.head.regression == Finetune().regression == "agnostic"
    layer = detector.bbox_pred
    assert layer is not None
    assert layer.weight.shape == (4, clip.width)
    features = torch.randn(5, clip.width) * 7
    deltas = detector.regress(features)
    expected = features.double() @ layer.weight.double().T + layer.bias.double()
    torch.testing.assert_close(deltas.double(), expected, rtol=1e-5, atol=1e-6)
    longer = detector.regress(2 * features) - layer.bias
    torch.testing.assert_close(longer, 2 * (deltas - layer.bias))  # not normalised
    torch.testing.assert_close(detector.classify(2 * features), detector.classify(features))


def test_item_25_a_detector_learns_from_the_proposals_of_an_rpn_in_evaluation_mode() -> None:
    assert Finetune().proposals_per_image == 1000
    reads = Finetune.reads["proposals"].table.name
    assert reads == Propose.writes.name == "proposals"  # of an earlier stage, in evaluation mode


def test_item_25_the_same_network_gives_the_same_boxes_whether_or_not_it_was_training() -> None:
    rpn = tiny_rpn()
    picture = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    rpn.eval()
    (first,) = raw_boxes(rpn, [picture])
    rpn.train()
    (second,) = raw_boxes(rpn, [picture])
    for before, after in zip(first, second, strict=True):
        assert np.array_equal(before, after)
    assert not rpn.training
