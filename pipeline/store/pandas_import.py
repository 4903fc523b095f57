"""Arrow without pandas: half a second and 50 MB of each process that needs none of it."""

from __future__ import annotations

import sys
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class _NoPandas(MetaPathFinder):
    """Says that pandas is not installed."""

    def find_spec(
        self, name: str, _path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == "pandas":
            raise ImportError(name)
        return None


def leave_pandas_out() -> None:
    """Keep pyarrow from importing pandas where it is given its first list.

    It asks once whether the list is a column of pandas, and keeps the answer. So this is for
    processes of our own, such as a command or a worker, that have no such columns; not for those
    of others, who may. `to_pandas` works all the same.
    """
    if "pandas" in sys.modules:
        return
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(finder)
