"""The corpus of a search: features, and what the store knows about their regions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from pipeline import sql
from pipeline.progress import Silent
from pipeline.store import catalog, parts
from pipeline.store.tables import models
from schemas.errors import ArtifactError, ArtifactNotFoundError
from schemas.features import FEATURES
from schemas.images import IMAGES
from schemas.proposals import PROPOSALS
from schemas.pseudo_labels import PSEUDO_LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.progress import Reporter
    from pipeline.store.artifact import Artifact

_CORNERS: Final = ("x0", "y0", "x1", "y1")
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
FROM _requested AS k
LEFT JOIN {images} AS i USING (image_id)
LEFT JOIN {proposals} AS p USING (image_id, region)
LEFT JOIN {pseudo_labels} AS l USING (image_id, region)
"""
RESULT_COLUMNS: Final = ("image_id", "region", *_CORNERS, "objectness", "concept", "probability")


@dataclass(frozen=True)
class FeatureCorpus:
    """Features to search in.

    Attributes:
        features: The vectors.
        labels: Pseudo-labels of their regions, if there are any.
        reporter: Receives the progress of a search.
    """

    features: Artifact
    labels: Artifact | None = None
    reporter: Reporter = field(default_factory=Silent, compare=False)

    @classmethod
    def find(
        cls, root: Path, features: str | None = None, labels: str | None = None
    ) -> FeatureCorpus:
        """The newest features, or those named; and pseudo-labels of the same regions.

        Without a name, the labels are the newest that `rc label` made from these features, or else
        from other features of the same proposals.

        Args:
            root: The store.
            features: As features@3f9c.
            labels: As pseudo_labels@3f9c, or a selection's name.

        Raises:
            ArtifactNotFoundError: If there are none.
            ArtifactError: If the labels belong to other regions, or the features have no rows.
            OptionError: If a name belongs to another table.
        """
        try:
            vectors = catalog.of_table(root, FEATURES, features)
        except ArtifactNotFoundError as error:
            raise ArtifactNotFoundError(f"{error}{_why_none(root, labels)}") from None
        if not vectors.manifest.parts.count:
            raise ArtifactError(f"{vectors.address} has no rows at all; featurize again")
        if labels is None:
            return cls(vectors, _newest_labels(root, vectors))
        named = catalog.of_table(root, PSEUDO_LABELS, labels)
        featurized, labelled = (catalog.ancestor(a, ("proposals",)) for a in (vectors, named))
        if featurized is None or labelled is None or featurized.path != labelled.path:
            raise ArtifactError(
                f"{named.address} and {vectors.address} do not belong to the same proposals; "
                f"name --features and --pseudo-labels that do{_why_none(root, labels)}"
            )
        return cls(vectors, named)

    @property
    def root(self) -> Path:
        """The store."""
        return self.features.root

    def model(self) -> Artifact:
        """The model that made the features.

        Raises:
            ArtifactError: If it is no longer in the store.
        """
        model = catalog.ancestor(self.features, models(with_language=True))
        if model is None:
            raise ArtifactError(
                f"the model that made {self.features.address} is not in the store, so no query can "
                "be embedded with it; search with --region, or featurize again"
            )
        return model

    def connect(self) -> Any:
        """A locked connection to the features, the labels, and all they were made from."""
        artifacts = [self.features, *([self.labels] if self.labels else [])]
        return sql.connect(self.root, [artifact.address for artifact in artifacts])

    def regions(
        self,
        connection: Any,
        keys: pa.Table,
        where: str | None = None,
        columns: Sequence[str] = RESULT_COLUMNS,
    ) -> pa.Table:
        """Box, label and image of the regions that pass a predicate, in the order of `keys`.

        Args:
            connection: From `connect`.
            keys: Columns image_id and region.
            where: SQL predicate over image_id, region, the box, objectness, concept_id, concept,
                cosine, probability, margin, entropy, kept, in_caption, split, width, height and
                captions; unknown values are null.
            columns: Which of these columns to return.

        Returns:
            Column position (the row of `keys`), and `columns`.

        Raises:
            QueryError: If the predicate is not valid, or fails.
        """
        condition = "true"
        if where is not None:
            sql.check_predicate(connection, where)
            condition = where
        positions = pa.array(np.arange(keys.num_rows))
        connection.register("_requested", keys.append_column("_position", positions))
        inner = _REGION.format(**self._relations(connection))
        selected = ", ".join(["_position AS position", *columns])
        filtered = f"FROM (\n{inner}\n) AS regions WHERE (\n{condition}\n)"
        # In an outer query, so that the condition cannot use the names of the selected columns.
        statement = f"SELECT {selected} FROM (\n{filtered}\n)"
        try:
            return sql.chosen(connection, statement).read_all().sort_by("position")
        finally:
            connection.unregister("_requested")

    def keys(self, part: int) -> pa.Table:
        """Columns image_id and region of one part of the features."""
        path, names = self.features.part(part), ["image_id", "region"]
        return pa.Table.from_batches(
            parts.batches(path, names), FEATURES.empty().select(names).schema
        )

    def allowed(self, connection: Any, part: int, where: str) -> NDArray[np.bool_]:
        """For which rows of a part of the features a predicate holds, (rows of the part,).

        Raises:
            QueryError: If the predicate is not valid, or fails.
        """
        keys = self.keys(part)
        mask = np.zeros(keys.num_rows, np.bool_)
        passing = self.regions(connection, keys, where, [])
        mask[passing.column("position").to_numpy()] = True
        return mask

    def _relations(self, connection: Any) -> dict[str, str]:
        """The SQL relation of each table; an empty one if the store has no such table."""
        available = {artifact.manifest.artifact for artifact in catalog.ancestry(self.features)}
        relations = {"pseudo_labels": "pseudo_labels" if self.labels else "_unlabelled"}
        if self.labels is None:
            no_rows = PSEUDO_LABELS.arrow.empty_table()
            no_names = pa.array([], pa.string())
            connection.register("_unlabelled", no_rows.append_column("concept", no_names))
        for table in (IMAGES, PROPOSALS):
            relations[table.name] = f"_{table.name}"
            if table.name not in available:
                relations[table.name] = f"_without_{table.name}"
                connection.register(relations[table.name], table.arrow.empty_table())
        return relations


def _newest_labels(root: Path, features: Artifact) -> Artifact | None:
    """The newest labels of these features, or else of their proposals; never a selection."""
    proposals = catalog.ancestor(features, ("proposals",))
    candidates = [
        artifact
        for artifact in catalog.everything(root)
        if artifact.manifest.artifact == PSEUDO_LABELS.name
        and artifact.manifest.version == PSEUDO_LABELS.version
        and not catalog.selected(artifact)
        and catalog.ancestor(artifact, ("proposals",)) == proposals is not None
    ]
    own = [a for a in candidates if a.manifest.inputs.get("features") == features.address]
    return next(iter([*reversed(own), *reversed(candidates)]), None)


def _why_none(root: Path, name: str | None) -> str:
    """Why labels have no features, to end a sentence with; empty if that is not known.

    Args:
        root: The store.
        name: Of the labels; None: the newest.
    """
    try:
        labels = catalog.unselected(catalog.of_table(root, PSEUDO_LABELS, name))
    except ArtifactNotFoundError:
        return ""
    if not labels.manifest.stage.options.get("from_images"):
        return ""
    return (
        f"; {labels.address} was made by 'rc label --from-images', which stores none: run "
        f"'rc featurize' with its options, which 'rc lineage {labels.address}' shows"
    )
