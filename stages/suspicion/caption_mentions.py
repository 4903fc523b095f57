"""What captions mention, by image: concepts of the pool, and near-synonyms of them.

Shapes: R labels, C concepts, D embedding width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stages.labelling.near_synonyms import NEAR

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

FIRST: Final = 5  # of a region's most probable concepts, that make it a candidate


class CaptionMentions:
    """Ids of the concepts that the captions of each image mention.

    Args:
        batches: Rows with image_id and concept.
        index: Id of each concept of the pool, by name; others are left out.
        images: Images to remember; None for all.
    """

    def __init__(
        self,
        batches: Iterable[pa.RecordBatch],
        index: dict[str, int],
        images: Collection[str] | None = None,
    ) -> None:
        found: dict[str, set[int]] = {}
        for rows in batches:
            names = (rows.column(name).to_pylist() for name in ("image_id", "concept"))
            for image, concept in zip(*names, strict=True):
                if concept in index and (images is None or image in images):
                    found.setdefault(image, set()).add(index[concept])
        self._ids = {image: np.array(sorted(ids), np.int64) for image, ids in found.items()}

    def shares(self, images: Collection[str], concepts: int) -> NDArray[np.float64]:
        """Share of some images whose captions mention each of C concepts, (C,)."""
        ids = np.concatenate([np.zeros(0, np.int64), *map(self.of, images)])
        return np.bincount(ids, minlength=concepts) / max(len(images), 1)

    def of(self, image: str) -> NDArray[np.int64]:
        """Ids that captions of an image mention, rising; empty if none is known."""
        return self._ids.get(image, np.zeros(0, np.int64))


def mention(
    concepts: NDArray[np.int64], mentioned: NDArray[np.int64], vectors: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Whether captions of an image mention each of R labels: 1, 0, 0.5 for a near-synonym; or NaN.

    Args:
        concepts: (R,) ids.
        mentioned: Ids that captions of the image mention; without one, nothing is known.
        vectors: (C, D) centred embeddings, by id.
    """
    if not len(mentioned):
        return np.full(len(concepts), np.nan)
    cosines = np.einsum("rd,md->rm", vectors[concepts], vectors[mentioned])  # on one core
    near = cosines.max(axis=1) >= NEAR
    return np.where(np.isin(concepts, mentioned), 1.0, np.where(near, 0.5, 0.0))


def wrong_by_mention(
    mention: NDArray[np.float64], expected: NDArray[np.float64], base: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Probability that labels (R,) are wrong, by `mention`, were half of all wrong; NaN if unknown.

    By Bayes' rule: captions mention a right concept as often as `expected`, a wrong one as often as
    any, `base`. So silence says little of a concept about which captions are mostly silent. In
    between for near-synonyms.

    Args:
        mention: (R,) 1, 0, 0.5 or NaN.
        expected: (R,) share of surest labels of the concept that a caption mentions, in [0, 1].
        base: (R,) share of images whose captions mention it, in [0, 1].
    """
    right = np.maximum(expected, base)  # else captions would speak against what they mention
    with np.errstate(invalid="ignore"):
        if_mentioned = base / (base + right)
        if_silent = (1 - base) / ((1 - base) + (1 - right))
    if_mentioned, if_silent = (np.nan_to_num(p, nan=0.5) for p in (if_mentioned, if_silent))
    found = mention * if_mentioned + (1 - mention) * if_silent
    return np.where(np.isnan(expected), np.nan, found)


def unmet(
    ranked: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    kept: NDArray[np.bool_],
    mentioned: NDArray[np.int64],
) -> tuple[NDArray[np.int64], int]:
    """For regions (R,) of one image, the mentioned concept without a region they are best for.

    Args:
        ranked: (R, F) most probable concepts, best first; -1 where there are fewer.
        probabilities: (R, F) of these.
        kept: (R,); of others one may be the candidate for a concept, if it is among its F.
        mentioned: Ids that captions of the image mention.

    Returns:
        Ids (R,), -1 for regions that are no candidate; how many mentioned concepts have no kept
        region. A region that is best for several is the candidate for the most probable.
    """
    missing = np.setdiff1d(mentioned, ranked[kept, 0])
    ids = np.full(len(ranked), -1)
    best = np.zeros(len(ranked))
    for concept in missing.tolist():
        chances = np.where((ranked == concept) & ~kept[:, None], probabilities, 0.0).max(axis=1)
        row = int(chances.argmax()) if len(chances) else 0
        if len(chances) and chances[row] > best[row]:
            ids[row], best[row] = concept, chances[row]
    return ids, len(missing)


def instead(
    ranked: NDArray[np.int64], concepts: NDArray[np.int64], mentioned: NDArray[np.int64]
) -> list[int | None]:
    """For labels (R,) of one image the most probable other concept, a mentioned one if there is.

    Args:
        ranked: (R, F) most probable concepts, best first; -1 where there are fewer.
        concepts: (R,) ids of the labels.
        mentioned: Ids that captions of the image mention.
    """
    others = (ranked >= 0) & (ranked != concepts[:, None])
    preferred = others & np.isin(ranked, mentioned)
    each = zip(ranked, preferred, others, strict=True)
    return [_first(row, first, other) for row, first, other in each]


def _first(row: NDArray[np.int64], *masks: NDArray[np.bool_]) -> int | None:
    for mask in masks:
        if mask.any():
            return int(row[mask.argmax()])
    return None


def ranked_lists(rows: pa.Table, column: str, count: int, fill: float) -> NDArray[Any]:
    """The first entries (R, count) of a column of lists; `fill` where a list is shorter."""
    lists = rows.column(column).combine_chunks()
    lists = lists.combine_chunks() if hasattr(lists, "chunks") else lists
    offsets = lists.offsets.to_numpy().astype(np.int64)
    values = lists.values.to_numpy(zero_copy_only=False)
    places = offsets[:-1, None] + np.arange(count)
    there = places < offsets[1:, None]
    if not len(values):
        return np.full(places.shape, fill)
    return np.where(there, values[np.minimum(places, len(values) - 1)], fill)


def ids_by_name(names: Sequence[str], ids: NDArray[np.int32]) -> dict[str, int]:
    """Id of each concept by its name."""
    return dict(zip(names, ids.tolist(), strict=True))
