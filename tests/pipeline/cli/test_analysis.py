"""`rc merge-concepts`, `what-if`, `diff`, `compare`, `report`, and selections by their names."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from pipeline import sql
from pipeline.analysis.compare import as_json, compare
from pipeline.cli import main
from pipeline.store import catalog
from schemas.errors import ArtifactNotFoundError
from stages.select import Select
from stages.sources.concept_groups import read_groups
from tests.pipeline.analysis.test_compare import ToyEvaluate, prefix
from tests.pipeline.helpers import make, make_all
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    return make_all(tmp_path_factory.mktemp("judged") / "store", count=12)


def _old(made: dict[str, Artifact]) -> str:
    return made["pseudo_labels"].address


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


@pytest.mark.parametrize("words", ["nan", "0.1,inf", "1e400", "much"])
def test_a_threshold_is_a_number(rc, words: str) -> None:  # type: ignore[no-untyped-def]
    answer = rc("what-if", "--min-probability", words)
    assert answer.code == 1
    assert "takes numbers with commas between them" in answer.err


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
    poor, good = prefix(make(ToyEvaluate(wrong=2), root)), prefix(make(ToyEvaluate(wrong=10), root))
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
    pair = prefix(make(ToyEvaluate(), root)), prefix(make(ToyEvaluate(wrong=3), root))
    result = rc("compare", *pair, "--json")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == as_json(compare(root, *pair))


def test_evaluations_that_cannot_be_compared_are_one_sentence(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=20), root)
    pair = (
        prefix(make(ToyEvaluate(), root)),
        prefix(make(ToyEvaluate(names=("hund", "katze")), root)),
    )
    result = rc("compare", *pair)
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: ")
    assert "have different category names or splits" in result.err
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


def test_groups_are_proposed_in_a_file_that_is_not_replaced_unasked(  # type: ignore[no-untyped-def]
    rc, root: Path, tmp_path: Path
) -> None:
    make_all(root, count=12)  # orthogonal embeddings
    out = tmp_path / "groups.toml"
    answer = rc("merge-concepts", out.with_suffix(""))
    assert (answer.code, answer.out) == (0, f"{out}\n")
    first, second = answer.err.splitlines()
    assert first.startswith("0 groups with 0 of ")
    assert "no two concepts have a cosine of at least 0.9: the highest is 0.0000" in second
    assert read_groups(out).members == {}
    again = rc("merge-concepts", out)
    assert (again.code, again.out) == (1, "")
    assert f"{out} exists; give another name, or --force to replace it" in again.err
    assert rc("merge-concepts", out, "--force", "--min-cosine", "-1").code == 0
    assert "of at least -1" in out.read_text()
    assert rc("merge-concepts", tmp_path / "new", "--min-cosine", "2").code == 2
    assert rc("merge-concepts", tmp_path / "groups.csv").code == 1
    assert "concepts@nope" in rc("merge-concepts", tmp_path / "new", "--concepts", "nope").err
    assert not (tmp_path / "new.toml").exists()
