from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from stages.evaluation import bootstrap
from stages.evaluation.detection_records import DetectionRecords
from tests.stages.evaluation.records import (
    VOCABULARY,
    detect,
    precision_of,
    random_records,
    single_image,
    stored,
)

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def repeated(records: DetectionRecords, times: NDArray[np.float64]) -> DetectionRecords:
    """Records in which each image is copied so many times."""
    copy = DetectionRecords()
    rows = np.concatenate([np.zeros((0, 7)), *records.detections])
    for number, count in enumerate(times.astype(int)):
        image = records.images[number]
        objects = [o for o in records.objects if o["image_id"] == image["id"]]
        corners = np.array([o["bbox"] for o in objects], np.float32).reshape(-1, 4)
        corners[:, 2:] += corners[:, :2]
        own = rows[rows[:, 0] == image["id"]]
        boxes = np.concatenate([own[:, 1:3], own[:, 1:3] + own[:, 3:5]], axis=1)
        for _ in range(count):
            copy.add_image(image["width"], image["height"], f"{number}-{len(copy.images)}")
            copy.add_objects(
                corners,
                [o["category_id"] for o in objects],
                [o["area"] for o in objects],
                [bool(o["iscrowd"]) for o in objects],
            )
            copy.add_detections(boxes.astype(np.float32), own[:, 6].astype(int), own[:, 5])
    return copy


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_ap_of_a_resample_is_that_of_copied_images(tmp_path: Path, seed: int) -> None:
    records = random_records(np.random.default_rng(seed), ties=False)
    weights = bootstrap.resample_weights(len(records.images), 3, seed)
    actual = bootstrap.average_precision(stored(records, tmp_path), weights, VOCABULARY.splits)
    for b, times in enumerate(weights):
        precision = precision_of(repeated(records, times), len(VOCABULARY.names), 100)
        metrics = precision.metrics(VOCABULARY, with_recall=False)
        expected = {(m.metric, m.split): m.value for m in metrics if not m.category}
        for key in actual:
            assert actual[key][b] == pytest.approx(expected.get(key, np.nan), abs=1e-6, nan_ok=True)


def test_ap_does_not_depend_on_how_many_resamples_are_computed_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matches = stored(random_records(np.random.default_rng(5)), tmp_path)
    weights = bootstrap.resample_weights(len(matches.images), 20, seed=1)
    together = bootstrap.average_precision(matches, weights, VOCABULARY.splits)
    monkeypatch.setattr(bootstrap, "_MAX_NUMBERS", 1)
    one_by_one = bootstrap.average_precision(matches, weights, VOCABULARY.splits)
    for key, values in together.items():
        np.testing.assert_array_equal(values, one_by_one[key])


def test_a_resample_without_objects_of_a_category_leaves_it_out_of_the_mean(
    tmp_path: Path,
) -> None:
    records = single_image([[0, 0, 50, 50]], [0])
    detect(records, [[0, 0, 50, 50]], [0], [0.9])
    records.add_image(200, 200, "second")
    records.add_objects(np.float32([[0, 0, 50, 50]]), [1], [2500.0], [False])
    weights = np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]])
    matches = stored(records, tmp_path)
    values = bootstrap.average_precision(matches, weights, {"all": [0, 1, 2, 3], "novel": [1]})
    assert values["AP", "all"].tolist() == pytest.approx([0.5, 1.0, 0.0])
    np.testing.assert_array_equal(values["AP50", "novel"], [0.0, np.nan, 0.0])


def test_a_split_without_objects_has_no_values(tmp_path: Path) -> None:
    records = single_image([], [])
    weights = bootstrap.resample_weights(1, 2, seed=0)
    assert bootstrap.average_precision(stored(records, tmp_path), weights, {"all": [0]}) == {}


def test_the_first_resample_has_every_image_once_and_the_others_as_many_images() -> None:
    weights = bootstrap.resample_weights(7, 5, seed=3)
    assert weights.shape == (6, 7)
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == 7).all()
    assert (bootstrap.resample_weights(7, 5, seed=3) == weights).all()
    assert not (bootstrap.resample_weights(7, 5, seed=4) == weights).all()


def test_images_are_sampled_equally_often() -> None:
    weights = bootstrap.resample_weights(4, 4000, seed=0)[1:]
    assert weights.mean(axis=0) == pytest.approx([1.0] * 4, abs=0.06)  # four standard errors
    assert weights.var(axis=0) == pytest.approx([0.75] * 4, abs=0.08)  # binomial of 4 and 1/4


def test_accuracy_weights_each_object_by_its_image() -> None:
    image, correct = np.array([0, 0, 1]), np.array([True, False, True])
    weights = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 3.0], [2.0, 1.0, 0.0]])
    values = bootstrap.accuracy(image, correct, np.array([True, True, True]), weights)
    assert values == pytest.approx([2 / 3, np.nan, 3 / 5], nan_ok=True)
    only_second_image = bootstrap.accuracy(image, correct, image == 1, weights)
    assert only_second_image == pytest.approx([1.0, np.nan, 1.0], nan_ok=True)


def test_an_interval_holds_the_middle_95_per_cent_and_ignores_nan() -> None:
    values = np.concatenate([np.arange(1001) / 1000, [np.nan, np.nan]])
    span = bootstrap.interval(np.random.default_rng(0).permutation(values))
    assert (span.low, span.high) == pytest.approx((0.025, 0.975))


def test_an_interval_of_unknown_values_is_nan() -> None:
    for values in (np.full(3, np.nan), np.zeros(0)):
        span = bootstrap.interval(values)
        assert np.isnan([span.low, span.high]).all()
