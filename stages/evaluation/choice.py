"""The choice: what an evaluation may call a box, and the embedding each name is compared by.

Shapes: K categories, D width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from schemas.errors import ArtifactError
from stages.evaluation.agreement import agreed_names, check_width, concepts_of, spoken
from stages.evaluation.federation import read_federation
from stages.evaluation.scenes import found_categories
from stages.evaluation.vocabulary import (
    make_vocabulary,
    read_categories,
    read_splits,
    shortened,
)
from stages.sources.files import digest_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.base import Part
    from stages.evaluation.federation import Federation
    from stages.evaluation.recognise import Model
    from stages.evaluation.vocabulary import Vocabulary

_PROMPTS: Final = 1024  # encoded together
_IMPORTED, _OWN, _ENCODED = "given", "the detector's own", "by the language encoder"


@dataclass(frozen=True)
class Lists:
    """What the user says of names.

    Attributes:
        categories: The vocabulary in its order, if told.
        splits: Names by split; may be empty.
        federation: What LVIS knows of images and categories, if its JSON was given.
        templates: Prompts of a name.
        averaging: Over prompts, see `stages.models.text_embeddings.average`.
    """

    categories: tuple[str, ...] | None
    splits: Mapping[str, tuple[str, ...]]
    federation: Federation | None
    templates: tuple[str, ...]
    averaging: str


@dataclass(frozen=True)
class Choice:
    """The vocabulary and its embeddings.

    Attributes:
        vocabulary: K names.
        embeddings: (K, D), of any length.
        lists: What the user said of names.
        source: Where the embeddings come from.
        unlisted: Categories of the images that the vocabulary lacks.
        taught: Novel categories that the detector learned from boxes.
    """

    vocabulary: Vocabulary
    embeddings: NDArray[np.float32]
    lists: Lists
    source: str
    unlisted: tuple[str, ...]
    taught: tuple[str, ...]

    def protocol(self) -> dict[str, Any]:
        """Where names and embeddings come from, for the manifest."""
        encoded = {
            "templates": list(self.lists.templates),
            "templates_sha256": digest_of(*self.lists.templates),
            "averaging": self.lists.averaging,
        }
        return {"embeddings": self.source, **(encoded if self.source == _ENCODED else {})}

    def warnings(self, ignored: int) -> list[str]:
        """What to keep in mind beside the numbers.

        Args:
            ignored: Objects that were left out.
        """
        said = []
        if self.unlisted:
            said.append(
                f"{ignored} objects were left out: the vocabulary lacks their "
                f"{len(self.unlisted)} categories ({shortened(self.unlisted)})"
            )
        if self.taught:
            said.append(
                f"the detector was trained on boxes of {len(self.taught)} novel categories "
                f"({shortened(self.taught)}): they are not novel to it"
            )
        return said


def read_lists(
    categories: Path | None,
    splits: Path | None,
    annotations: Path | None,
    templates: tuple[str, ...],
    averaging: str,
) -> Lists:
    """The lists in the user's files; LVIS's JSON stands in for those that are not given.

    Raises:
        SourceError: If a file is not what it should be.
    """
    federation = read_federation(annotations) if annotations else None
    names = tuple(read_categories(categories)) if categories else None
    parts: Mapping[str, tuple[str, ...]] = read_splits(splits) if splits else {}
    if federation is not None:
        names = names or tuple(federation.frequency)
        parts = parts or _rare_and_not(federation, names)
    return Lists(names, parts, federation, templates, averaging)


def choose(part: Part, lists: Lists, model: Model, *, refuse: bool) -> Choice:
    """The vocabulary of the lists, of given embeddings, of the detector, or of the images.

    Args:
        part: Its images, and its embeddings if there are any, are read.
        lists: What the user said of names.
        model: Its language encoder makes the embeddings that nobody gave.
        refuse: Whether objects outside the vocabulary are an error.

    Raises:
        ArtifactError: If categories and embeddings disagree, if the embeddings do not fit the
            model, or if the vocabulary lacks categories of the images and that is an error.
    """
    found, names, given = found_categories(part), lists.categories, None
    if part.has("embeddings"):
        concepts, given = concepts_of(part.table("embeddings"))
        names = tuple(agreed_names(concepts, names, lists.splits, found))
        check_width(given, model.clip.width)
    elif names is None and not lists.splits and model.categories:
        names = model.categories
    vocabulary = make_vocabulary(names, lists.splits, found)
    missing = vocabulary.missing(found)
    if missing and refuse:
        raise ArtifactError(
            f"{len(missing)} categories of the images are not in the vocabulary "
            f"({shortened(missing)}); add them to it, or leave their objects out with "
            f"--unlisted ignore"
        )
    embeddings, source = _embeddings(vocabulary.names, lists, model, given)
    taught = sorted(set(lists.splits.get("novel", ())) & set(model.categories))
    return Choice(vocabulary, embeddings, lists, source, tuple(missing), tuple(taught))


def check_moves(vocabulary: Vocabulary, model: Model) -> None:
    """Whether a detector has a way to move boxes for each name it is asked for.

    Raises:
        ArtifactError: If it moves them by category, and learned others.
    """
    if model.moves == "specific" and vocabulary.names != model.categories:
        raise ArtifactError(
            f"this detector moves boxes for each of the {len(model.categories)} categories it "
            f"learned, so it can only be asked for these; leave the boxes where they are with "
            f"--no-move-boxes, or finetune one with --regression agnostic"
        )


def _embeddings(
    names: Sequence[str], lists: Lists, model: Model, given: NDArray[np.float32] | None
) -> tuple[NDArray[np.float32], str]:
    """Embeddings (K, D): those given, else a detector's own, else made; and which they are."""
    from stages.models.text_embeddings import embed_names

    if given is not None:
        return given, _IMPORTED
    own, place = model.embeddings, {name: k for k, name in enumerate(model.categories)}
    if own is not None and set(names) <= set(place):
        return own[[place[name] for name in names]], _OWN
    read = [spoken(name) for name in names] if lists.federation else names
    made = embed_names(model.clip, read, lists.templates, lists.averaging, _PROMPTS)
    return np.asarray(made.numpy()), _ENCODED


def _rare_and_not(federation: Federation, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Novel categories are the rare ones, base the others; a split without any is left out."""
    rare = tuple(names[k] for k in federation.of_frequency("r", names))
    known = tuple(name for name in names if name not in set(rare))
    return {split: found for split, found in (("base", known), ("novel", rare)) if found}
