"""The named queries of `rc sql --query`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.sql.named_queries import named_queries, named_query
from pipeline.sql.relations import TABLE_ORDER
from schemas.errors import QueryError
from tests.pipeline.helpers import ROOT
from tests.pipeline.sql.query_rows import query_rows

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", named_queries())
def test_a_named_query_is_answered_and_documented(store: Path, name: str) -> None:
    query = named_query(name)
    rows = query_rows(store, query.statement)
    assert all(list(row) == list(rows[0]) for row in rows)
    assert query.doc.endswith(".")
    assert query.needs.startswith("Needs ")
    assert f"## {name}" in (ROOT / "docs" / "queries.md").read_text()


def test_an_unknown_query_is_refused_with_the_known_names() -> None:
    with pytest.raises(
        QueryError, match=r"no query is called 'nonsense'; there are .*rare-concepts"
    ):
        named_query("nonsense")


def test_the_subject_of_a_named_query_is_the_first_table_it_needs() -> None:
    subjects = {name: query.subjects for name, query in named_queries().items()}
    assert subjects["refused"] == subjects["what-was-made"] == []
    assert subjects["near-synonyms"] == ["concept_embeddings"]
    assert subjects["unsure-regions"] == subjects["precision-by-probability"] == ["pseudo_labels"]
    assert {name for names in subjects.values() for name in names} <= set(TABLE_ORDER)
