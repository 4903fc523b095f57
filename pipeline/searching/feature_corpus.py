"""What is searched: features, and what the store knows of the regions they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from pipeline import sql
from pipeline.store import catalog, parts
from schemas.errors import ArtifactError
from schemas.features import FEATURES
from schemas.images import IMAGES
from schemas.proposals import PROPOSALS
from schemas.pseudo_labels import PSEUDO_LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.store.artifact import Artifact

_BOXES: Final = ("x0", "y0", "x1", "y1")
_REGION: Final = """
SELECT
    k.*,
    CASE WHEN k.region < 0 THEN 0 ELSE coalesce(p.x0, l.x0) END        AS x0,
    CASE WHEN k.region < 0 THEN 0 ELSE coalesce(p.y0, l.y0) END        AS y0,
    CASE WHEN k.region < 0 THEN i.width ELSE coalesce(p.x1, l.x1) END  AS x1,
    CASE WHEN k.region < 0 THEN i.height ELSE coalesce(p.y1, l.y1) END AS y1,
    coalesce(p.objectness, l.objectness)                               AS objectness,
    l.concept_id, l.concept, l.cosine, l.probability, l.margin, l.entropy, l.kept, l.in_caption,
    i.split, i.width, i.height, i.captions
FROM _asked AS k
LEFT JOIN {images} AS i USING (image_id)
LEFT JOIN {proposals} AS p USING (image_id, region)
LEFT JOIN {pseudo_labels} AS l USING (image_id, region)
"""
SHOWN: Final = ("image_id", "region", *_BOXES, "objectness", "concept", "probability")


@dataclass(frozen=True)
class FeatureCorpus:
    """Features to search in.

    Attributes:
        features: The vectors.
        labels: What their regions are called, if anything has named them.
    """

    features: Artifact
    labels: Artifact | None = None

    @classmethod
    def find(
        cls, root: Path, features: str | None = None, labels: str | None = None
    ) -> FeatureCorpus:
        """The newest features, or those named; labels likewise, of the very same regions.

        Labels nobody named are the newest that `rc label` made from these features, else from
        others of the same proposals.

        Args:
            root: The store.
            features: As features@3f9c.
            labels: As pseudo_labels@3f9c, or a selection's name.

        Raises:
            ArtifactNotFoundError: If there are none.
            ArtifactError: If the labels are about other regions, or there is nothing to search.
            OptionError: If a name is that of another table.
        """
        found = catalog.of_table(root, FEATURES, features)
        if not found.manifest.parts:
            raise ArtifactError(f"{found.address} has no rows at all; featurize again")
        if labels is None:
            return cls(found, _newest_labels(root, found))
        named = catalog.of_table(root, PSEUDO_LABELS, labels)
        mine, theirs = (catalog.ancestor(a, ("proposals",)) for a in (found, named))
        if mine is None or theirs is None or mine.path != theirs.path:
            raise ArtifactError(
                f"{named.address} and {found.address} are not about the same proposals; "
                "name --features and --pseudo-labels that are"
            )
        return cls(found, named)

    @property
    def root(self) -> Path:
        """The store."""
        return self.features.root

    def model(self) -> Artifact:
        """The model the features were made with.

        Raises:
            ArtifactError: If it is not in the store any more.
        """
        found = catalog.ancestor(self.features, ("teachers", "students", "detectors"))
        if found is None:
            raise ArtifactError(
                f"the model that made {self.features.address} is not in the store, so no question "
                "can be embedded as they were; search with --region, or featurize again"
            )
        return found

    def connect(self) -> Any:
        """A locked connection to the features, the labels, and all they were made from."""
        both = [self.features, *([self.labels] if self.labels else [])]
        return sql.connect(self.root, [artifact.address for artifact in both])

    def regions(
        self,
        connection: Any,
        keys: pa.Table,
        where: str | None = None,
        columns: Sequence[str] = SHOWN,
    ) -> pa.Table:
        """What is known of regions, of those for which a predicate holds, in the order asked.

        Args:
            connection: Of `connect`.
            keys: Columns image_id and region.
            where: SQL predicate over image_id, region, the box, objectness, concept_id, concept,
                cosine, probability, margin, entropy, kept, in_caption, split, width, height and
                captions; whatever is not known is null.
            columns: Which of these to return.

        Returns:
            Column place, the row of `keys`, and the columns asked for.

        Raises:
            QueryError: If the predicate is none, or fails.
        """
        condition = "true"
        if where is not None:
            sql.check_predicate(connection, where)
            condition = where
        places = pa.array(np.arange(keys.num_rows))
        connection.register("_asked", keys.append_column("_place", places))
        inner = _REGION.format(**self._relations(connection))
        chosen = ", ".join(["_place AS place", *columns])
        known = f"FROM (\n{inner}\n) AS regions WHERE (\n{condition}\n)"
        statement = f"SELECT {chosen} FROM (\n{known}\n)"  # what is chosen has no name within
        try:
            return sql.batches(sql.query(connection, statement)).read_all().sort_by("place")
        finally:
            connection.unregister("_asked")

    def keys(self, part: int) -> pa.Table:
        """Columns image_id and region of one part of the features."""
        path, names = self.features.part(part), ["image_id", "region"]
        return pa.Table.from_batches(
            parts.batches(path, names), FEATURES.empty().select(names).schema
        )

    def allowed(self, connection: Any, part: int, where: str) -> NDArray[np.bool_]:
        """Of which rows of a part of the features a predicate holds, (rows of the part,).

        Raises:
            QueryError: If the predicate is none, or fails.
        """
        keys = self.keys(part)
        found = np.zeros(keys.num_rows, np.bool_)
        known = self.regions(connection, keys, where, [])
        found[known.column("place").to_numpy()] = True
        return found

    def _relations(self, connection: Any) -> dict[str, str]:
        """The relation behind each table; one without rows where it is not in the store."""
        there = {artifact.manifest.artifact for artifact in catalog.ancestry(self.features)}
        found = {"pseudo_labels": "pseudo_labels" if self.labels else "_unlabelled"}
        if self.labels is None:
            nothing = PSEUDO_LABELS.arrow.empty_table()
            none = pa.array([], pa.string())
            connection.register("_unlabelled", nothing.append_column("concept", none))
        for table in (IMAGES, PROPOSALS):
            found[table.name] = f"_{table.name}"
            if table.name not in there:
                found[table.name] = f"_without_{table.name}"
                connection.register(found[table.name], table.arrow.empty_table())
        return found


def _newest_labels(root: Path, features: Artifact) -> Artifact | None:
    """The newest labels of the features' own, else of their proposals; no selection of others."""
    proposals = catalog.ancestor(features, ("proposals",))
    named = [
        artifact
        for artifact in catalog.everything(root)
        if artifact.manifest.artifact == PSEUDO_LABELS.name
        and artifact.manifest.version == PSEUDO_LABELS.version
        and "features" in artifact.manifest.inputs
        and catalog.ancestor(artifact, ("proposals",)) == proposals is not None
    ]
    own = [a for a in named if a.manifest.inputs["features"] == features.address]
    return next(iter([*reversed(own), *reversed(named)]), None)
