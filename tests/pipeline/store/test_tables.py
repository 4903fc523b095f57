from __future__ import annotations

from pipeline.cli.reference import tables_page
from pipeline.store.tables import all_tables


def test_every_table_is_found_once_by_name() -> None:
    names = [table.name for table in all_tables()]
    assert names == sorted(set(names))
    assert {"images", "concepts", "features", "quarantine", "metrics"} <= set(names)


def test_the_page_has_every_column_with_its_meaning() -> None:
    page = tables_page()
    for table in all_tables():
        assert f"## {table.name} (version {table.version})" in page
        for column in table.columns:
            assert f"| {column.name} |" in page
            assert column.doc in page
    assert "zero-width" not in page
    assert "| feature | vector |" in page
