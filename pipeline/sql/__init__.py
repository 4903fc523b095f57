"""SQL over the store: DuckDB views of the artifacts, locked to reading.

`connect` opens the views, `query` checks a statement, `batches` reads its answer; `matching`
filters one part by a predicate; `write_database` hands the views on to other clients.
"""

from pipeline.sql.connection import connect, open_locked
from pipeline.sql.database import write_database
from pipeline.sql.limits import holding, too_late, within
from pipeline.sql.predicate import (
    check_columns,
    check_predicate,
    check_some_match,
    matching,
    means_kept,
)
from pipeline.sql.relations import Relations
from pipeline.sql.spill import forget_spilled
from pipeline.sql.statements import batches, keep, leads_of, pins_in, query

__all__ = [
    "Relations",
    "batches",
    "check_columns",
    "check_predicate",
    "check_some_match",
    "connect",
    "forget_spilled",
    "holding",
    "keep",
    "leads_of",
    "matching",
    "means_kept",
    "open_locked",
    "pins_in",
    "query",
    "too_late",
    "within",
    "write_database",
]
