"""The shelf: open connections of a gallery, one for each artifact that is looked at."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

from pipeline import sql
from pipeline.store import catalog, manifest
from schemas.errors import QueryError
from schemas.images import IMAGES
from schemas.pseudo_labels import PSEUDO_LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pipeline.store.artifact import Artifact

_OPEN: Final = 6  # connections kept
_MAKING: Final = 120.0  # seconds a table may take that is held in memory
_MEMORY_MB: Final = 1024  # of one connection

Row = dict[str, Any]
Stamp = tuple[tuple[str, int], ...]


class ConnectionPool:
    """Answers questions about a store, from any thread.

    What was made after a connection was opened is seen by the next one: a manifest that is new,
    gone or changed opens all of them anew.

    Args:
        root: The store.
        seconds: How long one answer may take.
    """

    def __init__(self, root: Path, seconds: float = 10.0) -> None:
        self.root = root
        self._seconds = seconds
        self._open: OrderedDict[tuple[str, str], tuple[Any, threading.Lock]] = OrderedDict()
        self._kept: dict[Any, Any] = {}
        self._stamp: Stamp = ()
        self._artifacts: list[Artifact] = []
        self._lock = threading.RLock()

    def ask(self, statement: str, values: Sequence[Any] = (), labels: str = "") -> list[Row]:
        """Rows of one of our own statements.

        Args:
            statement: SQL, with a ? for each value.
            values: What visitors gave; never part of the statement.
            labels: Address of the pseudo-labels, or images, to look at; empty for the newest
                pseudo-labels.

        Raises:
            QueryError: If it takes too long, or the store lacks what it asks for.
        """
        return _answer(*self._connection(labels), statement, values, self._seconds)

    def ask_kept(self, name: str, made_by: str, statement: str, labels: str = "") -> list[Row]:
        """Rows of a statement over the table `name`, which is made once and held in memory.

        Args:
            name: The table; has a connection of its own, so that other questions need not wait.
            made_by: The statement whose answer it holds.
            statement: The question.
            labels: As in `ask`.

        Raises:
            QueryError: As in `ask`.
        """
        connection, lock = self._connection(labels, name)
        with lock:
            there = "SELECT 1 AS one FROM duckdb_tables() WHERE table_name = ?"
            if not _answer(connection, nullcontext(), there, [name], self._seconds):
                with sql.time_limit(connection, _MAKING):
                    sql.create_table(connection, name, made_by)
        return _answer(connection, lock, statement, [], self._seconds)

    def has(self, view: str, labels: str = "") -> bool:
        """Whether there is such a view."""
        return bool(
            self.ask("SELECT 1 AS one FROM duckdb_views() WHERE view_name = ?", [view], labels)
        )

    def artifacts(self) -> list[Artifact]:
        """All artifacts of the store, the newest first; read once until something changes."""
        stamp = _stamp(self.root)
        with self._lock:
            if stamp != self._stamp:
                self._artifacts = list(reversed(catalog.everything(self.root)))
                self._stamp = stamp
                self._open.clear()
                self._kept = {}
            return self._artifacts

    def labels(self) -> list[str]:
        """Addresses of all pseudo-labels to look at, the newest first, then selections."""
        found = self._addresses(PSEUDO_LABELS.name, PSEUDO_LABELS.version)
        chosen = {a.address for a in self.artifacts() if catalog.selected(a)}
        return sorted(found, key=lambda address: address in chosen)

    def images(self) -> list[str]:
        """Addresses of all sets of images, the newest first."""
        return self._addresses(IMAGES.name, IMAGES.version)

    def chosen(self, labels: str) -> str:
        """The address that is looked at if `labels` are asked for; empty if there is nothing."""
        known = self.labels()
        return labels if labels in (*known, *self.images()) else next(iter(known), "")

    def shown(self, table: str, labels: str = "") -> Artifact | None:
        """The artifact of a table behind the pseudo-labels that are looked at, else the newest."""
        found, chosen = self.artifacts(), self.chosen(labels)
        for artifact in found:
            if artifact.address == chosen and (behind := catalog.ancestor(artifact, (table,))):
                return behind
        named = [artifact for artifact in found if artifact.manifest.artifact == table]
        return min(named, key=lambda a: bool(catalog.selected(a)), default=None)

    def about(self, table: str, labels: str = "") -> bool:
        """Whether what is shown of a table is about the very images that are looked at.

        The ids of other images may be the same. Pseudo-labels whose names are gone say nothing.
        """
        mine, images = self.shown(table, labels), self.shown(IMAGES.name, labels)
        own = catalog.ancestor(mine, (IMAGES.name,)) if mine else None
        if mine is None or own is None or images is None or own.path != images.path:
            return False
        named = catalog.ancestor(mine, ("concept_embeddings",)) is not None
        return named or mine.manifest.artifact != PSEUDO_LABELS.name

    def home(self, image_id: str, labels: str = "") -> str:
        """What to look at to see an image: `labels`, or the images that it is one of."""
        known = "SELECT 1 AS one FROM images WHERE image_id = ? LIMIT 1"
        for address in (labels, *self.images()):
            if self.ask(known, [image_id], address):
                return address
        return labels

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        """An answer that stays true until the store changes; made once."""
        self.artifacts()
        kept = self._kept  # another thread that sees a change puts an empty one in its place
        if key not in kept:
            kept[key] = make()
        return kept[key]

    def _addresses(self, table: str, version: int) -> list[str]:
        return [
            artifact.address
            for artifact in self.artifacts()
            if artifact.manifest.artifact == table and artifact.manifest.version == version
        ]

    def _connection(self, labels: str, room: str = "") -> tuple[Any, threading.Lock]:
        """A connection, and the lock of whoever uses it."""
        address = self.chosen(labels)
        chosen = (address, room)
        with self._lock:
            if chosen not in self._open:
                prefer = [address] if address else []
                opened = sql.connect(self.root, prefer, memory_mb=_MEMORY_MB)
                self._open[chosen] = (opened, threading.Lock())
            self._open.move_to_end(chosen)
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)
            return self._open[chosen]


def _answer(
    connection: Any,
    lock: AbstractContextManager[Any],
    statement: str,
    values: Sequence[Any],
    seconds: float,
) -> list[Row]:
    try:
        with lock, sql.time_limit(connection, seconds):
            found = connection.execute(statement, list(values))
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    except QueryError:
        raise
    except Exception as error:  # DuckDB's, which only pipeline.sql may name
        raise QueryError(str(error).splitlines()[0]) from error


def _stamp(root: Path) -> Stamp:
    """Every manifest of a store and when it was written: two calls to the system for each."""
    found = []
    for table in root.iterdir() if root.is_dir() else ():
        if table.is_dir() and not table.name.startswith("."):
            for folder in table.iterdir():
                try:
                    written = (folder / manifest.NAME).stat()
                except OSError:  # unfinished, or no artifact at all
                    continue
                found.append((str(folder), written.st_mtime_ns))
    return tuple(sorted(found))
