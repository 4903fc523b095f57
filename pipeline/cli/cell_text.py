"""Values as text: for people, on one line and without control characters, or for CSV."""

from __future__ import annotations

import json
from typing import Any, Final

_MAX_CELL: Final = 2000  # characters of a cell


def cell_text(value: Any) -> str:
    """A value as text for people; control characters are replaced."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, list) and len(value) > 8:
        return f"[{', '.join(map(_nested_text, value[:8]))}, … {len(value)} in all]"
    if isinstance(value, list):
        return f"[{', '.join(map(_nested_text, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(map(_nested_text, value.items()))}}}"
    return "" if value is None else _one_line(str(csv_field(value)))


def _nested_text(value: Any) -> str:
    """A value within a list, struct or map; a pair is an entry of a struct or a map."""
    if type(value) is tuple:
        return ": ".join(map(_nested_text, value))
    return "null" if value is None else cell_text(value)


def _one_line(text: str) -> str:
    """A text as one line without control characters, cut if it is very long."""
    line = "".join(c if c.isprintable() else "�" for c in text[:_MAX_CELL])
    return line if len(text) <= _MAX_CELL else f"{line}… {len(text)} characters in all"


def csv_field(value: Any) -> Any:
    """A value for CSV: as in JSON, but strings without quotes, and nan and inf as they are."""
    if isinstance(value, float | str):
        return value
    from pipeline.sql.json_values import json_value  # brings duckdb, which a text does not need

    plain = json_value(value)
    nested = isinstance(plain, bool | list | dict)
    return json.dumps(plain, ensure_ascii=False, allow_nan=False) if nested else plain
