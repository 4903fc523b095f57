"""Map-regions: lay a sample of regions out in a plane, similar ones near each other.

For the page Map of the gallery, where people judge many labels at once: what is labelled wrong
often lies together. Only the sample is held in memory, whatever the number of labels.

Shapes: N regions of the sample, D width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import numpy as np

from schemas.errors import ArtifactError
from schemas.features import FEATURES
from schemas.pseudo_labels import PSEUDO_LABELS
from schemas.region_maps import REGION_MAPS
from schemas.suspicions import SUSPICIONS
from stages.auditing import random_order
from stages.auditing.sample import StratifiedSample
from stages.base import Findings, Part, Reads, Stage, each, option
from stages.outcome import Outcome, Result, counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from schemas.table import Table

_KEY: Final = ["image_id", "region"]


@dataclass(frozen=True, kw_only=True)
class MapRegions(Stage):
    """Lay regions out in a plane, similar ones near each other.

    For the page Map of rc view, which marks many labels at once. The sample of regions follows
    from --seed and their ids, and contains that of a smaller --most.
    """

    where: str | None = option("kept", "SQL condition on pseudo_labels: regions to choose from")
    most: int = option(50_000, "regions; of more, some are chosen at random", at_least=3)
    method: Literal["t-sne", "pca"] = option(
        "t-sne",
        "t-sne keeps neighbours together, and needs the extra map; pca, the first two principal "
        "components, keeps few",
    )
    perplexity: float = option(
        30.0, "of t-SNE: about how many neighbours each region keeps near", at_least=2, at_most=300
    )
    seed: int = option(0, "of the sample, and of t-SNE")

    name: ClassVar[str] = "map-regions"
    everyday: ClassVar[tuple[str, ...]] = ("pseudo_labels", "where", "most", "method")
    example: ClassVar[str] = 'rc map-regions --where "probability > 0.3"'
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {
        "pseudo_labels": each(PSEUDO_LABELS, where="where", beside="suspicions"),
        "features": each(FEATURES, everywhere=True),
        "suspicions": each(SUSPICIONS, optional=True, named=True),
    }
    writes: ClassVar[Table] = REGION_MAPS
    single_task: ClassVar[bool] = True
    unit: ClassVar[str] = "regions"

    def recipe(self) -> dict[str, Any]:
        """See `Stage.recipe`; the perplexity is of t-SNE alone."""
        recipe = super().recipe()
        if self.method == "pca":
            del recipe["perplexity"]
        return recipe

    def survey(self, findings: Findings) -> None:
        """See `Stage.survey`: whether t-SNE can be computed, before anything is read."""
        if self.method == "t-sne":
            from stages.region_mapping.plane import import_open_tsne

            import_open_tsne()

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield one row per region of the sample that has a direction, by image and region.

        Raises:
            ArtifactError: If a region has no feature, or all features are equal.
            OptionError: If there are too few regions.
        """
        from stages.labelling.sampled_features import sampled_features
        from stages.region_mapping.plane import (
            check_perplexity,
            in_square,
            principal_components,
            t_sne,
            unit_vectors,
        )

        sample = self._sample(part)
        features = part.everywhere("features", [*_KEY, "feature"])
        vectors = unit_vectors(sampled_features(sample, features))
        directed = vectors.any(axis=1)
        part.note("undirected", int((~directed).sum()))
        vectors, sample = vectors[directed], sample.filter(directed)
        if self.method == "t-sne":
            check_perplexity(self.perplexity, len(vectors))
            positions = t_sne(vectors, self.perplexity, self.seed)
        else:
            if len(vectors) < 3:
                raise ArtifactError(f"a map needs 3 regions, and there are {len(vectors)}")
            positions = _two(principal_components(vectors, 2))
        x, y = in_square(positions).T
        yield REGION_MAPS.batch({**{k: sample.column(k) for k in _KEY}, "x": x, "y": y})

    def outcome(self, result: Result) -> Outcome:
        """See `Stage.outcome`: how many of how many labels are on the map."""
        labels, undirected = (result.notes.get(key, 0) for key in ("labels", "undirected"))
        lines = [f"{counted(result.rows, 'region')} of {labels:,} on the map: rc view, then Map"]
        if undirected:
            lines.append(
                f"{counted(undirected, 'region')} left out, whose feature has no direction"
            )
        return Outcome(lines)

    def _sample(self, part: Part) -> pa.Table:
        """Keys of the regions to map, by image and region."""
        sample, total = StratifiedSample(np.array([self.most])), 0
        for piece in part.slices():
            for rows in piece.batches("pseudo_labels"):
                numbers = random_order.numbers(
                    self.seed,
                    rows.column("image_id").to_pylist(),
                    rows.column("region").to_numpy(zero_copy_only=False),
                )
                sample.add(rows.select(_KEY), np.zeros(rows.num_rows, np.int64), numbers)
                total += rows.num_rows
                part.advance(rows.num_rows)
        if not total:
            raise ArtifactError(f"there is no region to map: --where {self.where}")
        part.note("labels", total)
        return sample.rows()[0].sort_by([(name, "ascending") for name in _KEY])


def _two(components: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two columns, also of features of one number."""
    return np.pad(components, ((0, 0), (0, 2 - components.shape[1])))
