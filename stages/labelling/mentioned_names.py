"""Mentioned names: what the captions of each image mention, in the pool or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa


def mentioned_names(batches: Iterable[pa.RecordBatch]) -> dict[str, set[str]]:
    """Names that captions mention, by image; from rows with image_id and concept."""
    mentioned: dict[str, set[str]] = {}
    for batch in batches:
        columns = (batch.column(name).to_pylist() for name in ("image_id", "concept"))
        for image, concept in zip(*columns, strict=True):
            mentioned.setdefault(image, set()).add(concept)
    return mentioned
