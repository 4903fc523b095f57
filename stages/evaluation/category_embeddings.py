"""The categories of an evaluation, and the embedding that stands for each of them.

Shapes: K categories, D width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from schemas.errors import ArtifactError
from stages.evaluation.embedding_checks import (
    check_width,
    names_of_embeddings,
    prompt_name,
    read_embeddings,
)
from stages.evaluation.image_inputs import ground_truth_categories
from stages.evaluation.lvis_metadata import read_lvis_metadata
from stages.evaluation.vocabulary import (
    make_vocabulary,
    read_categories,
    read_splits,
)
from stages.sources.files import digest_of
from stages.sources.name_checks import quoted_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.base import Part
    from stages.evaluation.evaluated_model import EvaluatedModel
    from stages.evaluation.lvis_metadata import LvisMetadata
    from stages.evaluation.vocabulary import Vocabulary
    from stages.text.prompt_options import Averaging

_PROMPTS_PER_BATCH: Final = 1024
# where embeddings come from, as the manifest says it
_IMPORTED, _OWN, _ENCODED = "given", "the detector's own", "by the language encoder"


@dataclass(frozen=True)
class VocabularyConfig:
    """Which categories the user asks for, and how their names become embeddings.

    Attributes:
        categories: The vocabulary in its order, if the user gave one.
        splits: Names by split; may be empty.
        lvis: What LVIS knows of images and categories, if its JSON was given.
        templates: Prompt templates.
        averaging: Over prompts, see `stages.models.text_embeddings.average`.
    """

    categories: tuple[str, ...] | None
    splits: Mapping[str, tuple[str, ...]]
    lvis: LvisMetadata | None
    templates: tuple[str, ...]
    averaging: Averaging


@dataclass(frozen=True)
class CategoryEmbeddings:
    """The vocabulary and its embeddings.

    Attributes:
        vocabulary: K names.
        embeddings: (K, D), of any length.
        config: What the user asked for.
        source: Where the embeddings come from.
        unlisted: Categories of the images that the vocabulary lacks.
        trained_novel: Novel categories that the detector was trained on.
    """

    vocabulary: Vocabulary
    embeddings: NDArray[np.float32]
    config: VocabularyConfig
    source: str
    unlisted: tuple[str, ...]
    trained_novel: tuple[str, ...]

    def protocol(self) -> dict[str, Any]:
        """Where the embeddings come from, for the manifest."""
        encoded = {
            "templates": list(self.config.templates),
            "templates_sha256": digest_of(*self.config.templates),
            "averaging": self.config.averaging,
        }
        return {"embeddings": self.source, **(encoded if self.source == _ENCODED else {})}

    def warnings(self, ignored: int) -> list[str]:
        """What limits the meaning of the metrics, for the manifest.

        Args:
            ignored: How many objects were left out.
        """
        warnings = []
        if self.unlisted:
            warnings.append(
                f"{ignored} objects were left out: the vocabulary lacks their "
                f"{len(self.unlisted)} categories ({quoted_names(self.unlisted)})"
            )
        if self.trained_novel:
            warnings.append(
                f"the detector was trained on boxes of {len(self.trained_novel)} novel categories "
                f"({quoted_names(self.trained_novel)}): they are not novel to it"
            )
        return warnings


def read_vocabulary_config(
    categories: Path | None,
    splits: Path | None,
    annotations: Path | None,
    templates: tuple[str, ...],
    averaging: Averaging,
) -> VocabularyConfig:
    """Read the user's files; LVIS's JSON stands in for lists that are not given.

    Raises:
        SourceError: If a file is not what it should be.
    """
    lvis = read_lvis_metadata(annotations) if annotations else None
    names = tuple(read_categories(categories)) if categories else None
    names_by_split: Mapping[str, tuple[str, ...]] = read_splits(splits) if splits else {}
    if lvis is not None:
        names = names or tuple(lvis.frequency)
        names_by_split = names_by_split or _splits_by_rarity(lvis, names)
    return VocabularyConfig(names, names_by_split, lvis, templates, averaging)


def embed_categories(
    part: Part, config: VocabularyConfig, model: EvaluatedModel, *, refuse: bool
) -> CategoryEmbeddings:
    """Take categories from the user's lists, given embeddings, the detector, or the images.

    Args:
        part: Its images, and its embeddings if there are any, are read.
        config: What the user asked for.
        model: Its language encoder makes the embeddings that are not given.
        refuse: Whether objects outside the vocabulary are an error.

    Raises:
        ArtifactError: If categories and embeddings disagree, if the embeddings do not fit the
            model, or if the vocabulary lacks categories of the images and that is an error.
    """
    ground_truth, names, imported = ground_truth_categories(part), config.categories, None
    if part.has("embeddings"):
        concepts, imported = read_embeddings(part.table("embeddings"))
        names = tuple(names_of_embeddings(concepts, names, config.splits, ground_truth))
        check_width(imported, model.clip.width)
    elif names is None and not config.splits and model.categories:
        names = model.categories
    vocabulary = make_vocabulary(names, config.splits, ground_truth)
    missing = vocabulary.missing(ground_truth)
    if missing and refuse:
        raise ArtifactError(
            f"{len(missing)} categories of the images are not in the vocabulary "
            f"({quoted_names(missing, vocabulary.names)}); add them to it, or leave their objects "
            f"out with --unlisted ignore"
        )
    embeddings, source = _embeddings(vocabulary.names, config, model, imported)
    trained_novel = sorted(set(config.splits.get("novel", ())) & set(model.categories))
    return CategoryEmbeddings(
        vocabulary, embeddings, config, source, tuple(missing), tuple(trained_novel)
    )


def check_box_regression(vocabulary: Vocabulary, model: EvaluatedModel) -> None:
    """Check that a detector can move boxes for every name of the vocabulary.

    Raises:
        ArtifactError: If it moves them by category, and learned other categories.
    """
    if model.regression == "specific" and vocabulary.names != model.categories:
        raise ArtifactError(
            f"this detector moves boxes for each of the {len(model.categories)} categories it "
            f"learned, so it can only be asked for these; leave the boxes where they are with "
            f"--no-move-boxes, or finetune one with --regression agnostic"
        )


def _embeddings(
    names: Sequence[str],
    config: VocabularyConfig,
    model: EvaluatedModel,
    imported: NDArray[np.float32] | None,
) -> tuple[NDArray[np.float32], str]:
    """Embeddings (K, D) and their source: imported, else a detector's own, else encoded."""
    from stages.models.text_embeddings import embed_names

    if imported is not None:
        return imported, _IMPORTED
    own, row = model.embeddings, {name: k for k, name in enumerate(model.categories)}
    if own is not None and set(names) <= set(row):
        return own[[row[name] for name in names]], _OWN
    spelled = [prompt_name(name) for name in names] if config.lvis else names
    encoded = embed_names(
        model.clip, spelled, config.templates, config.averaging, _PROMPTS_PER_BATCH
    )
    return np.asarray(encoded.numpy()), _ENCODED


def _splits_by_rarity(lvis: LvisMetadata, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Rare categories are novel, the others base; a split without categories is left out."""
    novel = tuple(names[k] for k in lvis.ids_of_frequency("r", names))
    base = tuple(name for name in names if name not in set(novel))
    return {split: members for split, members in (("base", base), ("novel", novel)) if members}
