"""Reference regions: a sample of kept labels with their features, that regions are compared with.

Every region is compared with every reference, block by block, so its neighbours are exact and do
not depend on how an index was built.

Shapes: N references, R regions, D width, K neighbours, C concepts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from stages.labelling.concept_ranking import top_concepts
from stages.labelling.sampled_features import check_widths, sampled_features

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from stages.suspicion.caption_mentions import CaptionMentions

_LEAST: Final = 0.02  # more mentions where a concept is than elsewhere, to say anything
_BLOCK: Final = {"cpu": 256, "cuda": 4096}  # regions compared at a time


@dataclass(frozen=True)
class Neighbours:
    """The references most similar to each region.

    Attributes:
        rows: (R, K) of references, most similar first.
        valid: (R, K) false where there are fewer than K, of other images.
    """

    rows: NDArray[np.int64]
    valid: NDArray[np.bool_]


class ReferenceRegions:
    """References with their features.

    Args:
        sample: (N,) rows with image_id, region and concept_id.
        features: All features, in batches with image_id, region and feature.
        device: What compares them.

    Raises:
        ArtifactError: If a reference has no feature.
    """

    def __init__(
        self, sample: pa.Table, features: Iterable[pa.RecordBatch], device: torch.device
    ) -> None:
        images = sample.column("image_id").combine_chunks()
        self._images = pc.unique(images)
        self.image_names: list[str] = self._images.to_pylist()
        self._codes = self.codes(sample)
        self._concepts = sample.column("concept_id").to_numpy().astype(np.int64)
        vectors = sampled_features(sample, features)
        self._vectors = unit(torch.from_numpy(vectors).to(device))
        self._device_codes = torch.from_numpy(self._codes).to(device)
        self._mentions: NDArray[np.int64] | None = None

    def set_mentions(self, mentions: CaptionMentions) -> None:
        """Remember what captions of the images of references mention."""
        keys = [(n << 32) + mentions.of(name) for n, name in enumerate(self.image_names)]
        self._mentions = np.concatenate([np.zeros(0, np.int64), *keys])

    def codes(self, rows: pa.Table) -> NDArray[np.int64]:
        """A number of the image of each row; -1 for images without references."""
        found = pc.index_in(rows.column("image_id"), value_set=self._images).fill_null(-1)
        return np.asarray(found.to_numpy().astype(np.int64))

    def nearest(self, features: NDArray[Any], codes: NDArray[np.int64], count: int) -> Neighbours:
        """The `count` references of other images most similar to each of R regions.

        Of equals the earlier is nearer. A feature without direction has no neighbours.

        Args:
            features: (R, D), of any length.
            codes: (R,) of their images.
            count: K.

        Raises:
            ArtifactError: If features have another width than the references.
        """
        check_widths(self._vectors.shape[1], features.shape[1])
        count = min(count, len(self._vectors))
        rows, valid = [], []
        step = _BLOCK[self._vectors.device.type]
        for first in range(0, len(features), step):
            block = torch.from_numpy(features[first : first + step].astype(np.float32))
            block = unit(block.to(self._vectors.device))
            own = torch.from_numpy(codes[first : first + step]).to(block.device)
            cosines = block @ self._vectors.T
            cosines.masked_fill_(own[:, None] == self._device_codes[None, :], -torch.inf)
            values, indices = top_concepts(cosines, count)
            directed = (block != 0).any(dim=1, keepdim=True)
            rows.append(indices.cpu().numpy())
            valid.append((torch.isfinite(values) & directed).cpu().numpy())
        empty = np.zeros((0, count))
        return Neighbours(
            np.concatenate([empty.astype(np.int64), *rows]),
            np.concatenate([empty.astype(np.bool_), *valid]),
        )

    def differ(self, near: Neighbours, concepts: NDArray[np.int64]) -> NDArray[np.float64]:
        """Share (R,) of neighbours that are called otherwise than `concepts`; NaN without any."""
        other = self._concepts[near.rows] != concepts[:, None]
        return _mean(other, near.valid)

    def unmentioned(
        self,
        near: Neighbours,
        concepts: NDArray[np.int64],
        expected: NDArray[np.float64],
        base: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """The signal `neighbours_unmentioned` (R,): 1 - (share - base) / (expected - base).

        In [0, 1]; the share is that of neighbours whose captions mention the concept. NaN without
        neighbours, where nothing is known of captions, or where they mention the concept no more
        often where it is than elsewhere.

        Args:
            near: Of R regions.
            concepts: (R,) of their labels.
            expected: (R,) share of surest labels of the concept that a caption mentions.
            base: (R,) share of all images.
        """
        if self._mentions is None or not len(self._mentions):
            return np.full(len(concepts), np.nan)
        keys = (self._codes[near.rows] << 32) + concepts[:, None]
        places = np.minimum(np.searchsorted(self._mentions, keys), len(self._mentions) - 1)
        share = _mean(self._mentions[places] == keys, near.valid)
        more = np.where(expected - base > _LEAST, expected - base, np.nan)
        return np.clip(1 - (share - base) / more, 0, 1)


def unit(vectors: torch.Tensor) -> torch.Tensor:
    """Rows of length 1, those that are not finite as 0."""
    finite = torch.isfinite(vectors).all(dim=1, keepdim=True)
    return torch.nn.functional.normalize(torch.where(finite, vectors, 0.0), dim=1)


def _mean(values: NDArray[np.bool_], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore"):
        return np.asarray((values & valid).sum(axis=1) / valid.sum(axis=1))
