"""Two sides of an image: the same photograph as different artifacts see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline import sql
from pipeline.gallery.comparison_sides import GROUND_TRUTH, available_sides, load_side
from pipeline.gallery.connection_pool import ConnectionPool
from schemas.errors import ArtifactNotFoundError

if TYPE_CHECKING:
    from pathlib import Path

IMAGE = "scenes/000001"


@pytest.fixture(scope="module")
def connections(root: Path) -> ConnectionPool:
    return ConnectionPool(root)


def asked(connections: ConnectionPool, of: str) -> list[dict[str, Any]]:
    boxes: list[dict[str, Any]] = load_side(connections, {"id": IMAGE, "of": of})["boxes"]
    return boxes


def test_all_that_speak_of_an_image_are_sides_of_it(connections: ConnectionPool) -> None:
    words = [found["words"] for found in available_sides(connections, "", annotated=True)]
    assert words[0] == "ground truth"
    assert sum("pseudo-labels by teachers/" in word for word in words) == 2
    assert sum("pseudo-labels by students/" in word for word in words) == 1
    assert sum(word.startswith("evaluation by") for word in words) == 2
    assert len(words) == len(set(words)) == 6


def test_pseudo_labels_are_those_that_sql_shows(connections: ConnectionPool, root: Path) -> None:
    for address in connections.label_addresses():
        with sql.connect(root, [address]) as connection:
            wanted = connection.execute(
                "SELECT concept, probability, x0, y1 FROM pseudo_labels "
                "WHERE image_id = ? AND kept",
                [IMAGE],
            ).fetchall()
        boxes = asked(connections, address)
        found = [(row["name"], row["score"], row["x0"], row["y1"]) for row in boxes]
        assert sorted(found) == sorted(wanted)
        assert [row["score"] for row in boxes] == sorted((p for _, p, _, _ in wanted), reverse=True)


def test_an_evaluation_says_its_detections(connections: ConnectionPool) -> None:
    evaluations = [
        s for s in available_sides(connections, "", annotated=False) if "evaluation" in s["words"]
    ]
    truth = asked(connections, GROUND_TRUTH)
    for found in evaluations:
        boxes = asked(connections, found["of"])
        assert sorted(row["truth"] for row in boxes) == sorted(row["name"] for row in truth)
        assert all(0 <= row["score"] <= 1 for row in boxes)


def test_the_ground_truth_bears_no_scores(connections: ConnectionPool) -> None:
    boxes = asked(connections, GROUND_TRUTH)
    assert boxes
    assert {row["score"] for row in boxes} == {None}


@pytest.mark.parametrize("of", ["", "images/v1-0", "../scenes", "features/*"])
def test_what_says_nothing_is_refused(connections: ConnectionPool, of: str) -> None:
    with pytest.raises(ArtifactNotFoundError):
        load_side(connections, {"id": IMAGE, "of": of})
