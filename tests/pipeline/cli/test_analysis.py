"""`rc what-if`, `rc diff`, `rc compare`, `rc report`, and the analyses behind the first two."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
import pytest

from pipeline import sql
from pipeline.analysis import diff
from pipeline.analysis.compare import as_json, compare
from pipeline.analysis.what_if import DRAWN, Thresholds, forecast, grid
from pipeline.cli import main
from pipeline.store import catalog
from schemas.errors import ArtifactError, ArtifactNotFoundError, OptionError, QueryError
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.base import Part, Reads, Stage, each
from stages.select import Select
from tests.pipeline.analysis.test_compare import Judge, prefix
from tests.pipeline.helpers import make, make_all, rows_of
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipeline.store.artifact import Artifact
    from schemas.table import Table


@dataclass(frozen=True, kw_only=True)
class RelabelOdd(Stage):
    """The labels, every other region with another concept."""

    name: ClassVar[str] = "label"
    version: ClassVar[int] = 99
    reads: ClassVar[Mapping[str, Reads]] = {"pseudo_labels": each(PSEUDO_LABELS)}
    writes: ClassVar[Table] = PSEUDO_LABELS

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        for rows in part.batches("pseudo_labels"):
            ids = (rows.column("concept_id").to_numpy() + rows.column("region").to_numpy() % 2) % 2
            yield rows.set_column(2, "concept_id", pa.array(ids, pa.int32()))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    return make_all(tmp_path_factory.mktemp("judged") / "store", count=12)


def judged(made: dict[str, Artifact]) -> list[dict[str, Any]]:
    with sql.connect(made["images"].root, ["pseudo_labels"]) as connection:
        relation = sql.query(connection, "FROM judged_labels")
        return sql.batches(relation).read_all().to_pylist()


def test_a_grid_is_every_combination() -> None:
    thresholds = grid({"probability": [0.1, 0.5], "margin": [0.2], "cosine": []})
    assert [t.predicate() for t in thresholds] == [
        "probability > 0.1 AND margin > 0.2",
        "probability > 0.5 AND margin > 0.2",
    ]
    assert Thresholds().predicate() == "true"


@pytest.mark.parametrize("where", [None, "region < 2 OR region = 3"])
def test_a_forecast_counts_what_a_loop_counts(made: dict[str, Artifact], where: str | None) -> None:
    root = made["images"].root
    thresholds = grid({"probability": [0.0, 0.3, 0.6, 2.0], "objectness": [0.0, 0.5]})
    rows = [row for batch in forecast(root, thresholds, where) for row in batch.to_pylist()]
    everything = judged(made)
    labelled = {row["image_id"] for row in everything}
    images = rows_of(made["images"]).to_pylist()
    num_objects = sum(len(i["objects"]) for i in images if i["image_id"] in labelled)
    assert num_objects > 0
    for limits, row in zip(thresholds, rows, strict=True):
        chosen = [
            r
            for r in everything
            if r["probability"] > limits.probability
            and r["objectness"] > limits.objectness
            and (where is None or r["region"] < 2 or r["region"] == 3)
        ]
        on = [r for r in chosen if r["truth"] is not None]
        right = [r for r in on if r["concept"] == r["truth"]]
        assert row["labels"] == len(chosen)
        assert row["share"] == pytest.approx(len(chosen) / len(everything))
        assert row["images"] == len({r["image_id"] for r in chosen})
        assert row["concepts"] == len({r["concept_id"] for r in chosen})
        assert row["on_objects"] == len(on)
        assert row["precision"] == (pytest.approx(len(right) / len(on)) if on else None)
        named = {(r["image_id"], r["object"]) for r in right}
        assert row["recall"] == pytest.approx(len(named) / num_objects)


def test_the_condition_of_a_forecast_selects_what_it_forecast(made: dict[str, Artifact]) -> None:
    root = made["images"].root
    (batch,) = forecast(root, [Thresholds(probability=0.3)], "concept != 'it''s'")
    (row,) = batch.to_pylist()
    selection = make(Select(called="sure", where=row["where"]), root, {"pseudo_labels": _old(made)})
    assert selection.manifest.rows == row["labels"] > 0


def _old(made: dict[str, Artifact]) -> str:
    return made["pseudo_labels"].address


def test_a_forecast_accepts_one_predicate_only(made: dict[str, Artifact]) -> None:
    root = made["images"].root
    for hostile in ("true) FROM judged_labels; DROP VIEW images; SELECT (1", "random() > 0.5"):
        with pytest.raises(QueryError):
            list(forecast(root, [Thresholds()], hostile))


def test_a_selection_is_found_by_its_name_and_has_its_source_as_parent(
    made: dict[str, Artifact],
) -> None:
    root = made["images"].root
    pins = {"pseudo_labels": _old(made)}
    few = make(Select(called="few", where="region = 0"), root, pins)
    assert catalog.find(root, "pseudo_labels@few") == few
    assert catalog.parents(few)["pseudo_labels"] == made["pseudo_labels"]
    newer = make(Select(called="few", where="region = 1"), root, pins)
    assert catalog.find(root, "pseudo_labels@few") == newer
    with sql.connect(root, names=["pseudo_labels@few"]) as connection:
        relation = sql.query(connection, "SELECT DISTINCT region FROM pseudo_labels@few")
        assert sql.batches(relation).read_all().to_pylist()[0]["region"] == 1
    with pytest.raises(ArtifactNotFoundError):
        catalog.find(root, "pseudo_labels@nobody")


def test_a_difference_counts_what_a_loop_counts(tmp_path: Path) -> None:
    first = make_all(tmp_path, count=6)["pseudo_labels"]
    second = make(RelabelOdd(), tmp_path)
    names = [a.address.replace("/v2-", "@") for a in (first, second)]
    difference = diff.difference(tmp_path, *names)
    rows = []
    for name in names:
        with sql.connect(tmp_path, names=[name]) as connection:
            relation = sql.query(connection, f"SELECT image_id, region, concept, kept FROM {name}")
            answer = sql.batches(relation).read_all().to_pylist()
        rows.append({(r["image_id"], r["region"]): r for r in answer})
    same = [rows[0][key]["concept"] == rows[1][key]["concept"] for key in rows[0]]
    (summary,) = difference.summary.to_pylist()
    assert summary["shared"] == summary["first_labels"] == summary["second_labels"] == len(same)
    assert summary["agreement"] == pytest.approx(sum(same) / len(same))
    assert sum(row["regions"] for row in difference.moved.to_pylist()) == len(same) - sum(same)
    assert json.loads(json.dumps(diff.as_json(difference)))["first"] == first.address


def test_labels_agree_with_themselves(made: dict[str, Artifact]) -> None:
    name = made["pseudo_labels"].manifest.fingerprint[:8]
    difference = diff.difference(made["images"].root, name, f"pseudo_labels@{name}")
    assert difference.summary.to_pylist()[0]["agreement"] == 1
    assert (
        difference.moved.num_rows,
        difference.examples.num_rows,
        difference.concepts.num_rows,
    ) == (0, 0, 0)


def test_labels_without_common_regions_are_refused(made: dict[str, Artifact]) -> None:
    root = made["images"].root
    with pytest.raises(OptionError, match="is no pseudo_labels"):
        diff.difference(root, "images@00", "pseudo_labels")
    make(Select(called="here", where="region = 0"), root, {"pseudo_labels": _old(made)})
    make(Select(called="there", where="region = 1"), root, {"pseudo_labels": _old(made)})
    with pytest.raises(ArtifactError, match="no region in common"):
        diff.difference(root, "here", "there")


def test_the_command_line_prints_forecasts_and_differences(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make_all(root, count=4)
    make(Ingest(count=4), root)
    lines = rc("what-if", "--min-probability", "0.1,0.5", "--format", "json").out.splitlines()
    conditions = [json.loads(line)["where"] for line in lines]
    assert conditions == ["probability > 0.1", "probability > 0.5"]
    assert "takes numbers" in rc("what-if", "--min-margin", "much").err
    assert "--format must be one of" in rc("what-if", "--format", "xml").err
    answer = rc("diff", "pseudo_labels", "pseudo_labels")
    assert "most frequent changes: none" in answer.out
    assert json.loads(rc("diff", "pseudo_labels", "pseudo_labels", "--json").out)["agreement"] == 1


def test_a_threshold_is_taken_with_all_its_digits() -> None:
    assert Thresholds(probability=0.9999999, margin=0).predicate() == (
        "probability > 0.9999999 AND margin > 0"
    )


@pytest.mark.parametrize("words", ["nan", "0.1,inf", "1e400", "much"])
def test_a_threshold_is_a_number(rc, words: str) -> None:  # type: ignore[no-untyped-def]
    answer = rc("what-if", "--min-probability", words)
    assert answer.code == 1
    assert "takes numbers with commas between them" in answer.err


def test_a_forecast_takes_the_conditions_that_selecting_takes(made: dict[str, Artifact]) -> None:
    root = made["images"].root
    (batch,) = forecast(root, [Thresholds()], "kept -- those that are sure")
    assert batch.to_pylist()[0]["labels"] > 0
    with pytest.raises(QueryError, match="The columns for --where are image_id, region"):
        list(forecast(root, [Thresholds()], "truth IS NOT NULL"))


def test_recall_counts_the_objects_of_images_that_a_selection_leaves_out(
    made: dict[str, Artifact],
) -> None:
    root = made["images"].root
    inputs = {"pseudo_labels": made["pseudo_labels"].address}
    (first, *_) = (row["image_id"] for row in rows_of(made["pseudo_labels"]).to_pylist())
    make(Select(called="one-image", where=f"image_id = '{first}'"), root, inputs)
    with sql.connect(root, ["pseudo_labels@one-image"]) as connection:
        few = connection.execute(DRAWN).fetchone()
    with sql.connect(root, [made["pseudo_labels"].address]) as connection:
        assert connection.execute(DRAWN).fetchone() == few


def test_an_interrupted_query_prints_one_word(monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    def stopped(_words: list[str]) -> None:
        raise RuntimeError("Query interrupted")

    monkeypatch.setattr("pipeline.cli.app.make_app", stopped)
    monkeypatch.setattr("pipeline.cli._exit_soon", lambda _code: None)
    with pytest.raises(SystemExit) as ended:
        main(["what-if"])
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_two_evaluations_are_printed_metric_by_metric(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=40), root)
    poor, good = prefix(make(Judge(wrong=2), root)), prefix(make(Judge(wrong=10), root))
    result = rc("compare", poor, f"metrics@{good}")
    assert result.code == 0
    header, *lines = result.out.splitlines()
    assert header.split() == ["per", "cent", poor, f"metrics@{good}", "difference"]
    top1 = next(line for line in lines if line.startswith("top1, all"))
    values = [float(word) for word in re.findall(r"[-+]?\d+\.\d", top1)]
    first, first_low, first_high, second, _, _, difference, low, high = values
    assert first_low < first < first_high < second
    assert 0 < low < difference < high
    assert difference == pytest.approx(second - first, abs=0.11)
    assert top1.endswith("*")
    without_interval = next(line for line in lines if line.startswith("APs, all"))
    assert without_interval.split() == ["APs,", "all", "50.0", "50.0", "+0.0"]
    assert result.err == (
        "[interval of 95 % of 1000 resamples of the images]; * = all of it has one sign\n"
    )


def test_two_evaluations_as_json_have_the_same_values(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=20), root)
    pair = prefix(make(Judge(), root)), prefix(make(Judge(wrong=3), root))
    result = rc("compare", *pair, "--json")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == as_json(compare(root, *pair))


def test_evaluations_that_cannot_be_compared_are_one_sentence(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=20), root)
    pair = prefix(make(Judge(), root)), prefix(make(Judge(names=("hund", "katze")), root))
    result = rc("compare", *pair)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: ")
    assert "chose among different names" in result.err
    assert "no artifact matches 'metrics@00'" in rc("compare", pair[0], "00").err
    assert rc("compare", pair[0]).code == 2


def test_a_report_is_written_about_labels_only(rc, root: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    result = rc("report", "images")
    assert (result.code, result.err) == (1, "error: rc report writes about labels, not 'images'\n")
    make_all(root, count=4)
    result = rc("report", "labels", "--out", tmp_path / "page")
    assert result.code == 0
    assert (tmp_path / "page" / "index.html").is_file()
    assert "index.html" in result.out
