"""Matches on disk: the outcome of every ranked detection.

Two Parquet files beside the metrics. `matches`: image_id, category_id, score, and `hit` and
`ignored`, a bit for each IoU threshold. `ground_truth`: image_id and category_id of each object
that counts; an image without such objects has one row without a category.

Shapes: M detections, N objects, T IoU thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.evaluation.matching import THRESHOLDS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.evaluation.matching import ObjectMatches

_BITS = 1 << np.arange(len(THRESHOLDS), dtype=np.int16)  # (T,)


@dataclass(frozen=True)
class StoredMatches:
    """Detections of all images and their outcomes; those of a category by falling score.

    Attributes:
        images: Image ids, sorted; `image` and `object_image` are indices into it.
        image: (M,) of each detection.
        category: (M,) rising.
        hit: (T, M) matched an object.
        ignored: (T, M) neither right nor wrong.
        object_image: (N,) of each object that counts.
        object_category: (N,).
    """

    images: tuple[str, ...]
    image: NDArray[np.int64]
    category: NDArray[np.int64]
    hit: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    object_image: NDArray[np.int64]
    object_category: NDArray[np.int64]


def write_matches(
    matches_path: Path, ground_truth_path: Path, matches: ObjectMatches, image_ids: Sequence[str]
) -> None:
    """Write both files, with objects and detections of all sizes."""
    ids = pa.array(image_ids, pa.string())
    order, _ = matches.ranked()
    detections = {
        "image_id": ids.take(pa.array(matches.image[order])).dictionary_encode(),
        "category_id": pa.array(matches.category[order], pa.int32()),
        "score": pa.array(matches.score[order], pa.float32()),
        "hit": pa.array(_packed(matches.hit[:, 0, order])),
        "ignored": pa.array(_packed(matches.ignored[:, 0, order])),
    }
    counted = matches.counted[0]
    image, category = matches.object_image[counted], matches.object_category[counted]
    bare = np.setdiff1d(np.arange(len(image_ids)), image)
    objects = {
        "image_id": ids.take(pa.array(np.concatenate([image, bare]))),
        "category_id": pa.array([*category.tolist(), *[None] * len(bare)], pa.int32()),
    }
    for path, rows in ((matches_path, detections), (ground_truth_path, objects)):
        pq.write_table(pa.table(rows), path, compression="zstd", write_page_checksum=True)


def read_matches(matches_path: Path, ground_truth_path: Path) -> StoredMatches:
    """Read what `write_matches` wrote."""
    rows, objects = (
        pq.read_table(path, page_checksum_verification=True)
        for path in (matches_path, ground_truth_path)
    )
    image_ids = pa.compute.unique(objects["image_id"]).sort()
    counted = objects.filter(pa.compute.is_valid(objects["category_id"]))
    return StoredMatches(
        images=tuple(image_ids.to_pylist()),
        image=_indices(rows["image_id"].cast(pa.string()), image_ids),
        category=rows["category_id"].to_numpy().astype(np.int64),
        hit=_unpacked(rows["hit"].to_numpy()),
        ignored=_unpacked(rows["ignored"].to_numpy()),
        object_image=_indices(counted["image_id"], image_ids),
        object_category=counted["category_id"].to_numpy().astype(np.int64),
    )


def _packed(bits: NDArray[np.bool_]) -> NDArray[np.int16]:
    return np.asarray((bits * _BITS[:, None]).sum(axis=0), np.int16)


def _unpacked(numbers: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray((numbers[None] & _BITS[:, None]) > 0)


def _indices(values: pa.ChunkedArray, known: pa.Array) -> NDArray[np.int64]:
    return np.asarray(pa.compute.index_in(values, value_set=known).to_numpy(), np.int64)
