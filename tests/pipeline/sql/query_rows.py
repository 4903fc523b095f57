"""The rows of a statement, as `rc sql` reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline import sql

if TYPE_CHECKING:
    from pathlib import Path


def query_rows(root: Path, statement: str, *prefer: str) -> list[dict[str, Any]]:
    pins, subjects = sql.pins_in(statement), sql.subject_tables(statement)
    only = sql.views_read(statement)
    with sql.connect(root, prefer, pins, subjects, only=only) as connection:
        batches = sql.batches(sql.query(connection, statement))
        return [row for batch in batches for row in batch.to_pylist()]
