"""Metadata of the columns of a foreign Parquet, which can end the process that asks for them.

pyarrow (26) lets a C++ exception through in `RowGroupMetaData.column`, such as that of statistics
whose sizes contradict each other: then there is no error to catch, the process aborts. So a forked
child asks first. It does nothing else, so that it needs none of the threads that it does not have.
"""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import warnings
from typing import TYPE_CHECKING, Final

from schemas.errors import SourceError
from stages.sources.files import size_and_mtime

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_LONGEST_S: Final = 60  # of processor time; a million columns take a second
_checked: set[tuple[str, tuple[int, int]]] = set()


def check_columns(uri: str, metadata: pq.FileMetaData) -> None:
    """Pass if the metadata of every column can be asked for; a file is tried once.

    Raises:
        SourceError: If not.
    """
    version = uri, size_and_mtime(uri)
    if version in _checked:
        return
    if not _survives(metadata):
        raise SourceError(f"{uri} is damaged: what it says of its columns contradicts itself")
    _checked.add(version)


def _survives(metadata: pq.FileMetaData) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of the parent may hold locks
        child = os.fork()
    if not child:
        _ask(metadata)
    return os.waitpid(child, 0)[1] == 0


def _ask(metadata: pq.FileMetaData) -> None:
    """In the child: ask for all columns and end, without a word."""
    try:
        faulthandler.disable()
        signal.signal(signal.SIGABRT, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (_LONGEST_S, _LONGEST_S))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where C++ says why it ends
        for group in range(metadata.num_row_groups):
            columns = metadata.row_group(group)
            for number in range(columns.num_columns):
                _ = (column := columns.column(number)).encodings, column.path_in_schema
                _ = (statistics := column.statistics) and statistics.null_count
        os._exit(0)
    finally:
        os._exit(1)
