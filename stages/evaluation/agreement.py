"""Agreement: whether embeddings are those of the evaluated categories, in their order.

A category and a concept are the same if they read the same: `traffic_light` and `Traffic light`,
`bat_(animal)` and `bat animal`.

Shapes: K categories, C concepts, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import ArtifactError
from schemas.table import as_matrix
from stages.text.templates import clean_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

_CURE = "embed the very list that is evaluated, or leave the list out and take the embeddings'"


def spoken(name: str) -> str:
    """A category as it is read aloud in a prompt: LVIS writes some otherwise.

    >>> spoken("bat_(animal)")
    'bat animal'
    """
    return clean_name(name).replace("(", "").replace(")", "")


def concepts_of(table: pa.Table) -> tuple[list[str], NDArray[np.float32]]:
    """Concepts and their embeddings (C, D), in the order of their ids."""
    ordered = table.sort_by("concept_id").combine_chunks()
    return ordered.column("concept").to_pylist(), as_matrix(ordered, "embedding")


def agreed_names(
    concepts: Sequence[str],
    listed: Sequence[str] | None,
    splits: Mapping[str, Sequence[str]],
    found: Iterable[str],
) -> list[str]:
    """The names that C embeddings are evaluated under, in the order of the embeddings.

    Args:
        concepts: What was embedded.
        listed: The categories, if the user gave a list; then it must be the same list.
        splits: Else their names, if there are any, must be those of the embeddings in any order.
        found: Categories of the images; a concept that reads the same takes their spelling.

    Raises:
        ArtifactError: If they disagree in number, names or order.
    """
    if listed is not None:
        check_order(listed, concepts)
        return list(listed)
    known = [n for part in splits.values() for n in part]
    if known:
        check_order(sorted(known, key=_key), sorted(concepts, key=_key))
    spelling = {_key(name): name for name in [*found, *known]}
    return [spelling.get(_key(concept), concept) for concept in concepts]


def check_order(categories: Sequence[str], concepts: Sequence[str]) -> None:
    """Whether two lists say the same in the same order.

    Raises:
        ArtifactError: If not, naming the first difference.
    """
    if len(categories) != len(concepts):
        raise ArtifactError(
            f"{len(categories)} categories are evaluated, but there are {len(concepts)} "
            f"embeddings; {_CURE}"
        )
    ours, theirs = [_key(name) for name in categories], [_key(name) for name in concepts]
    if ours == theirs:
        return
    place = next(k for k in range(len(ours)) if ours[k] != theirs[k])
    kind = "the same names in another order" if sorted(ours) == sorted(theirs) else "other names"
    raise ArtifactError(
        f"categories and embeddings disagree ({kind}): number {place} is "
        f"'{categories[place]}' among the categories, '{concepts[place]}' among the embeddings; "
        f"{_CURE}"
    )


def check_width(embeddings: NDArray[np.float32], width: int) -> None:
    """Whether embeddings (K, D) can be compared with features `width` wide.

    Raises:
        ArtifactError: If not.
    """
    if embeddings.shape[1] != width:
        raise ArtifactError(
            f"the embeddings are {embeddings.shape[1]} wide, the model's features {width}: "
            f"another model made them; embed the names with this model"
        )


def _key(name: str) -> str:
    return " ".join(spoken(name).casefold().split())
