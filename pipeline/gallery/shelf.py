"""The shelf: open connections of a gallery, one for each set of pseudo-labels that is looked at."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from pipeline import sql
from pipeline.store import catalog
from schemas.errors import QueryError
from schemas.pseudo_labels import PSEUDO_LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_OPEN: Final = 4  # connections kept
_SECONDS: Final = 10.0  # one answer may take
_MEMORY_MB: Final = 1024  # of one connection

Row = dict[str, Any]


class Shelf:
    """Answers questions about a store, from any thread.

    What was made after a connection was opened is seen by the next one: a manifest that is new
    opens all of them anew.

    Args:
        root: The store.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._open: OrderedDict[tuple[str, int], tuple[Any, threading.Lock]] = OrderedDict()
        self._lock = threading.Lock()

    def ask(self, statement: str, values: Sequence[Any] = (), labels: str = "") -> list[Row]:
        """Rows of one of our own statements.

        Args:
            statement: SQL, with a ? for each value.
            values: What visitors gave; never part of the statement.
            labels: Address of the pseudo-labels to look at; empty for the newest.

        Raises:
            QueryError: If it takes too long, or the store lacks what it asks for.
        """
        connection, lock = self._connection(labels)
        try:
            with lock, sql.within(connection, _SECONDS):
                found = connection.execute(statement, list(values))
                names = [column[0] for column in found.description]
                return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        except QueryError:
            raise
        except Exception as error:  # DuckDB's, which only pipeline.sql may name
            raise QueryError(str(error).splitlines()[0]) from error

    def has(self, view: str, labels: str = "") -> bool:
        """Whether there is such a view."""
        return bool(
            self.ask("SELECT 1 AS one FROM duckdb_views() WHERE view_name = ?", [view], labels)
        )

    def labels(self) -> list[str]:
        """Addresses of all pseudo-labels that can be looked at, the newest first."""
        return [
            artifact.address
            for artifact in reversed(catalog.everything(self.root))
            if artifact.manifest.artifact == PSEUDO_LABELS.name
            and artifact.manifest.version == PSEUDO_LABELS.version
        ]

    def _connection(self, labels: str) -> tuple[Any, threading.Lock]:
        """A connection, and the lock of whoever uses it."""
        known = self.labels()
        chosen = labels if labels in known else next(iter(known), "")
        stamp = len(catalog.committed(self.root))
        with self._lock:
            if (chosen, stamp) not in self._open:
                prefer = [chosen] if chosen else []
                opened = sql.connect(self.root, prefer, memory_mb=_MEMORY_MB)
                self._open[chosen, stamp] = (opened, threading.Lock())
            self._open.move_to_end((chosen, stamp))
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)
            return self._open[chosen, stamp]
