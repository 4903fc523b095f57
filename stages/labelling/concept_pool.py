"""The concept pool of `rc label`: embeddings that features of regions are compared with.

Shapes: R regions, C concepts, D embedding width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import torch

from schemas.errors import ArtifactError
from schemas.table import as_matrix
from stages.labelling.concept_matching import match_concepts, match_subsets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from stages.labelling.concept_matches import ConceptMatches
    from stages.labelling.label_similarity import LabelSimilarity

_REGIONS: Final = {"cpu": 256, "cuda": 8192}  # a block of cosines fits a CPU's cache


@dataclass(frozen=True, slots=True)
class ConceptPool:
    """The concepts, ready to be compared with: names, ids (C,), unit embeddings (C, D)."""

    names: list[str]
    ids: NDArray[np.int32]
    embeddings: torch.Tensor

    @classmethod
    def read(cls, rows: pa.Table, device: torch.device) -> ConceptPool:
        """The pool of an embeddings table.

        Raises:
            ArtifactError: If it is empty, or an embedding has no direction.
        """
        if not rows.num_rows:
            raise ArtifactError("there are no concept embeddings; embed a concept pool")
        rows = rows.sort_by("concept_id")
        matrix = np.asarray(as_matrix(rows, "embedding"), np.float32)
        names = rows.column("concept").to_pylist()
        lengths = np.linalg.norm(matrix.astype(np.float64), axis=1)
        bad = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
        if len(bad):
            raise ArtifactError(
                f"the embedding of '{names[bad[0]]}' is zero or not finite; check the "
                f"teacher, then run rc embed-concepts again"
            )
        units = torch.from_numpy((matrix / lengths[:, None]).astype(np.float32))
        return cls(names, rows.column("concept_id").to_numpy(), units.to(device))

    def match(
        self,
        features: NDArray[np.float32],
        scale: LabelSimilarity,
        top_k: int,
        block: tuple[int | None, int],
    ) -> ConceptMatches:
        """Compare (R, D) finite features of any length but 0; on the CPU again.

        Raises:
            ArtifactError: If they are not as wide as the embeddings.
        """
        units = self.units(features)
        sizes = (self.block(block[0]), block[1])
        return match_concepts(
            units, self.embeddings, scale.temperature, top_k, sizes, scale.bias
        ).cpu()

    def match_mentioned(
        self,
        rows: pa.Table,
        features: NDArray[np.float32],
        mentioned: Mapping[str, set[str]],
        scale: LabelSimilarity,
        top_k: int,
    ) -> tuple[pa.Table, NDArray[np.float32], ConceptMatches]:
        """Compare each region with the concepts its captions mention; rows without any go."""
        index = {name: number for number, name in enumerate(self.names)}
        images = rows.column("image_id").to_pylist()
        candidates = {
            image: sorted(index[name] for name in mentioned.get(image, ()) if name in index)
            for image in set(images)
        }
        has_candidates = np.array([bool(candidates[image]) for image in images], dtype=bool)
        rows, features = rows.filter(pa.array(has_candidates)), features[has_candidates]
        subsets = [candidates[image] for image in rows.column("image_id").to_pylist()]
        units = self.units(features)
        matches = match_subsets(
            units, self.embeddings, subsets, scale.temperature, top_k, scale.bias
        ).cpu()
        return rows, features, matches

    def block(self, regions: int | None) -> int:
        """How many regions are compared at a time: so many, or what suits the device."""
        return regions or _REGIONS[self.embeddings.device.type]

    def check_width(self, width: int) -> None:
        """Pass if features of this width D can be compared with the embeddings.

        Raises:
            ArtifactError: If they cannot.
        """
        own = self.embeddings.shape[1]
        if width != own:
            raise ArtifactError(
                f"features have width {width}, concept embeddings {own}; "
                f"make both with the same teacher"
            )

    def units(self, features: NDArray[np.float32]) -> torch.Tensor:
        """Unit rows (R, D) of features, where the embeddings are.

        Raises:
            ArtifactError: If they are not as wide as the embeddings.
        """
        self.check_width(features.shape[1])
        placed = torch.from_numpy(features).to(self.embeddings.device)
        return torch.nn.functional.normalize(placed, dim=1)
