"""Reference pages made from the declarations they describe."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from schemas.table import Table, VectorType

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


def tables_page() -> str:
    """docs/tables.md: each table with its columns."""
    lines = ["# Tables", "", "Made by `rc tables` from `schemas/`; do not edit.", ""]
    for table in all_tables():
        lines += [f"## {table.name} (version {table.version})", "", table.doc, ""]
        lines += [
            f"Key: {', '.join(table.key)}.",
            "",
            "| column | type | meaning |",
            "|---|---|---|",
        ]
        for column in table.columns:
            kind = "vector" if isinstance(column.type, VectorType) else str(column.type)
            if kind.startswith("list<element: struct"):
                kind = "list of struct"
            null = ", may be null" if column.nullable else ""
            lines.append(f"| {column.name} | {kind}{null} | {column.doc} |")
        lines.append("")
    return "\n".join(lines)
