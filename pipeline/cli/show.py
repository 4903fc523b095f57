"""`rc show`: how an artifact was made, what it says of itself, and what it refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.run_options import STORE, Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.store.artifact import Artifact


def add_commands(app: typer.Typer) -> None:
    """Add this verb to the application."""
    app.command("show")(show)


def show(
    artifact: Annotated[str, typer.Argument(help="table, table@prefix or address")],
    store: Store = STORE,
    as_json: Annotated[bool, typer.Option("--json", help="print everything as JSON")] = False,
) -> None:
    """Show the options, inputs, notes and times of an artifact.

    And how many records it refused, by reason. A table alone names its newest artifact.
    """
    from pipeline.store import catalog

    chosen = catalog.find(store, artifact)
    if as_json:
        typer.echo(json.dumps(facts(chosen), ensure_ascii=True))
        return
    for line in _lines(facts(chosen)):
        typer.echo(line)


def facts(artifact: Artifact) -> dict[str, Any]:
    """What the manifest says, in the order in which people ask for it."""
    manifest = artifact.manifest
    return {
        "address": artifact.address,
        "path": str(artifact.path.absolute()),
        "made_by": f"rc {manifest.stage.name} (version {manifest.stage.version})",
        "rows": manifest.rows,
        "parts": manifest.parts.count,
        "bytes": manifest.bytes(),
        "options": manifest.stage.options,
        "inputs": manifest.inputs,
        "sources": manifest.run.get("origins", {}),
        "digests": manifest.sources,
        "notes": manifest.notes,
        "refused": manifest.dropped,
        "run": {key: value for key, value in manifest.run.items() if key != "origins"},
    }


def _lines(values: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    """A line for each value under its name; what is in a mapping stands indented below it."""
    from pipeline.cli.cell_text import cell_text

    width = max((len(name) for name, value in values.items() if not _is_section(value)), default=0)
    for name, value in values.items():
        label = cell_text(name)
        if _is_section(value):
            yield f"{'  ' * depth}{label}"
            yield from _lines(value, depth + 1)
        elif isinstance(value, Mapping):
            yield f"{'  ' * depth}{label.ljust(width)}  none"
        else:
            yield f"{'  ' * depth}{label.ljust(width)}  {_text(value)}".rstrip()


def _is_section(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value)


def _text(value: Any) -> str:
    """A value on one line: numbers as they are, a list cut if it is long."""
    from pipeline.cli.cell_text import cell_text

    if value is None:
        return "-"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return repr(value) if isinstance(value, float) else cell_text(value)
