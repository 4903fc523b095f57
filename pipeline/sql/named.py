"""Named queries: questions people ask again and again, shipped as files of SQL."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from schemas.errors import QueryError

FOLDER: Final = Path(__file__).parent / "queries"


@dataclass(frozen=True)
class NamedQuery:
    """A question with a name.

    Attributes:
        name: As `rc sql --query` takes it.
        doc: What it answers, one sentence.
        needs: What must be in the store.
        statement: The SELECT.
    """

    name: str
    doc: str
    needs: str
    statement: str

    @property
    def leads(self) -> list[str]:
        """The table whose newest artifact, with all it was made from, the question is about."""
        first = self.needs.removeprefix("Needs ").split()[0].strip(".,")
        return [] if first == "nothing" else [first]


@cache
def named_queries() -> dict[str, NamedQuery]:
    """All that are shipped, by name, in alphabetical order."""
    found = {}
    for path in sorted(FOLDER.glob("*.sql")):
        lines = path.read_text(encoding="utf-8").splitlines()
        doc, needs = (line.removeprefix("-- ") for line in lines[:2])
        found[path.stem] = NamedQuery(path.stem, doc, needs, "\n".join(lines[2:]))
    return found


def named_query(name: str) -> NamedQuery:
    """The query of a name.

    Raises:
        QueryError: If there is none.
    """
    known = named_queries()
    if name not in known:
        raise QueryError(f"no query is called '{name}'; there are {', '.join(known)}")
    return known[name]
