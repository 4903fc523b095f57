"""House rules that every table keeps."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path

import pytest

from pipeline.store.tables import all_tables
from schemas import errors
from schemas.table import VectorType

SCHEMAS = Path(__file__).parents[2] / "schemas"
TABLES = all_tables()


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_lies_in_the_module_of_its_name_which_says_what_it_means(table) -> None:  # type: ignore[no-untyped-def]
    module = importlib.import_module(f"schemas.{table.name}")
    assert getattr(module, table.name.upper()) is table
    assert (module.__doc__ or "").splitlines()[0] == table.doc


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_its_columns_are_distinct_explained_and_hold_its_key(table) -> None:  # type: ignore[no-untyped-def]
    names = [column.name for column in table.columns]
    assert len(set(names)) == len(names)
    assert set(table.key) <= set(names)
    assert table.version >= 1
    for column in table.columns:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", column.name)
        assert column.doc.strip()
        assert "\n" not in column.doc


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_boxes_are_four_float32_columns_everywhere(table) -> None:  # type: ignore[no-untyped-def]
    types = {c.name: c.type for c in table.columns if not isinstance(c.type, VectorType)}
    edges = {"x0", "y0", "x1", "y1"} & set(types)
    assert edges in (set(), {"x0", "y0", "x1", "y1"})
    assert all(types[edge] == "float32" for edge in edges)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_column_that_two_tables_share_has_one_type(table) -> None:  # type: ignore[no-untyped-def]
    shared = {"image_id": "string", "region": "int32", "concept_id": "int32"}
    for column in table.columns:
        assert column.type == shared.get(column.name, column.type)


def test_every_error_is_an_rc_error_and_is_listed_in_the_words_of_its_module() -> None:
    for name, error in inspect.getmembers(errors, inspect.isclass):
        assert issubclass(error, errors.RCError)
        assert name in (errors.__doc__ or "")
        assert error.__doc__


def test_schemas_import_nothing_else_of_ours() -> None:
    for path in SCHEMAS.glob("*.py"):
        assert not re.search(r"^\s*(from|import) (pipeline|stages)\b", path.read_text(), re.M)
