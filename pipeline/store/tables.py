"""The tables by name; and which of them are of models."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path

from schemas.table import Table

SCHEMAS = Path(__file__).parents[2] / "schemas"
_ARITHMETIC = ("boxes", "box_forms")  # they declare no table, and need numpy


def models(*, with_language: bool = False) -> tuple[str, ...]:
    """Names of the tables of models: weights lie beside their rows.

    Args:
        with_language: Only those that compare regions with texts.
    """
    return tuple(
        table.name
        for table in all_tables()
        if (table.has_language if with_language else table.is_model)
    )


def may_be_empty(name: str) -> bool:
    """Whether an artifact of a table is one like others although it has no rows."""
    return any(table.is_model or table.may_be_empty for table in all_tables() if table.name == name)


@cache
def all_tables() -> tuple[Table, ...]:
    """Every table that a schema module declares, by name."""
    tables = {}
    for name in sorted(path.stem for path in SCHEMAS.glob("*.py")):
        if name in _ARITHMETIC:
            continue
        module = import_module(f"schemas.{name}")
        for value in vars(module).values():
            if isinstance(value, Table):
                tables[value.name] = value
    return tuple(tables[name] for name in sorted(tables))
