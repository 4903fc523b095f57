"""Checks that given embeddings are those of the evaluated categories, in their order.

A category and a concept are the same if their names differ only in case, spacing and punctuation:
`traffic_light` and `Traffic light`, `bat_(animal)` and `bat animal`.

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


def prompt_name(name: str) -> str:
    """A category as it is written in a prompt: without the underscores and brackets of LVIS.

    >>> prompt_name("bat_(animal)")
    'bat animal'
    """
    return clean_name(name).replace("(", "").replace(")", "")


def read_embeddings(table: pa.Table) -> tuple[list[str], NDArray[np.float32]]:
    """Concepts and their embeddings (C, D), in the order of their ids."""
    ordered = table.sort_by("concept_id").combine_chunks()
    return ordered.column("concept").to_pylist(), as_matrix(ordered, "embedding")


def names_of_embeddings(
    concepts: Sequence[str],
    listed: Sequence[str] | None,
    splits: Mapping[str, Sequence[str]],
    ground_truth: Iterable[str],
) -> list[str]:
    """The names that C embeddings are evaluated under, in the order of the embeddings.

    Args:
        concepts: What was embedded.
        listed: The categories, if the user gave a list; it must hold the concepts in their order.
        splits: Without a list, the names of the splits, if there are any, must be the concepts in
            any order.
        ground_truth: Categories of the images; a concept of the same name takes their spelling.

    Raises:
        ArtifactError: If they disagree in number, names or order.
    """
    if listed is not None:
        check_same_names(listed, concepts)
        return list(listed)
    in_splits = [name for names in splits.values() for name in names]
    if in_splits:
        check_same_names(sorted(in_splits, key=_key), sorted(concepts, key=_key))
    spelling = {_key(name): name for name in [*ground_truth, *in_splits]}
    return [spelling.get(_key(concept), concept) for concept in concepts]


def check_same_names(categories: Sequence[str], concepts: Sequence[str]) -> None:
    """Check that two lists hold the same names in the same order.

    Raises:
        ArtifactError: If not, naming the first difference.
    """
    if len(categories) != len(concepts):
        raise ArtifactError(
            f"{len(categories)} categories are evaluated, but there are {len(concepts)} "
            f"embeddings; {_CURE}"
        )
    category_keys = [_key(name) for name in categories]
    concept_keys = [_key(name) for name in concepts]
    if category_keys == concept_keys:
        return
    index = next(k for k, key in enumerate(category_keys) if key != concept_keys[k])
    reordered = sorted(category_keys) == sorted(concept_keys)
    difference = "the same names in another order" if reordered else "other names"
    raise ArtifactError(
        f"categories and embeddings disagree ({difference}): number {index} is "
        f"'{categories[index]}' among the categories, '{concepts[index]}' among the embeddings; "
        f"{_CURE}"
    )


def check_width(embeddings: NDArray[np.float32], width: int) -> None:
    """Check that embeddings (K, D) can be compared with features of `width`.

    Raises:
        ArtifactError: If not.
    """
    if embeddings.shape[1] != width:
        raise ArtifactError(
            f"the embeddings are {embeddings.shape[1]} wide, the model's features {width}: "
            f"another model made them; embed the names with this model"
        )


def _key(name: str) -> str:
    return " ".join(prompt_name(name).casefold().split())
