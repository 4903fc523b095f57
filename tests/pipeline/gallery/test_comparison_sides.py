"""The sides of a comparison: one image as different artifacts describe it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline import sql
from pipeline.gallery import comparison_sides
from pipeline.gallery.comparison_sides import GROUND_TRUTH, available_sides, load_side
from pipeline.gallery.connection_pool import ConnectionPool
from schemas.errors import ArtifactNotFoundError
from stages.select import Select
from tests.pipeline.demo_store import NameEveryThirdWrong
from tests.pipeline.exporting.toy_detector import ToyDetector
from tests.pipeline.helpers import make, make_all, rows_of
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact

pytestmark = pytest.mark.slow

IMAGE = "scenes/000001"


@pytest.fixture(scope="module")
def connections(root: Path) -> ConnectionPool:
    return ConnectionPool(root)


def boxes_of(connections: ConnectionPool, of: str, image_id: str = IMAGE) -> list[dict[str, Any]]:
    boxes: list[dict[str, Any]] = load_side(connections, {"id": image_id, "of": of})["boxes"]
    return boxes


def test_every_artifact_with_boxes_of_an_image_is_a_side(connections: ConnectionPool) -> None:
    words = [side["words"] for side in available_sides(connections, "", annotated=True)]
    assert words[0] == "ground truth"
    assert sum("pseudo-labels by teachers/" in word for word in words) == 2
    assert sum("pseudo-labels by students/" in word for word in words) == 1
    assert sum(word.startswith("evaluation by") for word in words) == 2
    assert len(words) == len(set(words)) == 6


def test_pseudo_labels_are_those_that_sql_shows(connections: ConnectionPool, root: Path) -> None:
    for address in connections.label_addresses():
        with sql.connect(root, [address]) as connection:
            expected = connection.execute(
                "SELECT concept, probability, x0, y1 FROM pseudo_labels "
                "WHERE image_id = ? AND kept",
                [IMAGE],
            ).fetchall()
        boxes = boxes_of(connections, address)
        actual = [(box["name"], box["score"], box["x0"], box["y1"]) for box in boxes]
        assert sorted(actual) == sorted(expected)
        probabilities = [probability for _, probability, _, _ in expected]
        assert [box["score"] for box in boxes] == sorted(probabilities, reverse=True)


def test_an_evaluation_has_the_detections_of_its_image(connections: ConnectionPool) -> None:
    sides = available_sides(connections, "", annotated=False)
    categories = sorted(box["name"] for box in boxes_of(connections, GROUND_TRUTH))
    for side in sides:
        if side["words"].startswith("evaluation"):
            boxes = boxes_of(connections, side["of"])
            assert sorted(box["truth"] for box in boxes) == categories
            assert all(0 <= box["score"] <= 1 for box in boxes)


def test_the_ground_truth_has_no_scores(connections: ConnectionPool) -> None:
    boxes = boxes_of(connections, GROUND_TRUTH)
    assert boxes
    assert {box["score"] for box in boxes} == {None}


@pytest.mark.parametrize("of", ["", "images/v1-0", "../scenes", "features/*"])
def test_an_artifact_without_boxes_is_no_side(connections: ConnectionPool, of: str) -> None:
    with pytest.raises(ArtifactNotFoundError, match="there is no artifact with boxes of that name"):
        load_side(connections, {"id": IMAGE, "of": of})


def test_an_unknown_image_has_sides_without_boxes(connections: ConnectionPool) -> None:
    for of in (GROUND_TRUTH, *connections.label_addresses()):
        assert boxes_of(connections, of, "scenes/999999") == []


def test_a_side_has_at_most_the_boxes_of_highest_score(
    connections: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = connections.label_addresses()[0]
    everything = boxes_of(connections, of)
    monkeypatch.setattr(comparison_sides, "_MAX_BOXES", 2)
    assert boxes_of(connections, of) == everything[:2] != everything


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    """A toy store with a selection, and a newer set of images with the same ids."""
    root = tmp_path_factory.mktemp("sides") / "store"
    made = make_all(root, count=5)
    selection = make(Select(called="first", where="region = 0"), root)
    return {**made, "selection": selection, "other": make(Ingest(count=5, seed=3), root)}


def test_artifacts_of_other_images_are_no_sides(artifacts: dict[str, Artifact]) -> None:
    pool = ConnectionPool(artifacts["images"].root)
    other = artifacts["other"].address
    assert available_sides(pool, other, annotated=False) == []
    sides = available_sides(pool, artifacts["images"].address, annotated=False)
    assert {side["of"] for side in sides} == {
        artifacts[name].address for name in ("pseudo_labels", "selection")
    }


def test_a_selection_is_described_by_its_name(artifacts: dict[str, Artifact]) -> None:
    pool = ConnectionPool(artifacts["images"].root)
    side = load_side(pool, {"id": "toy/000001", "of": artifacts["selection"].address})
    assert side["words"] == f"pseudo-labels by {artifacts['teachers'].address} (first)"
    assert [box["region"] for box in side["boxes"]] == [0]


def test_what_was_detected_is_a_side_beside_what_was_evaluated(tmp_path: Path) -> None:
    images = make(Ingest(count=5), tmp_path)
    found, judged = make(ToyDetector(), tmp_path), make(NameEveryThirdWrong(), tmp_path)
    pool = ConnectionPool(tmp_path)
    sides = {side["of"] for side in available_sides(pool, images.address, annotated=False)}
    assert sides == {found.address, judged.address}
    boxes = boxes_of(pool, found.address, "toy/000002")
    assert [(box["name"], box["x0"], box["truth"]) for box in boxes] == [
        ("dog", 0.0, None), ("cat", 1.0, None),
    ]  # fmt: skip
    assert all(box["truth"] for box in boxes_of(pool, judged.address, "toy/000002"))


def test_labels_without_concept_names_show_the_concept_id(
    artifacts: dict[str, Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison_sides.catalog, "ancestor", lambda *_: None)
    pool = ConnectionPool(artifacts["images"].root)
    labels = artifacts["pseudo_labels"]
    names = [box["name"] for box in boxes_of(pool, labels.address, "toy/000002")]
    rows = [row for row in rows_of(labels).to_pylist() if row["image_id"] == "toy/000002"]
    assert names == [f"concept {row['concept_id']}" for row in rows if row["kept"]] != []
