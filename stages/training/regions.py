"""Regions of an image: all its proposals, and the pseudo-labels of some of them.

Shapes: P proposals of an image, L pseudo-labels of an image, K kept concepts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pyarrow as pa

from schemas.errors import ArtifactError
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.training.dataset import rows_by_key

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.base import Part


_ROUNDING: Final = 1e-3  # far above that of sums of float32
_SIDES: Final = ("x0", "y0", "x1", "y1")
_NEEDED: Final = [
    *("image_id", "region", "concept_id", "kept", "top_ids", "top_probabilities", "residual"),
    *_SIDES,
]


@dataclass(frozen=True, slots=True)
class Regions:
    """Proposals of an image, and the pseudo-labels of some of them.

    Attributes:
        boxes: (P, 4) float32, pixels of the original image.
        labelled: (L,) which proposal each pseudo-label is about.
        labelled_boxes: (L, 4) float32, of the pseudo-labels: those of the proposals, unless a
            person moved one.
        concept_ids: (L,) int64.
        top_ids: (L, K) int32.
        top_probabilities: (L, K) float32.
        residual: (L,) float32, probability of all other concepts.
        kept: (L,) which take part if any of a batch does.
    """

    boxes: NDArray[np.float32]
    labelled: NDArray[np.int64]
    labelled_boxes: NDArray[np.float32]
    concept_ids: NDArray[np.int64]
    top_ids: NDArray[np.int32]
    top_probabilities: NDArray[np.float32]
    residual: NDArray[np.float32]
    kept: NDArray[np.bool_]

    def sampled(
        self, count: int, among: Literal["proposals", "labelled"], rng: np.random.Generator
    ) -> Regions:
        """At most `count` random regions with a pseudo-label, each with its own box (P = L).

        Args:
            count: Regions to sample, without replacement.
            among: "proposals" samples from all and keeps those with a pseudo-label, as the
                reference does; "labelled" samples from the latter, and of these from the kept
                if there are any, so that more take part.
            rng: Decides which.
        """
        if among == "labelled":
            some = self._preferred()
            picked = np.sort(some[rng.permutation(len(some))[:count]])
        else:
            chosen = rng.permutation(len(self.boxes))[:count]
            picked = np.flatnonzero(np.isin(self.labelled, chosen))
        return self._own(picked)

    def certain(self) -> Regions:
        """Those that are kept, each with its own box."""
        return self._own(np.flatnonzero(self.kept))

    def _own(self, picked: NDArray[np.int64]) -> Regions:
        """Some pseudo-labels (P = L), by their rows."""
        return Regions(
            self.labelled_boxes[picked],
            np.arange(len(picked)),
            self.labelled_boxes[picked],
            self.concept_ids[picked],
            self.top_ids[picked],
            self.top_probabilities[picked],
            self.residual[picked],
            self.kept[picked],
        )

    def _preferred(self) -> NDArray[np.int64]:
        if not self.kept.any():
            return np.arange(len(self.labelled))
        return np.flatnonzero(self.kept)


def no_regions() -> Regions:
    """Of an image without proposals, or where no loss needs regions."""
    nothing = np.zeros(0, dtype=np.int64)
    return Regions(
        boxes=np.zeros((0, 4), np.float32),
        labelled=nothing,
        labelled_boxes=np.zeros((0, 4), np.float32),
        concept_ids=nothing,
        top_ids=np.zeros((0, 1), np.int32),
        top_probabilities=np.zeros((0, 1), np.float32),
        residual=np.zeros(0, np.float32),
        kept=np.zeros(0, np.bool_),
    )


class PartRegions:
    """Proposals and pseudo-labels of a part as arrays, with the rows of each image."""

    def __init__(self, part: Part, num_concepts: int) -> None:
        """Read `proposals` and `pseudo_labels` of a part.

        Args:
            part: The part.
            num_concepts: How many are embedded.

        Raises:
            ArtifactError: If a pseudo-label names a concept beyond the first `num_concepts`.
        """
        proposals, labels = part.table("proposals"), _pseudo_labels(part)
        self.proposals = rows_by_key(proposals["image_id"])
        self.boxes = boxes_of(proposals)
        self.proposal_regions = proposals["region"].to_numpy()
        self.rows = rows_by_key(labels["image_id"])
        self.regions = labels["region"].to_numpy()
        self.labelled_boxes = boxes_of(labels)
        self.concept_ids = labels["concept_id"].to_numpy().astype(np.int64)
        self.top_ids = _matrix(labels["top_ids"])
        self.top_probabilities = _matrix(labels["top_probabilities"])
        self.residual = labels["residual"].to_numpy()
        self.kept = labels["kept"].to_numpy()
        if self.top_ids.size and self.top_ids.max() >= num_concepts:
            raise ArtifactError(
                f"pseudo-labels name concept {self.top_ids.max()}, but only {num_concepts} "
                f"concepts are embedded: name the embeddings the pseudo-labels were made with"
            )

    @property
    def exclusive(self) -> bool:
        """Whether probabilities and residual of each row sum to 1: its concepts exclude each other.

        Independent probabilities (`rc label --probability sigmoid`) do not.
        """
        total = self.top_probabilities.sum(axis=1) + self.residual
        return bool(np.all(np.abs(total - 1) < _ROUNDING))

    def of(self, image_id: str) -> Regions:
        """The regions of an image; no pseudo-labels (L = 0) if it has none.

        Raises:
            ArtifactError: If a pseudo-label is about a region that was not proposed.
        """
        nothing = np.zeros(0, dtype=np.int64)
        proposed = self.proposals.get(image_id, nothing)
        rows = self.rows.get(image_id, nothing)
        return Regions(
            self.boxes[proposed],
            proposed_positions(
                image_id, self.regions[rows], self.proposal_regions[proposed], "pseudo-label"
            ),
            self.labelled_boxes[rows],
            self.concept_ids[rows],
            self.top_ids[rows],
            self.top_probabilities[rows],
            self.residual[rows],
            self.kept[rows],
        )


def require_probability(part: Part, probability: str) -> None:
    """Pass if pseudo-labels were made with this `--probability`, as far as their manifest says.

    Raises:
        ArtifactError: If they were made with the other one.
    """
    made = (part.noted("pseudo_labels", "similarity") or {}).get("probability", probability)
    if made != probability:
        raise ArtifactError(
            f"these pseudo-labels were made with --probability {made}, and are to be distilled "
            f"with --probability {probability}; give --probability {made} here too, or "
            f"--distillation-weight 0"
        )


def boxes_of(rows: pa.Table) -> NDArray[np.float32]:
    """The boxes (P, 4) of rows of proposals or pseudo-labels."""
    return np.stack([rows[side].to_numpy() for side in _SIDES], axis=1)


def proposed_positions(
    image_id: str, wanted: NDArray[Any], proposed: NDArray[Any], what: str
) -> NDArray[np.int64]:
    """The index in `proposed` of each `wanted` region of an image, which has a `what`.

    Raises:
        ArtifactError: If a region was not proposed.
    """
    positions = positions_of(wanted, proposed)
    if (positions < 0).any():
        raise ArtifactError(
            f"region {wanted[positions < 0][0]} of image {image_id} has a {what} but no proposal: "
            f"the {what}s were made from other proposals; name those"
        )
    return positions


def positions_of(wanted: NDArray[Any], regions: NDArray[Any]) -> NDArray[np.int64]:
    """The index in `regions`, which are distinct, of each `wanted` number; -1 if it is missing."""
    order = np.argsort(regions, kind="stable")
    places = np.searchsorted(regions[order], wanted)
    matched = places < len(regions)
    matched[matched] = regions[order][places[matched]] == wanted[matched]
    positions = np.full(len(wanted), -1, dtype=np.int64)
    positions[matched] = order[places[matched]]
    return positions


def _pseudo_labels(part: Part) -> pa.Table:
    batches = [batch.select(_NEEDED) for batch in part.batches("pseudo_labels")]
    return pa.Table.from_batches(batches or [PSEUDO_LABELS.empty().select(_NEEDED)])


def _matrix(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column of R lists of one length as (R, K)."""
    array = column.combine_chunks()
    values = array.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(array), -1) if len(array) else np.zeros((0, 1), values.dtype)
