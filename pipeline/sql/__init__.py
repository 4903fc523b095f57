"""SQL over the store: DuckDB views of the artifacts, locked to reading.

`connect` opens the views, `query` checks a statement, `batches` reads its result; `matching`
filters one part by a predicate; `write_database` writes the views for other clients.
"""

from pipeline.sql.connection import connect, open_locked
from pipeline.sql.database import write_database
from pipeline.sql.limits import condition_limits, memory_limit, time_limit, timeout_message
from pipeline.sql.predicate import (
    any_match,
    check_columns,
    check_predicate,
    matching,
    means_kept,
)
from pipeline.sql.relations import Relations, relations_behind
from pipeline.sql.spill import remove_spill_folders
from pipeline.sql.statements import (
    batches,
    chosen,
    create_table,
    pins_in,
    query,
    subject_tables,
    views_read,
)

__all__ = [
    "Relations",
    "any_match",
    "batches",
    "check_columns",
    "check_predicate",
    "chosen",
    "condition_limits",
    "connect",
    "create_table",
    "matching",
    "means_kept",
    "memory_limit",
    "open_locked",
    "pins_in",
    "query",
    "relations_behind",
    "remove_spill_folders",
    "subject_tables",
    "time_limit",
    "timeout_message",
    "views_read",
    "write_database",
]
