"""The tables by name; beside `pipeline.verbs`, the other list of what there is."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from schemas.table import Table

SCHEMAS = Path(__file__).parents[1] / "schemas"


def all_tables() -> list[Table]:
    """Every table that a schema module declares, by name."""
    found = {}
    for path in sorted(SCHEMAS.glob("*.py")):
        module = import_module(f"schemas.{path.stem}")
        for value in vars(module).values():
            if isinstance(value, Table):
                found[value.name] = value
    return [found[name] for name in sorted(found)]
