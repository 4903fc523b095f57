"""Named queries: frequent questions, each in a .sql file of `queries/`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from schemas.errors import QueryError

FOLDER: Final = Path(__file__).parent / "queries"


@dataclass(frozen=True)
class NamedQuery:
    """A query that users call by name.

    Attributes:
        name: As `rc sql --query` takes it.
        doc: What it answers, in one sentence.
        needs: The sentence that says which tables must be in the store.
        statement: The SELECT.
    """

    name: str
    doc: str
    needs: str
    statement: str

    @property
    def subjects(self) -> list[str]:
        """The table that the query is about; see `connection.connect`."""
        first = self.needs.removeprefix("Needs ").split()[0].strip(".,")
        return [] if first == "nothing" else [first]


@cache
def named_queries() -> dict[str, NamedQuery]:
    """All named queries by name, in alphabetical order."""
    queries = {}
    for path in sorted(FOLDER.glob("*.sql")):
        lines = path.read_text(encoding="utf-8").splitlines()
        doc, needs = (line.removeprefix("-- ") for line in lines[:2])
        queries[path.stem] = NamedQuery(path.stem, doc, needs, "\n".join(lines[2:]))
    return queries


def named_query(name: str) -> NamedQuery:
    """The query with this name.

    Raises:
        QueryError: If no query has it.
    """
    known = named_queries()
    if name not in known:
        raise QueryError(f"no query is called '{name}'; there are {', '.join(known)}")
    return known[name]
