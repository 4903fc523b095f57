"""What thresholds would keep: conditions, and statistics against a loop over the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline import sql
from pipeline.analysis.what_if import (
    COUNT_OBJECTS,
    JUDGED_LABELS,
    Thresholds,
    forecast,
    grid,
    statement,
)
from schemas.errors import OptionError, QueryError
from stages.select import Select
from tests.pipeline.helpers import make, make_all, rows_of

if TYPE_CHECKING:
    from pipeline.store.artifact import Artifact

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    return make_all(tmp_path_factory.mktemp("what-if") / "store", count=12)


def judged(made: dict[str, Artifact]) -> list[dict[str, Any]]:
    with sql.connect(made["images"].root, ["pseudo_labels"]) as connection:
        result = sql.query(connection, "FROM judged_labels")
        return sql.batches(result).read_all().to_pylist()


def test_a_grid_has_every_combination_of_values() -> None:
    thresholds = grid({"probability": [0.1, 0.5], "margin": [0.2], "cosine": []})
    assert [t.predicate() for t in thresholds] == [
        "probability > 0.1 AND margin > 0.2",
        "probability > 0.5 AND margin > 0.2",
    ]
    assert Thresholds().predicate() == "true"


def test_a_predicate_has_all_digits_of_its_thresholds() -> None:
    assert Thresholds(probability=0.9999999, margin=0).predicate() == (
        "probability > 0.9999999 AND margin > 0"
    )


@pytest.mark.parametrize("where", [None, "region < 2 OR region = 3"])
def test_a_forecast_counts_what_a_loop_counts(made: dict[str, Artifact], where: str | None) -> None:
    root = made["images"].root
    thresholds = grid({"probability": [0.0, 0.3, 0.6, 2.0], "objectness": [0.0, 0.5]})
    rows = [row for batch in forecast(root, thresholds, where) for row in batch.to_pylist()]
    labels = judged(made)
    labelled = {label["image_id"] for label in labels}
    images = rows_of(made["images"]).to_pylist()
    num_objects = sum(len(i["objects"]) for i in images if i["image_id"] in labelled)
    assert num_objects > 0
    for limits, row in zip(thresholds, rows, strict=True):
        chosen = [
            r
            for r in labels
            if r["probability"] > limits.probability
            and r["objectness"] > limits.objectness
            and (where is None or r["region"] < 2 or r["region"] == 3)
        ]
        on_objects = [r for r in chosen if r["truth"] is not None]
        correct = [r for r in on_objects if r["concept"] == r["truth"]]
        assert row["labels"] == len(chosen)
        assert row["share"] == pytest.approx(len(chosen) / len(labels))
        assert row["images"] == len({r["image_id"] for r in chosen})
        assert row["concepts"] == len({r["concept_id"] for r in chosen})
        assert row["on_objects"] == len(on_objects)
        assert row["precision"] == (
            pytest.approx(len(correct) / len(on_objects)) if on_objects else None
        )
        matched = {(r["image_id"], r["object"]) for r in correct}
        assert row["recall"] == pytest.approx(len(matched) / num_objects)


def test_selecting_with_the_condition_of_a_row_gives_its_number_of_labels(
    made: dict[str, Artifact],
) -> None:
    root = made["images"].root
    (batch,) = forecast(root, [Thresholds(probability=0.3)], "concept != 'it''s'")
    (row,) = batch.to_pylist()
    selection = make(
        Select(called="sure", where=row["where"]),
        root,
        {"pseudo_labels": made["pseudo_labels"].address},
    )
    assert selection.manifest.rows == row["labels"] > 0


def test_a_condition_that_is_not_a_single_predicate_is_refused(made: dict[str, Artifact]) -> None:
    root = made["images"].root
    for hostile in ("true) FROM judged_labels; DROP VIEW images; SELECT (1", "random() > 0.5"):
        with pytest.raises(QueryError):
            list(forecast(root, [Thresholds()], hostile))


def test_conditions_are_over_the_columns_that_select_accepts(made: dict[str, Artifact]) -> None:
    root = made["images"].root
    (batch,) = forecast(root, [Thresholds()], "kept -- those that are sure")
    assert batch.to_pylist()[0]["labels"] > 0
    with pytest.raises(QueryError, match="The columns for --where are image_id, region"):
        list(forecast(root, [Thresholds()], "truth IS NOT NULL"))


def test_objects_are_counted_also_in_images_that_a_selection_leaves_out(
    made: dict[str, Artifact],
) -> None:
    root = made["images"].root
    inputs = {"pseudo_labels": made["pseudo_labels"].address}
    (first, *_) = (row["image_id"] for row in rows_of(made["pseudo_labels"]).to_pylist())
    make(Select(called="one-image", where=f"image_id = '{first}'"), root, inputs)
    with sql.connect(root, ["pseudo_labels@one-image"]) as connection:
        expected = connection.execute(COUNT_OBJECTS).fetchone()
    with sql.connect(root, [made["pseudo_labels"].address]) as connection:
        assert connection.execute(COUNT_OBJECTS).fetchone() == expected


def test_a_grid_without_values_is_one_condition_that_is_always_true() -> None:
    assert grid({}) == grid({"margin": []}) == [Thresholds()]


def test_the_statement_gives_the_same_row_over_the_short_table_of_labels(
    made: dict[str, Artifact],
) -> None:
    address = made["pseudo_labels"].address
    condition = Thresholds(probability=0.3).predicate()
    with sql.connect(made["images"].root, [address]) as connection:
        sql.create_table(connection, "short", JUDGED_LABELS)
        rows = [
            sql.batches(sql.query(connection, statement(condition, 9, table))).read_all()
            for table in ("judged_labels", "short")
        ]
    assert rows[0].to_pylist() == rows[1].to_pylist()


def test_without_ground_truth_there_is_no_recall(made: dict[str, Artifact]) -> None:
    with sql.connect(made["images"].root, [made["pseudo_labels"].address]) as connection:
        result = sql.query(connection, statement("false", 0))
        (row,) = sql.batches(result).read_all().to_pylist()
    assert (row["labels"], row["share"], row["images"], row["concepts"]) == (0, 0, 0, 0)
    assert (row["recall"], row["precision"], row["in_caption"]) == (None, None, None)


def test_labels_of_another_table_are_refused(made: dict[str, Artifact]) -> None:
    with pytest.raises(OptionError, match="is no pseudo_labels"):
        list(forecast(made["images"].root, [Thresholds()], None, "images@00"))
