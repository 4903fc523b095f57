"""What to say when an artifact is not there: what is, and which verb makes it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from pipeline.store.tables import all_tables
from pipeline.verbs import maker

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_SHOWN: Final = 5  # artifacts that a message names


def nothing_in(root: Path) -> str:
    """The sentence about a store without artifacts."""
    there = "" if root.is_dir() else " (there is no such folder)"
    return (
        f"nothing is in {root.absolute()} yet{there}; begin with 'rc ingest', or name another "
        "store with --store"
    )


def not_found(
    root: Path, name: str, table: str, artifacts: Mapping[str, str], called: Mapping[str, str]
) -> str:
    """The sentence about an artifact that is not there.

    Args:
        root: The store.
        name: As the user wrote it.
        table: The table in it.
        artifacts: Table of each artifact that is there, by the name of its folder.
        called: What the user called each, likewise, if anything.
    """
    if not artifacts:
        return f"no artifact matches '{name}': {nothing_in(root)}"
    start = f"no artifact matches '{name}' in {root.absolute()}"
    known = [one.name for one in all_tables()]
    if table not in known:
        near = get_close_matches(table, known, 2) or known
        return f"{start}: there is no table {table}, but {', '.join(near)}"
    own = sorted(
        f"{folder} (called {called[folder]})" if called.get(folder) else folder
        for folder, made in artifacts.items()
        if made == table
    )
    if own:
        more = f" and {len(own) - _SHOWN} more" if len(own) > _SHOWN else ""
        return f"{start}: the {table} there are {', '.join(own[:_SHOWN])}{more}"
    verb = maker(table)
    return f"{start}: there are no {table} yet" + (f", 'rc {verb}' makes them" if verb else "")
