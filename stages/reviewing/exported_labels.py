"""Labels as they were exported for people to mend: pseudo_labels.parquet beside what they mend.

It says which region of which image each label is, under the names that the other program got. When
it is read it comes from a folder that anybody may have changed, so it is checked like other files.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import SourceError
from stages.reviewing.exported_rows import SCHEMA, ExportedRows
from stages.sources.files import foreign
from stages.sources.parquet_rows import open_parquet, rows_at_once

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import BinaryIO

    from stages.reviewing.exported_rows import ExportedLabels

FILE_NAME: Final = "pseudo_labels.parquet"
_ADDRESS: Final = re.compile(r"pseudo_labels/v\d{1,9}-[0-9a-f]{6,64}")
_BUFFER_ROWS: Final = 50_000  # rows in memory before they are written
_MOST_ROWS: Final = 50_000_000  # 2 GB in memory; nobody mends as many
_ADVICE: Final = "name the folder that rc export label-studio, cvat or coco wrote, as it wrote it"


class ExportedLabelsWriter:
    """Writes the file, image by image; whole if its block ends well.

    Args:
        folder: That the export is written to.
        address: Of the pseudo-labels.
        names: That the other program offers to people, as it has them.
    """

    def __init__(self, folder: Path, address: str, names: Sequence[str]) -> None:
        told = {"pseudo_labels": address, "names": json.dumps(list(names), ensure_ascii=False)}
        self._writer = pq.ParquetWriter(
            folder / FILE_NAME,
            SCHEMA.with_metadata(told),
            compression="zstd",
            write_page_checksum=True,
        )
        self._columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}

    def __enter__(self) -> ExportedLabelsWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._flush()
            self._writer.close()
            return
        with suppress(OSError):  # as the error that is under way
            self._writer.close()
        self._writer.is_open = False  # else its end tries again, and prints what it meets

    def add(self, image: Mapping[str, Any], labels: Sequence[Mapping[str, Any]]) -> None:
        """Append the labels of an image.

        Args:
            image: image_id, number, file, width and height.
            labels: Region, concept_id, concept and sides of each; more is left out.
        """
        for name, column in self._columns.items():
            if name in image:
                column += [image[name]] * len(labels)
            else:
                column += [label[name] for label in labels]
        if len(self._columns["region"]) >= _BUFFER_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._columns["region"]:
            arrays = [pa.array(self._columns[field.name], field.type) for field in SCHEMA]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
            self._columns = {name: [] for name in SCHEMA.names}


def address_in(folder: Path) -> str:
    """The address of the pseudo-labels that an export was made of.

    Raises:
        SourceError: If the folder has no such file, or it does not say it.
    """
    with _opened(folder) as file:
        return _told(folder, open_parquet(str(folder / FILE_NAME), file))[0]


def read_exported_labels(folder: Path) -> ExportedLabels:
    """The labels of an export.

    Raises:
        SourceError: If there is no such file, or it is not what `ExportedLabelsWriter` writes.
    """
    path = folder / FILE_NAME
    with _opened(folder) as file, foreign(f"{path} as exported labels", _ADVICE):
        table = open_parquet(str(path), file)
        address, offered = _told(folder, table)
        if table.metadata.num_rows > _MOST_ROWS:
            raise SourceError(
                f"{path} has {table.metadata.num_rows:,} labels, and at most {_MOST_ROWS:,} are "
                f"compared at once; export fewer, with --where"
            )
        gathered = ExportedRows()
        for batch in _batches(file, table):
            gathered.add(batch)
        if fault := gathered.fault():
            raise SourceError(f"{path} is not as it was written: {fault}; {_ADVICE}")
        return gathered.labels(address, offered)


def _opened(folder: Path) -> BinaryIO:
    path = folder / FILE_NAME
    try:
        return path.open("rb")
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise SourceError(f"{path} cannot be read ({why}); {_ADVICE}") from error


def _told(folder: Path, table: pq.ParquetFile) -> tuple[str, frozenset[str]]:
    """Address and names in the metadata of the file."""
    path = folder / FILE_NAME
    with foreign(f"{path} as exported labels", _ADVICE):
        schema = table.schema_arrow
        told = schema.metadata or {}
        address, names = (told.get(key, b"").decode() for key in (b"pseudo_labels", b"names"))
        if not schema.equals(SCHEMA) or not _ADDRESS.fullmatch(address):
            raise SourceError(
                f"{path} has other columns than an export, or does not say of which "
                f"pseudo-labels it is; {_ADVICE}"
            )
        offered = json.loads(names)
        if not isinstance(offered, list) or not all(isinstance(name, str) for name in offered):
            raise SourceError(f"{path} does not say which names were offered; {_ADVICE}")
    return address, frozenset(offered)


def _batches(file: BinaryIO, table: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    for group in range(table.metadata.num_row_groups):
        rows = rows_at_once(file, table.metadata, group, SCHEMA.names, _BUFFER_ROWS)
        for batch in table.iter_batches(rows, row_groups=[group]):
            batch.validate(full=True)
            yield batch
