"""Training curves and evaluations, against the files they come from."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.gallery import model_results
from pipeline.gallery.connection_pool import ConnectionPool
from pipeline.store import catalog
from schemas.errors import ArtifactNotFoundError
from tests.pipeline.helpers import rows_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def pool(root: Path) -> ConnectionPool:
    return ConnectionPool(root)


@pytest.mark.parametrize("count", [1, 2, 400, 401, 799, 800, 5000])
def test_a_long_curve_is_thinned_out_from_first_to_last(count: int) -> None:
    steps = [row["step"] for row in model_results.thin_out([{"step": n} for n in range(count)])]
    assert (steps[0], steps[-1]) == (0, count - 1)
    assert steps == sorted(set(steps))
    assert len(steps) == count if count < 800 else 400 <= len(steps) <= 801
    gaps = {b - a for a, b in pairwise(steps[:-1])}
    assert len(gaps) <= 1  # evenly, but for the last


def test_only_models_with_more_than_one_step_have_a_curve(pool: ConnectionPool) -> None:
    (curve,) = model_results.training_curves(pool)
    student = catalog.find(pool.root, "students")
    assert curve["artifact"] == student.address
    assert curve["rows"] == rows_of(student).to_pylist()
    assert [row["step"] for row in curve["rows"]] == [1, 2]
    assert curve["log_every"] == student.manifest.stage.options["log_every"]


@pytest.mark.slow
def test_a_model_with_a_single_step_has_no_curve(toy_pool: ConnectionPool) -> None:
    assert model_results.training_curves(toy_pool) == []
    assert model_results.list_evaluations(toy_pool) == []


def test_every_evaluation_is_listed_with_its_model_and_overall_metrics(
    pool: ConnectionPool,
) -> None:
    evaluations = model_results.list_evaluations(pool)
    models = [row["model"].split("/")[0] for row in evaluations]
    assert models == ["teachers", "students"]  # the newest first
    for evaluation in evaluations:
        rows = rows_of(catalog.find(pool.root, evaluation["artifact"])).to_pylist()
        assert evaluation["metrics"] == [row for row in rows if not row["category"]] != []
        assert evaluation["boxes"]


def test_the_details_of_an_evaluation_are_its_categories_confusions_and_curves(
    pool: ConnectionPool,
) -> None:
    for evaluation in model_results.list_evaluations(pool):
        artifact = catalog.find(pool.root, evaluation["artifact"])
        details = model_results.evaluation_details(pool, {"artifact": artifact.address})
        rows = rows_of(artifact).to_pylist()
        assert details["categories"] == [row for row in rows if row["category"]] != []
        tables = {
            name: [
                row
                for path in artifact.attachments(f"{name}.parquet")
                for row in pq.read_table(path).to_pylist()
            ]
            for name in ("confusions", "curves")
        }
        wrong = [row for row in tables["confusions"] if row["truth"] != row["called"]]
        assert details["confusions"] == wrong[:40]
        assert details["curves"] == [row for row in tables["curves"] if not row["category"]]


def test_an_evaluation_without_attached_tables_has_empty_ones(
    pool: ConnectionPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = catalog.find(pool.root, "metrics")
    monkeypatch.setattr(type(artifact), "attachments", lambda *_: [])
    details = model_results.evaluation_details(pool, {"artifact": artifact.address})
    assert (details["confusions"], details["curves"]) == ([], [])


def test_confusions_are_those_of_wrong_predictions_and_at_most_forty(
    tmp_path: Path,
) -> None:
    names = [f"category {number}" for number in range(50)]
    columns = {"truth": names, "called": [*names[:2], *names[:48]], "count": range(50)}
    pq.write_table(pa.table(columns), tmp_path / "confusions.parquet")

    class Attached:
        def attachments(self, name: str) -> list[Path]:
            return [tmp_path / name] if (tmp_path / name).exists() else []

    artifact: Any = Attached()
    tables = model_results._attached_tables(artifact)
    assert [row["count"] for row in tables["confusions"]] == list(range(2, 42))
    assert tables["curves"] == []


@pytest.mark.parametrize("artifact", ["", "../metrics", "metrics/v1-0"])
def test_an_unknown_evaluation_is_reported(pool: ConnectionPool, artifact: str) -> None:
    with pytest.raises(ArtifactNotFoundError, match="there is no evaluation of that name"):
        model_results.evaluation_details(pool, {"artifact": artifact})
