"""The store from Python: its tables as data frames, questions in SQL, stages to run.

Everything the command line does goes through the same functions, so an artifact made here is a
cache hit there.
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

    from pipeline.progress import Reporter
    from pipeline.store.artifact import Artifact

_NAME = re.compile(r"\w+(@[\w-]+)?")


class Store:
    """A folder of artifacts.

    Args:
        root: Where they lie.
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
            ArtifactNotFoundError: If there is none.
        """
        return catalog.find(self.root, name)

    def table(self, name: str, use: Sequence[str] = ()) -> Rows:
        """All rows of a view: images, captions, objects, pseudo_labels, pseudo_labels@3f9c, ...

        Nothing is read before the rows are asked for.

        Args:
            name: A view; `rc sql` lists them with `.tables`.
            use: Artifacts to prefer to the newest, with all they were made from.

        Raises:
            OptionError: If it is not a name.
        """
        if not _NAME.fullmatch(name):
            raise OptionError(f"'{name}' is no table: write pseudo_labels or pseudo_labels@3f9c")
        return self.sql(f'FROM "{name}"', use)

    def sql(self, statement: str, use: Sequence[str] = ()) -> Rows:
        """The answer to one SELECT over the views, as `rc sql` gives it; read when asked for."""
        return Rows(self.root, statement, tuple(use))

    def run(
        self,
        verb: str,
        inputs: Mapping[str, str | Artifact] | None = None,
        *,
        workers: int = 1,
        reporter: Reporter | None = None,
        **options: Any,
    ) -> Artifact:
        """Run a stage, or find its work done: what `rc VERB` does.

        Args:
            verb: "label", "train-rpn", ...
            inputs: Artifacts by role, to use rather than the newest that fit together.
            workers: Processes, a part each.
            reporter: Told of progress.
            **options: Fields of the stage; a list stands for a tuple.

        Raises:
            OptionError: If there is no such verb or option, or a value is out of range.
            RCError: Whatever the stage refuses, with a sentence.
        """
        from pipeline.execution import runner
        from pipeline.execution.inputs import resolve
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
        given = {name: tuple(v) if isinstance(v, list) else v for name, v in options.items()}
        stage = cls(**with_presets(cls, given))
        pinned = {role: _address(value) for role, value in (inputs or {}).items()}
        if strangers := sorted(set(pinned) - set(cls.reads)):
            roles = ", ".join(cls.reads) or "nothing"
            raise OptionError(f"rc {verb} reads {roles}, not {', '.join(strangers)}")
        chosen = resolve(stage, pinned, self.root)
        return runner.materialize(stage, chosen, self.root, workers=workers, reporter=reporter)


class Rows:
    """Rows that are read when they are asked for, each time anew.

    `to_arrow`, `to_pandas` and `to_polars` hold all of them in memory; `batches` does not.
    """

    def __init__(self, root: Path, statement: str, use: tuple[str, ...]) -> None:
        self._root, self._statement, self._use = root, statement, use

    def __repr__(self) -> str:
        return f"<rows of {self._statement!r}>"

    def __len__(self) -> int:
        with self._connection() as connection:
            counted = sql.query(connection, f"SELECT count(*) FROM (\n{self._statement}\n)")
            return int(sql.batches(counted).read_all().column(0)[0].as_py())

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Rows as Arrow record batches, a few at a time.

        Raises:
            QueryError: If the statement does anything but read, or fails.
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
            import pandas  # noqa: F401  # pyarrow would say less
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
        leads = sql.leads_of(self._statement)
        with sql.connect(self._root, self._use, pins, leads) as connection:
            yield connection


def _address(value: str | Artifact) -> str:
    return value if isinstance(value, str) else value.address
