"""The commands what-if and diff, and selections by their names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline import sql
from pipeline.cli import main
from pipeline.store import catalog
from schemas.errors import ArtifactNotFoundError
from stages.select import Select
from tests.pipeline.helpers import make, make_all
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    return make_all(tmp_path_factory.mktemp("judged") / "store", count=12)


def _old(made: dict[str, Artifact]) -> str:
    return made["pseudo_labels"].address


def test_a_selection_is_found_by_its_name_and_knows_where_it_came_from(
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
        asked = sql.query(connection, "SELECT DISTINCT region FROM pseudo_labels@few")
        assert sql.batches(asked).read_all().to_pylist()[0]["region"] == 1
    with pytest.raises(ArtifactNotFoundError):
        catalog.find(root, "pseudo_labels@nobody")


def test_the_command_line_says_the_same(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make_all(root, count=4)
    make(Ingest(count=4), root)
    told = rc("what-if", "--min-probability", "0.1,0.5", "--format", "json").out.splitlines()
    conditions = [json.loads(line)["where"] for line in told]
    assert conditions == ["probability > 0.1", "probability > 0.5"]
    assert "takes numbers" in rc("what-if", "--min-margin", "much").err
    assert "--format must be one of" in rc("what-if", "--format", "xml").err
    answer = rc("diff", "pseudo_labels", "pseudo_labels")
    assert "moved most often: none" in answer.out
    assert json.loads(rc("diff", "pseudo_labels", "pseudo_labels", "--json").out)["agreement"] == 1


@pytest.mark.parametrize("words", ["nan", "0.1,inf", "1e400", "much"])
def test_a_threshold_is_a_number(rc, words: str) -> None:  # type: ignore[no-untyped-def]
    answer = rc("what-if", "--min-probability", words)
    assert answer.code == 1
    assert "takes numbers with commas between them" in answer.err


def test_a_question_that_is_interrupted_says_no_more(monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    def stopped(_words: list[str]) -> None:
        raise RuntimeError("Query interrupted")

    monkeypatch.setattr("pipeline.cli.app.make_app", stopped)
    monkeypatch.setattr("pipeline.cli._leave_soon", lambda _code: None)
    with pytest.raises(SystemExit) as ended:
        main(["what-if"])
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"
