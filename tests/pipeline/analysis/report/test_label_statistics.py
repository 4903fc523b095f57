"""Statistics of pseudo-labels, each against a loop over the rows."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from pipeline import sql
from pipeline.analysis.report.label_statistics import collect_statistics, read_queries
from schemas.errors import QueryError
from tests.pipeline.helpers import make_all, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    return make_all(tmp_path_factory.mktemp("statistics") / "store", count=12)


def judged(root: Path) -> list[dict[str, Any]]:
    with sql.connect(root, ["pseudo_labels"]) as connection:
        return sql.batches(sql.query(connection, "FROM judged_labels")).read_all().to_pylist()


def test_counts_equal_a_loop_over_the_labels(made: dict[str, Artifact]) -> None:
    root = made["images"].root
    statistics, rows = collect_statistics(root), judged(root)
    assert statistics.counts["labels"] == len(rows)
    assert statistics.counts["kept"] == sum(row["kept"] for row in rows)
    assert statistics.counts["images"] == len({row["image_id"] for row in rows})
    kept = {row["concept"]: row["kept"] for row in statistics["concepts"] if row["kept"]}
    for concept, count in kept.items():
        assert count == sum(row["kept"] and row["concept"] == concept for row in rows)
    assert statistics.has_ground_truth


def test_a_condition_limits_the_labels_and_must_be_a_predicate(made: dict[str, Artifact]) -> None:
    root = made["images"].root
    limited = collect_statistics(root, where="region = 0")
    assert limited.counts["labels"] == sum(row["region"] == 0 for row in judged(root))
    for hostile in ("true); DROP VIEW images; --", "random() > 0"):
        with pytest.raises(QueryError):
            collect_statistics(root, where=hostile)


def objects_of(made: dict[str, Artifact]) -> list[dict[str, Any]]:
    return [o for image in rows_of(made["images"]).to_pylist() for o in image["objects"]]


def test_ground_truth_counts_objects_and_categories(made: dict[str, Artifact]) -> None:
    statistics, objects = collect_statistics(made["images"].root), objects_of(made)
    pool = {row["concept"] for row in statistics["concepts"]}
    categories = {o["category"] for o in objects}
    assert statistics.ground_truth == {
        "objects": len(objects),
        "categories": len(categories),
        "categories_in_pool": len(categories & pool),
    }


def test_precision_and_recall_of_each_threshold_equal_a_loop(made: dict[str, Artifact]) -> None:
    root = made["images"].root
    statistics, labels = collect_statistics(root), judged(root)
    num_objects = len(objects_of(made))
    assert [row["threshold"] for row in statistics["thresholds"]] == [n / 20 for n in range(20)]
    for row in statistics["thresholds"]:
        chosen = [r for r in labels if r["probability"] >= row["threshold"]]
        on_objects = [r for r in chosen if r["truth"] is not None]
        correct = [r for r in on_objects if r["concept"] == r["truth"]]
        matched = {(r["image_id"], r["object"]) for r in correct}
        assert (row["labels"], row["on_objects"]) == (len(chosen), len(on_objects))
        assert row["recall"] == pytest.approx(len(matched) / num_objects)
        if on_objects:
            assert row["precision"] == pytest.approx(len(correct) / len(on_objects))
        else:
            assert row["precision"] is None


def test_distributions_count_every_label_once_for_each_quantity(made: dict[str, Artifact]) -> None:
    root = made["images"].root
    statistics, labels = collect_statistics(root), judged(root)
    for quantity in ("probability", "margin"):
        rows = [row for row in statistics["distributions"] if row["quantity"] == quantity]
        expected = Counter(min(int(label[quantity] * 20), 19) for label in labels)
        kept = Counter(min(int(r[quantity] * 20), 19) for r in labels if r["kept"])
        assert {row["bin"]: row["labels"] for row in rows} == expected
        assert {row["bin"]: row["kept"] for row in rows if row["kept"]} == kept


def test_every_size_has_a_row_and_objects_are_split_by_their_area(
    made: dict[str, Artifact],
) -> None:
    rows = collect_statistics(made["images"].root)["sizes"]
    assert [row["size"] for row in rows] == ["small", "medium", "large"]
    limits = {"small": (0, 1024), "medium": (1024, 9216), "large": (9216, float("inf"))}
    for row in rows:
        low, high = limits[row["size"]]
        assert row["objects"] == sum(low <= o["area"] < high for o in objects_of(made))


def test_every_query_has_a_result_except_the_table_of_labels(made: dict[str, Artifact]) -> None:
    statistics = collect_statistics(made["images"].root, where="false")
    assert set(statistics.results) == set(read_queries()) - {"judged"}
    assert statistics.where == "false"
    assert statistics.address == made["pseudo_labels"].address
    assert statistics.counts["labels"] == 0
