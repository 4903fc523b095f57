"""The verb lineage: what an artifact was made from, as the commands that would make it again."""

from __future__ import annotations

import json
import shlex
import shutil
import textwrap
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pipeline.cli.run_options import STORE, Store

if TYPE_CHECKING:
    from pipeline.store.artifact import Artifact

_NARROWEST: Final = 40  # columns of text, however deep an input is


def lineage(
    artifact: Annotated[str, typer.Argument(help="table, table@prefix or address")],
    store: Store = STORE,
) -> None:
    """Show what an artifact was made from, and how.

    Its inputs with the options that were given, back to the sources.
    """
    from pipeline.store import catalog

    shown: set[str] = set()

    def show(current: Artifact, role: str, depth: int) -> None:
        again = current.address in shown
        label = f"{role}: " if role else ""
        rest = " (see above)" if again else ""
        typer.echo(f"{'  ' * depth}{label}{current.address}{rest}")
        shown.add(current.address)
        if not again:
            for line in _told(current, depth + 2):
                typer.echo(line)
            for name, parent in catalog.parents(current).items():
                show(parent, name, depth + 1)

    show(catalog.find(store, artifact), "", 0)


def _told(artifact: Artifact, depth: int) -> list[str]:
    """The command with the options that were given, and the files that it read."""
    from pipeline.cli.cell_text import cell_text

    words = ["rc", artifact.manifest.stage.name, *given_options(artifact)]
    margin = "  " * depth
    width = max(shutil.get_terminal_size().columns, len(margin) + _NARROWEST)
    text = cell_text(" ".join(words))
    command = textwrap.wrap(
        text,
        width,
        initial_indent=margin,
        subsequent_indent=f"{margin}   ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    origins = artifact.manifest.run.get("origins", {})
    files = [f"{margin}{name}: {cell_text(p)}" for name, paths in origins.items() for p in paths]
    return command + files


def given_options(artifact: Artifact) -> list[str]:
    """The options that differ from their defaults, as words of a command."""
    from pipeline.cli.stage import option_flag
    from pipeline.verbs import VERBS

    stage = artifact.manifest.stage
    verb = VERBS.get(stage.name)
    known = {field.name: field for field in fields(verb.load())} if verb else {}
    words = []
    for name, value in stage.options.items():
        field = known.get(name)
        if value is None or (field and _as_json(field.default) == value):
            continue
        flag = option_flag(name, field.metadata if field else {})
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag.removeprefix('--')}")
            continue
        for one in value if isinstance(value, list) else [value]:
            text = one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)
            words += [flag, shlex.quote(text)] if flag.startswith("--") else [shlex.quote(text)]
    return words


def _as_json(value: Any) -> Any:
    """A default as a manifest would have it."""
    return None if value is MISSING else json.loads(json.dumps(value, default=str))
