"""Groups of names that may be names of one thing: proposed from embeddings and captions.

A pair is proposed if the teacher can hardly tell the two names apart (the cosine of their
embeddings), and captions speak of them as of one thing (`pipeline.analysis.caption_pairs`). A group
is complete: every two of its names are such a pair, so that a chain of pairs never joins what is
not alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.analysis.caption_pairs import count_captions
from pipeline.analysis.similar_concepts import nearest_pairs, similar_concepts
from pipeline.store import catalog
from pipeline.store.artifact import stream
from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.concepts import CONCEPTS
from schemas.errors import ArtifactError, ArtifactNotFoundError
from schemas.table import as_matrix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.store.artifact import Artifact


@dataclass(frozen=True, slots=True)
class NamePair:
    """Two names of one thing, and why one may think so.

    Attributes:
        cosine: Of their embeddings.
        images: Images of which one caption has the one name and another the other.
        together: Captions that have both.
    """

    cosine: float
    images: int
    together: int


@dataclass(frozen=True)
class ProposedGroups:
    """What is proposed, and of how much.

    Attributes:
        groups: The names of each, its head first: the one that is mentioned most.
        pairs: By two names in alphabetical order, all pairs that are proposed.
        mentions: How often each name is mentioned.
        min_cosine: Of a pair.
        similar: Pairs with that cosine.
        comparable: Whether most images have several captions to be compared.
        nearest: The two names of the highest cosine, and that; None with fewer than two names.
        without_embedding: Concepts that were left out, as they have no embedding.
    """

    groups: list[list[str]]
    pairs: Mapping[tuple[str, str], NamePair]
    mentions: Mapping[str, int]
    min_cosine: float
    similar: int
    comparable: bool
    nearest: tuple[str, str, float] | None
    without_embedding: int

    def pair(self, one: str, other: str) -> NamePair:
        """What is known of two names of a group."""
        return self.pairs[min(one, other), max(one, other)]

    def ungrouped(self) -> list[tuple[str, str]]:
        """Pairs that no group has, as some other names of theirs are no pairs; best first."""
        inside = {
            (min(one, other), max(one, other))
            for group in self.groups
            for one in group
            for other in group
        }
        return [names for names in self.pairs if names not in inside]


def propose_groups(
    root: Path, min_cosine: float, concepts: str | None = None, embeddings: str | None = None
) -> ProposedGroups:
    """Propose groups of concepts of a store.

    Args:
        root: The store.
        min_cosine: Lowest cosine of a pair.
        concepts: concepts@…; default: those that the embeddings were made of.
        embeddings: concept_embeddings@…; default: the newest, or the newest of the concepts.

    Raises:
        ArtifactNotFoundError: If there are none.
        ArtifactError: If no concept has an embedding.
        OptionError: If too many pairs are that similar.
    """
    pool, vectors_of = _inputs(root, concepts, embeddings)
    rows = _rows(pool, vectors_of)
    first, second, cosines = similar_concepts(rows.vectors, min_cosine)
    swapped = rows.ids[first] > rows.ids[second]
    first, second = np.where(swapped, second, first), np.where(swapped, first, second)
    said = count_captions(root, pool.address, rows.ids[first], rows.ids[second])
    alike = np.flatnonzero(said.of_one_thing(rows.captions[first], rows.captions[second]))
    pairs = {}
    for k in alike.tolist():
        names = sorted((rows.names[first[k]], rows.names[second[k]]))
        known = NamePair(float(cosines[k]), int(said.images[k]), int(said.together[k]))
        pairs[names[0], names[1]] = known
    best = nearest_pairs(rows.vectors, 1)
    return ProposedGroups(
        groups=complete_groups(pairs, rows.mentions),
        pairs=pairs,
        mentions=rows.mentions,
        min_cosine=min_cosine,
        similar=len(cosines),
        comparable=said.comparable,
        nearest=(rows.names[best[0][0]], rows.names[best[0][1]], best[0][2]) if best else None,
        without_embedding=pool.manifest.rows - len(rows.names),
    )


def complete_groups(
    pairs: Iterable[tuple[str, str]], mentions: Mapping[str, int]
) -> list[list[str]]:
    """Groups in which every two names are a pair; those of the most mentioned names first.

    Args:
        pairs: Of names in alphabetical order, the best first: they are joined first.
        mentions: How often each name is mentioned; the head of a group is the most mentioned.
    """
    ranked = list(pairs)
    known, groups = set(ranked), dict[str, list[str]]()
    for one, other in ranked:
        a, b = groups.setdefault(one, [one]), groups.setdefault(other, [other])
        if a is not b and all((min(x, y), max(x, y)) in known for x in a for y in b):
            a.extend(b)
            groups |= dict.fromkeys(b, a)
    of_several = {id(group): group for group in groups.values() if len(group) > 1}
    by_mentions = [sorted(g, key=lambda n: (-mentions[n], n)) for g in of_several.values()]
    return sorted(by_mentions, key=lambda group: (-mentions[group[0]], group[0]))


@dataclass(frozen=True)
class _Rows:
    """Concepts with an embedding: ids, captions (C,), vectors (C, D), names, mentions by name."""

    ids: NDArray[np.int64]
    captions: NDArray[np.int64]
    vectors: NDArray[Any]
    names: list[str]
    mentions: dict[str, int]


def _rows(pool: Artifact, embeddings: Artifact) -> _Rows:
    vectors: dict[str, NDArray[Any]] = {}
    for batch in stream(embeddings.files()):
        matrix = as_matrix(batch, "embedding")
        vectors |= dict(zip(batch.column("concept").to_pylist(), matrix, strict=True))
    wanted = ["concept_id", "concept", "captions", "mentions"]
    rows = [row for batch in stream(pool.files()) for row in batch.select(wanted).to_pylist()]
    rows = [row for row in rows if row["concept"] in vectors]
    if not rows:
        raise ArtifactError(
            f"no concept of {pool.address} has an embedding in {embeddings.address}; name "
            "embeddings that were made of these concepts"
        )
    names = [row["concept"] for row in rows]
    return _Rows(
        np.array([row["concept_id"] for row in rows], np.int64),
        np.array([row["captions"] for row in rows], np.int64),
        np.stack([vectors[name] for name in names]),
        names,
        {row["concept"]: row["mentions"] for row in rows},
    )


def _inputs(root: Path, concepts: str | None, embeddings: str | None) -> tuple[Artifact, Artifact]:
    """The concept pool, and its embeddings."""
    if embeddings is None and concepts is not None:
        pool = catalog.of_table(root, CONCEPTS, concepts)
        return pool, _newest_of(root, pool)
    vectors = catalog.of_table(root, CONCEPT_EMBEDDINGS, embeddings)
    if concepts is None:
        source = catalog.ancestor(vectors, (CONCEPTS.name,))
        if source is None:
            raise ArtifactNotFoundError(
                f"the concepts of {vectors.address} are not in {root.absolute()}, or it was "
                "imported and has none; name a pool with the same names with --concepts"
            )
        concepts = source.address
    return catalog.of_table(root, CONCEPTS, concepts), vectors


def _newest_of(root: Path, pool: Artifact) -> Artifact:
    """The newest embeddings of a pool."""
    for artifact in reversed(catalog.everything(root)):
        manifest = artifact.manifest
        ours = (CONCEPT_EMBEDDINGS.name, CONCEPT_EMBEDDINGS.version)
        if (manifest.artifact, manifest.version) == ours:
            source = catalog.ancestor(artifact, (CONCEPTS.name,))
            if source and source.path == pool.path:
                return artifact
    raise ArtifactNotFoundError(
        f"no embeddings of {pool.address} are in {root.absolute()}; make them with 'rc "
        f"embed-concepts --concepts {pool.address}', or name others with --embeddings"
    )
