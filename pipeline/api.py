"""The store from Python: tables as data frames, SQL queries, and stages to run.

The command line uses the same functions, so an artifact made here is not computed again there.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import sql
from pipeline.store import catalog
from schemas.errors import OptionError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from os import PathLike

    import pyarrow as pa

    from pipeline.execution.engines import RayCluster
    from pipeline.execution.planning import Plan
    from pipeline.progress import Reporter
    from pipeline.store.artifact import Artifact
    from stages.base import Stage

_NAME = re.compile(r"\w+(@[\w-]+)?")


class Store:
    """A folder of artifacts.

    Args:
        root: The folder.
    """

    def __init__(self, root: str | PathLike[str]) -> None:
        self.root = Path(root)

    def __repr__(self) -> str:
        return f"pipeline.open({str(self.root)!r})"

    def artifacts(self) -> list[Artifact]:
        """Every committed artifact, oldest first."""
        return catalog.everything(self.root)

    def artifact(self, name: str) -> Artifact:
        """The newest artifact of a table, or the one that `table@prefix` names.

        Raises:
            ArtifactNotFoundError: If there is no such artifact.
        """
        return catalog.find(self.root, name)

    def table(self, name: str, use: Sequence[str] = ()) -> QueryResult:
        """All rows of a view: images, captions, objects, pseudo_labels, pseudo_labels@3f9c, ...

        Nothing is read until the rows are used.

        Args:
            name: A view; `rc sql` lists them with `.tables`.
            use: Artifacts to use instead of the newest, with all their inputs.

        Raises:
            OptionError: If `name` is not a name.
        """
        if not _NAME.fullmatch(name):
            raise OptionError(
                f"'{name}' is not a table name: write pseudo_labels or pseudo_labels@3f9c"
            )
        return self.sql(f'FROM "{name}"', use)

    def sql(self, statement: str, use: Sequence[str] = ()) -> QueryResult:
        """The result of one SELECT over the views, as in `rc sql`; read when it is used."""
        return QueryResult(self.root, statement, tuple(use))

    def run(
        self,
        verb: str,
        inputs: Mapping[str, str | Artifact] | None = None,
        *,
        workers: int = 1,
        cluster: RayCluster | None = None,
        allow_empty: bool = False,
        reporter: Reporter | None = None,
        **options: Any,
    ) -> Artifact:
        """Run a stage as `rc VERB` does; a finished artifact is returned at once.

        Args:
            verb: "label", "train-rpn", ...
            inputs: Artifacts by role, instead of the newest that fit together.
            workers: Number of processes; each works on one part.
            cluster: Where Ray runs them; default: on this machine, without Ray.
            allow_empty: Accept inputs without rows, and an empty result.
            reporter: Receives the progress.
            **options: Fields of the stage; a list is taken as a tuple.

        Raises:
            OptionError: If there is no such verb or option, or a value is out of range.
            RCError: If the stage fails.
        """
        from pipeline.verbs import VERBS
        from stages.option import with_presets

        if verb not in VERBS:
            raise OptionError(f"there is no stage '{verb}': there are {', '.join(VERBS)}")
        cls = VERBS[verb].load()
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(options) - known):
            raise OptionError(
                f"rc {verb} has no option {', '.join(unknown)}; it has {', '.join(sorted(known))}"
            )
        values = {name: tuple(v) if isinstance(v, list) else v for name, v in options.items()}
        stage = cls(**with_presets(cls, values))
        pinned = {role: _address(value) for role, value in (inputs or {}).items()}
        if unknown := sorted(set(pinned) - set(cls.reads)):
            roles = ", ".join(cls.reads) or "nothing"
            raise OptionError(f"rc {verb} reads {roles}, not {', '.join(unknown)}")
        how = {"workers": workers, "cluster": cluster, "reporter": reporter}
        return _made(stage, pinned, self.root, allow_empty=allow_empty, **how)


class QueryResult:
    """The rows of a query; each method runs the query again.

    `to_arrow`, `to_pandas` and `to_polars` keep all rows in memory; `batches` does not.
    """

    def __init__(self, root: Path, statement: str, use: tuple[str, ...]) -> None:
        self._root, self._statement, self._use = root, statement, use

    def __repr__(self) -> str:
        return f"<result of {self._statement!r}>"

    def __len__(self) -> int:
        with self._connection() as connection:
            count = sql.query(connection, f"SELECT count(*) FROM (\n{self._statement}\n)")
            return int(sql.batches(count).read_all().column(0)[0].as_py())

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Rows as Arrow record batches, a few at a time.

        Raises:
            QueryError: If the statement does more than read, or fails.
        """
        with self._connection() as connection:
            yield from sql.batches(sql.query(connection, self._statement))

    def to_arrow(self) -> pa.Table:
        """All rows as an Arrow table; vectors are lists of fixed size."""
        with self._connection() as connection:
            return sql.batches(sql.query(connection, self._statement)).read_all()

    def to_pandas(self) -> Any:
        """All rows as a pandas DataFrame.

        Raises:
            SourceError: If pandas is not installed.
        """
        try:
            import pandas  # noqa: F401  # the error of pyarrow is less clear
        except ImportError:
            raise SourceError("pandas is not installed: pip install pandas") from None
        return self.to_arrow().to_pandas()

    def to_polars(self) -> Any:
        """All rows as a polars DataFrame.

        Raises:
            SourceError: If polars is not installed.
        """
        try:
            import polars
        except ImportError:
            raise SourceError("polars is not installed: pip install polars") from None
        return polars.from_arrow(self.to_arrow())

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        pins = sql.pins_in(self._statement)
        subjects = sql.subject_tables(self._statement)
        only = sql.views_read(self._statement)
        with sql.connect(self._root, self._use, pins, subjects, only=only) as connection:
            yield connection


def _made(
    stage: Stage, pinned: Mapping[str, str], root: Path, *, allow_empty: bool, **how: Any
) -> Artifact:
    """The artifact of a stage, made here or, if this is one of several ranks, by the first."""
    from pipeline.execution import runner
    from pipeline.execution.inputs import resolve
    from pipeline.execution.planning import plan
    from pipeline.execution.rank_session import together

    def planned(stage: Stage) -> Plan:
        return plan(stage, resolve(stage, pinned, root), root, allow_empty=allow_empty)

    def made(stage: Stage) -> Artifact:
        chosen = resolve(stage, pinned, root)
        return runner.materialize(stage, chosen, root, allow_empty=allow_empty, **how)

    return together(stage, planned, made)


def _address(value: str | Artifact) -> str:
    return value if isinstance(value, str) else value.address
