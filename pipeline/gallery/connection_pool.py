"""Open connections to the store, one for each artifact that a visitor looks at."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

from pipeline import sql
from pipeline.store import catalog, manifest, recency
from schemas.errors import QueryError
from schemas.images import IMAGES
from schemas.pseudo_labels import PSEUDO_LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pipeline.store.artifact import Artifact

_MAX_CONNECTIONS: Final = 6
_TABLE_TIMEOUT_S: Final = 120.0  # for a table that is computed once and kept in memory
_MEMORY_MB: Final = 1024  # of one connection

Row = dict[str, Any]
Stamp = tuple[tuple[str, int], ...]


class ConnectionPool:
    """Answers queries to a store, from any thread.

    A manifest that is new, deleted or changed closes all connections, so the next query sees
    what was made since.

    In all methods, `labels` is the address of the pseudo-labels, or images, to show; if it is empty
    or unknown, the newest pseudo-labels are shown.

    Args:
        root: The store.
        seconds: Time limit of one query.
    """

    def __init__(self, root: Path, seconds: float = 10.0) -> None:
        self.root = root
        self._seconds = seconds
        self._connections: OrderedDict[tuple[str, str], tuple[Any, threading.Lock]] = OrderedDict()
        self._cache: dict[Any, Any] = {}
        self._stamp: Stamp = ()
        self._artifacts: list[Artifact] = []
        self._lock = threading.RLock()

    def query(
        self,
        statement: str,
        values: Sequence[Any] = (),
        labels: str = "",
        seconds: float | None = None,
    ) -> list[Row]:
        """Rows of one of our own statements.

        Args:
            statement: SQL, with a ? for each value.
            values: Input of visitors; never part of the statement.
            labels: The address to show.
            seconds: Time limit, if it is another one.

        Raises:
            QueryError: If it takes too long, or the store lacks a table of the statement.
        """
        limit = self._seconds if seconds is None else seconds
        return _execute(*self._connection(labels), statement, values, limit)

    def query_cached_table(
        self, name: str, definition: str, statement: str, labels: str = ""
    ) -> list[Row]:
        """Rows of a statement over the table `name`, which is computed once and kept in memory.

        Args:
            name: The table; it has its own connection, so that other queries need not wait for it.
            definition: The statement whose rows the table holds.
            statement: The query.
            labels: The address to show.

        Raises:
            QueryError: As in `query`.
        """
        connection, lock = self._connection(labels, name)
        with lock:
            exists = "SELECT 1 AS one FROM duckdb_tables() WHERE table_name = ?"
            if not _execute(connection, nullcontext(), exists, [name], self._seconds):
                with sql.time_limit(connection, _TABLE_TIMEOUT_S):
                    sql.create_table(connection, name, definition)
        return _execute(connection, lock, statement, [], self._seconds)

    def has_view(self, view: str, labels: str = "") -> bool:
        """Whether there is such a view."""
        return bool(
            self.query("SELECT 1 AS one FROM duckdb_views() WHERE view_name = ?", [view], labels)
        )

    def artifacts(self) -> list[Artifact]:
        """All artifacts of the store, the newest first; read again only after a change."""
        stamp = _stamp(self.root)
        with self._lock:
            if stamp != self._stamp:
                self._artifacts = list(reversed(catalog.everything(self.root)))
                self._stamp = stamp
                self._connections.clear()
                self._cache = {}
            return self._artifacts

    def label_addresses(self) -> list[str]:
        """Addresses of all pseudo-labels, the newest first, then of all selections."""
        addresses = self._addresses(PSEUDO_LABELS.name, PSEUDO_LABELS.version)
        selections = {a.address for a in self.artifacts() if catalog.selected(a)}
        return sorted(addresses, key=lambda address: address in selections)

    def image_addresses(self) -> list[str]:
        """Addresses of all sets of images, the newest first."""
        return self._addresses(IMAGES.name, IMAGES.version)

    def resolve(self, labels: str) -> str:
        """`labels` if it is a known address, else the newest pseudo-labels; empty without any."""
        known = self.label_addresses()
        return labels if labels in (*known, *self.image_addresses()) else next(iter(known), "")

    def shown_artifact(self, table: str, labels: str = "") -> Artifact | None:
        """The artifact of a table that the shown labels were made from, else the newest."""
        artifacts, address = self.artifacts(), self.resolve(labels)
        for artifact in artifacts:
            if artifact.address == address and (source := catalog.ancestor(artifact, (table,))):
                return source
        of_table = [artifact for artifact in artifacts if artifact.manifest.artifact == table]
        return min(of_table, key=lambda a: bool(catalog.selected(a)), default=None)

    def shows_same_images(self, table: str, labels: str = "") -> bool:
        """Whether the shown artifact of a table was made from the images that are shown.

        Other images may have the same ids. Pseudo-labels without their concept embeddings do not
        count: they have no names.
        """
        shown, images = self.shown_artifact(table, labels), self.shown_artifact(IMAGES.name, labels)
        source = catalog.ancestor(shown, (IMAGES.name,)) if shown else None
        if shown is None or source is None or images is None or source.path != images.path:
            return False
        has_names = catalog.ancestor(shown, ("concept_embeddings",)) is not None
        return has_names or shown.manifest.artifact != PSEUDO_LABELS.name

    def address_with_image(self, image_id: str, labels: str = "") -> str:
        """The address to show to see an image: `labels`, or else the images that contain it."""
        statement = "SELECT 1 AS one FROM images WHERE image_id = ? LIMIT 1"
        for address in (labels, *self.image_addresses()):
            if self.query(statement, [image_id], address):
                return address
        return labels

    def cached(self, key: Any, compute: Callable[[], Any]) -> Any:
        """A value that is computed once and stays valid until the store changes."""
        self.artifacts()
        cache = self._cache  # another thread that sees a change replaces it by an empty one
        if key not in cache:
            cache[key] = compute()
        return cache[key]

    def _addresses(self, table: str, version: int) -> list[str]:
        return [
            artifact.address
            for artifact in self.artifacts()
            if artifact.manifest.artifact == table and artifact.manifest.version == version
        ]

    def _connection(self, labels: str, cached_table: str = "") -> tuple[Any, threading.Lock]:
        """A connection, and the lock to hold while it is used."""
        address = self.resolve(labels)
        key = (address, cached_table)
        with self._lock:
            if key not in self._connections:
                prefer = [address] if address else []
                connection = sql.connect(self.root, prefer, memory_mb=_MEMORY_MB)
                self._connections[key] = (connection, threading.Lock())
            self._connections.move_to_end(key)
            while len(self._connections) > _MAX_CONNECTIONS:
                self._connections.popitem(last=False)
            return self._connections[key]


def _execute(
    connection: Any,
    lock: AbstractContextManager[Any],
    statement: str,
    values: Sequence[Any],
    seconds: float,
) -> list[Row]:
    try:
        with lock, sql.time_limit(connection, seconds):
            cursor = connection.execute(statement, list(values))
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    except QueryError:
        raise
    except Exception as error:  # an exception of DuckDB, which only pipeline.sql may import
        raise QueryError(str(error).splitlines()[0]) from error


def _stamp(root: Path) -> Stamp:
    """When the files of each artifact of a store were written: two system calls for each.

    Beside its manifest it has a record of how recent it is, which changes when the artifact is
    asked for again.
    """
    stamps = []
    for table in root.iterdir() if root.is_dir() else ():
        if table.is_dir() and not table.name.startswith("."):
            for folder in table.iterdir():
                written = _mtime(folder / manifest.NAME)
                if written:  # else unfinished, or not an artifact
                    stamps.append((str(folder), max(written, _mtime(folder / recency.NAME))))
    return tuple(sorted(stamps))


def _mtime(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
