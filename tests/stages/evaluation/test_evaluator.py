from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from schemas.errors import ArtifactError
from stages.evaluation.detections_file import DetectionsFile
from stages.evaluation.evaluator import Evaluator, ScoringConfig
from stages.evaluation.image_inputs import ImageObjects, ImageProposals
from stages.evaluation.lvis_metadata import LvisMetadata
from stages.evaluation.scores import combine, cosines, probabilities, select
from stages.evaluation.suppression import SoftNms
from tests.stages.evaluation.records import VOCABULARY, precision_of, random_boxes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

WIDTH = 8
EMBEDDINGS = np.random.default_rng(0).normal(size=(4, WIDTH)).astype("f4")
CONFIG: dict[str, Any] = {
    "temperature": 0.5,
    "score": "probability",
    "score_threshold": 0.05,
    "nms": 0.5,
    "detections_per_image": 100,
}
LVIS = LvisMetadata(dict(zip(VOCABULARY.names, "rcff", strict=True)), {"a": []}, {"a": []})


@pytest.fixture
def file(tmp_path: Path) -> Iterator[DetectionsFile]:
    with DetectionsFile(tmp_path / "d.parquet", VOCABULARY) as opened:
        yield opened


def evaluator(file: DetectionsFile, *, options: Any = None, **fields: Any) -> Evaluator:
    config = ScoringConfig(**{**CONFIG, **(options or {})})
    return Evaluator(VOCABULARY, EMBEDDINGS, config, file, **fields)


def objects(category: list[int], *, ignored: int = 0, seed: int = 1) -> ImageObjects:
    count = len(category)
    boxes = random_boxes(np.random.default_rng(seed), count)
    return ImageObjects(
        boxes=boxes,
        category=np.array(category, np.int64),
        area=(boxes[:, 2:] - boxes[:, :2]).prod(axis=1).astype(np.float64),
        is_crowd=np.zeros(count, np.bool_),
        index=np.arange(count) + 10,
        ignored=ignored,
    )


def proposals(count: int, logit: float = 1.0) -> ImageProposals:
    rng = np.random.default_rng(2)
    objectness = rng.uniform(0.1, 0.9, count).astype("f4")
    return ImageProposals(random_boxes(rng, count), objectness, np.full(count, logit, np.float32))


def features(count: int, seed: int = 3) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, WIDTH)).astype("f4")


def written(run: Evaluator, folder: Path) -> list[dict[str, Any]]:
    run.file.__exit__(None, None, None)
    rows: list[dict[str, Any]] = pq.read_table(folder / "d.parquet").to_pylist()
    return rows


def test_classified_objects_have_a_row_each_with_the_rank_of_their_category(
    tmp_path: Path,
) -> None:
    run = evaluator(DetectionsFile(tmp_path / "d.parquet", VOCABULARY))
    truth, own = objects([2, 0, 3]), features(3)
    run.begin("a", 200, 200, truth)
    run.classify("a", truth, own)
    cosine = cosines(own, EMBEDDINGS)
    probability = probabilities(cosine, 0.5)
    for r, row in enumerate(written(run, tmp_path)):
        order = np.argsort(-cosine[r], kind="stable").tolist()
        assert row["detection"] == truth.index[r]
        assert row["truth"] == VOCABULARY.names[truth.category[r]]
        assert row["category_id"] == order[0]
        assert row["rank"] == order.index(truth.category[r])
        assert row["score"] == pytest.approx(probability[r].max(), rel=1e-6)


def test_accuracy_comes_with_ap_over_every_category_a_box_may_be(file: DetectionsFile) -> None:
    run = evaluator(file)
    truth = objects([2, 0, 3])
    run.begin("a", 200, 200, truth)
    run.classify("a", truth, features(3))
    metrics = {(m.metric, m.split): m for m in run.metrics() if not m.category}
    ranks = run.rank[0]
    assert metrics["top1", "all"].value == pytest.approx((ranks < 1).mean())
    assert metrics["top5", "all"].value == 1.0  # there are four categories
    precision = precision_of(run.records, 4, 100).metrics(VOCABULARY, with_recall=False)
    expected = {(m.metric, m.split): m.value for m in precision if not m.category}
    assert {k: metrics[k].value for k in expected} == expected
    assert not any(name.startswith("AR") for name, _ in metrics)


@pytest.mark.parametrize("score", ["probability", "sqrt-objectness", "sqrt-logit"])
def test_detections_are_selected_from_the_scores_of_proposals(tmp_path: Path, score: str) -> None:
    run = evaluator(DetectionsFile(tmp_path / "d.parquet", VOCABULARY), options={"score": score})
    boxes, own = proposals(6), features(6)
    run.begin("a", 200, 200, objects([1]))
    run.detect("a", boxes, own)
    localizer = boxes.logit if score == "sqrt-logit" else boxes.objectness
    scores = combine(score, probabilities(cosines(own, EMBEDDINGS), 0.5), localizer)
    expected = select(scores, boxes.boxes, threshold=0.05, nms=0.5, limit=100)
    rows = written(run, tmp_path)
    assert [row["detection"] for row in rows] == list(range(len(expected.region)))
    assert [row["category_id"] for row in rows] == expected.category.tolist()
    assert [row["score"] for row in rows] == pytest.approx(expected.score.tolist(), rel=1e-6)
    assert [row["x0"] for row in rows] == boxes.boxes[expected.region, 0].tolist()
    assert {row["truth"] for row in rows} == {None}
    assert ("AR100", "all") in {(m.metric, m.split) for m in run.metrics()}


def test_a_learned_background_takes_its_share_of_probability(tmp_path: Path) -> None:
    background = features(1, seed=9)[0]
    run = evaluator(DetectionsFile(tmp_path / "d.parquet", VOCABULARY), background=background)
    truth, own = objects([2]), features(1)
    run.begin("a", 200, 200, truth)
    run.classify("a", truth, own)
    logits = np.append(cosines(own, EMBEDDINGS)[0], cosines(own, background[None])[0, 0]) / 0.5
    expected = np.exp(logits[:4].max()) / np.exp(logits).sum()
    (row,) = written(run, tmp_path)
    assert row["score"] == pytest.approx(expected, rel=1e-6)
    assert run.protocol()["background"].startswith("its learned embedding")


def test_with_a_bias_each_category_has_a_probability_of_its_own(tmp_path: Path) -> None:
    run = evaluator(DetectionsFile(tmp_path / "d.parquet", VOCABULARY), options={"bias": -2.0})
    truth, own = objects([2]), features(1)
    run.begin("a", 200, 200, truth)
    run.classify("a", truth, own)
    best = cosines(own, EMBEDDINGS)[0].max()
    (row,) = written(run, tmp_path)
    assert row["score"] == pytest.approx(1 / (1 + np.exp(2 - best / 0.5)), rel=1e-6)
    assert run.protocol()["background"] == "none: a sigmoid of each category's own"


def test_soft_nms_is_used_if_the_config_has_it(file: DetectionsFile) -> None:
    boxes, own = proposals(6), features(6)
    hard = evaluator(file)
    soft = evaluator(file, options={"soft_nms": SoftNms()})
    for run in (hard, soft):
        run.begin("a", 200, 200, objects([1]))
        run.detect("a", boxes, own)
    scores = [np.concatenate(run.records.detections)[:, 5] for run in (hard, soft)]
    assert scores[0].tolist() != scores[1].tolist()
    assert scores[1].min() < CONFIG["score_threshold"]  # lowered after the threshold


def test_proposals_without_logits_are_refused_if_scores_need_them(file: DetectionsFile) -> None:
    run = evaluator(file, options={"score": "sqrt-logit"})
    run.begin("a", 200, 200, objects([1]))
    with pytest.raises(ArtifactError) as refusal:
        run.detect("a", proposals(2, logit=np.nan), features(2))
    assert str(refusal.value) == (
        "the proposals of a have no logits, which --score sqrt-logit multiplies by; "
        "use --score sqrt-objectness or probability"
    )


@pytest.mark.parametrize("objectness", [-0.5, 7.25])
def test_an_objectness_that_is_no_probability_is_refused_where_scores_multiply_by_it(
    file: DetectionsFile, objectness: float
) -> None:
    imported = replace(proposals(2), objectness=np.float32([0.5, objectness]))
    run = evaluator(file, options={"score": "sqrt-objectness"})
    run.begin("a", 200, 200, objects([1]))
    low, high = sorted((0.5, objectness))
    with pytest.raises(ArtifactError, match=f"is between {low:g} and {high:g}, so it is no prob"):
        run.detect("a", imported, features(2))
    for options in ({"score": "probability"}, {"score": "sqrt-sigmoid"}):
        run = evaluator(file, options=options)
        run.begin("a", 200, 200, objects([1]))
        run.detect("a", imported, features(2))


def test_without_an_object_there_is_nothing_to_measure(file: DetectionsFile) -> None:
    run = evaluator(file)
    run.begin("a", 200, 200, objects([]))
    with pytest.raises(ArtifactError, match="no image that can be read has an object"):
        run.metrics()


def test_ap_is_that_of_lvis_if_its_lists_are_given(file: DetectionsFile) -> None:
    run = evaluator(file, lvis=LVIS)
    truth = objects([0])
    run.begin("val/a", 200, 200, truth)
    run.detect("val/a", proposals(3), features(3))
    names = {m.metric for m in run.metrics()}
    assert {"AP", "APr", "AR300"} <= names
    assert not {"APc", "APf", "AR100"} & names  # only the rare category has an object
    assert run.protocol()["average_precision"] == "LVIS, federated"


def test_ignored_objects_and_skipped_images_are_counted_in_the_protocol(
    file: DetectionsFile,
) -> None:
    run = evaluator(file)
    run.begin("a", 200, 200, objects([0, 1], ignored=3))
    run.skip(objects([], ignored=2))
    protocol = run.protocol()
    assert json.loads(json.dumps(protocol)) == protocol
    counts = {name: protocol[name] for name in ("images", "images_skipped", "objects")}
    assert counts == {"images": 1, "images_skipped": 1, "objects": 2}
    assert protocol["objects_ignored"] == 5
    assert protocol["vocabulary"]["splits"] == {"all": 4, "base": 2, "novel": 1}
    assert protocol["vocabulary"]["members"]["base"] == [0, 3]
    assert {name: protocol[name] for name in CONFIG} == CONFIG
    assert protocol["background"] == "logit 0 within the softmax, then left out"
