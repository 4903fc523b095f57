"""Where artifacts live, who runs the work, what the user types.

From Python, `open` is the way in; see `pipeline.api.Store`:

    import pipeline

    store = pipeline.open("data/store")
    store.table("pseudo_labels").to_pandas()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from os import PathLike

    from pipeline.api import Store


def open(root: str | PathLike[str]) -> Store:
    """The store in a folder; one that does not exist yet is made by the first stage run in it."""
    from pipeline.api import Store  # the command line, which imports this package too, is quick

    return Store(root)
