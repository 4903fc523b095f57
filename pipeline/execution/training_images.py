"""Training images: whether a model was trained on the images that it is evaluated on.

A stage cannot look behind its inputs; the manifests of what a model was made from can. A student
was trained on images that have a label, and on all images with a loss that needs none; a teacher,
an RPN or a detector on all images that it was given. What was trained elsewhere is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pipeline import sql
from pipeline.store import catalog, parts
from pipeline.store.tables import models

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.store.artifact import Artifact

_WITHOUT_LABELS: Final = ("image_text_weight", "crop_distillation_weight")  # losses, by option


@dataclass(frozen=True, slots=True)
class TrainedOn:
    """Images that a model in the ancestry of another was trained on.

    Attributes:
        model: Which was.
        images: The images it was given.
        labels: Only those of them that have one of these labels; None for all.
        where: Only labels for which this condition holds; None for all.
        suspicions: Whose columns the condition may use.
    """

    model: Artifact
    images: Artifact
    labels: Artifact | None = None
    where: str | None = None
    suspicions: Artifact | None = None

    def rows(self) -> Iterator[tuple[str, str]]:
        """The id of each image, and the hash of its bytes."""
        for number in self.images.numbers:
            labelled = None if self.labels is None else self._labelled(self.labels, number)
            for image_id, sha256 in _pairs(self.images, number, "image_id", "sha256"):
                if labelled is None or image_id in labelled:
                    yield image_id, sha256

    def _labelled(self, labels: Artifact, number: int) -> set[str]:
        """Images of a part that have a label."""
        if number not in labels.numbers:
            return set()
        if self.where is None:
            batches = parts.batches(labels.part(number), columns=["image_id"])
        else:
            batches = sql.matching(labels, number, self.where, self.suspicions)
        return {i for batch in batches for i in batch.column("image_id").unique().to_pylist()}


def trained_on(model: Artifact) -> list[TrainedOn]:
    """What a model, and those that it began with, were trained on; as far as the store knows."""
    found = []
    for one in catalog.ancestry(model):
        inputs = catalog.parents(one)
        if one.manifest.artifact not in models() or "images" not in inputs:
            continue
        options = one.manifest.stage.options
        by_label = not any(options.get(name) for name in _WITHOUT_LABELS)
        labels = inputs.get("pseudo_labels") if by_label else None
        where, suspicions = options.get("where"), inputs.get("suspicions")
        if labels is None or where is None or not sql.any_match(labels, where, suspicions):
            where = None  # all labels; also of a student that fell back on those not kept
        found.append(TrainedOn(one, inputs["images"], labels, where, suspicions))
    return found


def with_training_images(
    inputs: Mapping[str, Artifact], notes: Mapping[str, Any]
) -> dict[str, Any]:
    """The notes of an evaluation, with `training_images` and more `warnings`.

    `training_images` says which models were trained on images of this store, how many of the
    evaluated images are among those by the same bytes, and, if duplicates were named, how many
    show the same as one of those.
    """
    evaluated, duplicates = inputs["images"], inputs.get("duplicates")
    trained = trained_on(inputs["model"])
    compared = [one for one in trained if duplicates and _compares(duplicates, one, evaluated)]
    same = _of_same_bytes(evaluated, trained)
    found = {"models": [one.model.address for one in trained], "same_bytes": len(same)}
    warnings = [*notes.get("warnings", ())]
    if same:
        warnings.append(_warning(len(same), evaluated, trained, "are"))
    if duplicates:
        alike = _duplicates(duplicates, compared)
        found |= {"duplicates": duplicates.address, "duplicate": len(alike)}
        if alike - same:
            warnings.append(_warning(len(alike - same), evaluated, compared, "show the same as"))
        if not compared:
            warnings.append(
                f"{duplicates.address} compares no images that {inputs['model'].address} was "
                f"trained on with {evaluated.address}, so it says nothing about this evaluation"
            )
    return {**notes, "training_images": found, "warnings": warnings}


def _of_same_bytes(evaluated: Artifact, trained: Sequence[TrainedOn]) -> set[str]:
    """The evaluated images whose files are among those that models were trained on."""
    if not trained:
        return set()
    with_bytes: dict[str, list[str]] = {}
    for number in evaluated.numbers:
        for image_id, sha256 in _pairs(evaluated, number, "image_id", "sha256"):
            with_bytes.setdefault(sha256, []).append(image_id)
    hashes = {sha256 for one in trained for _, sha256 in one.rows() if sha256 in with_bytes}
    return {image_id for sha256 in hashes for image_id in with_bytes[sha256]}


def _duplicates(duplicates: Artifact, trained: Sequence[TrainedOn]) -> set[str]:
    """The evaluated images that show the same as an image that models were trained on."""
    others: dict[str, list[str]] = {}
    inputs = duplicates.manifest.inputs
    is_one_set = inputs.get("images") == inputs.get("against")  # then each pair is there once
    for number in duplicates.numbers:
        for image_id, other in _pairs(duplicates, number, "image_id", "other_id"):
            others.setdefault(image_id, []).append(other)
            if is_one_set:
                others.setdefault(other, []).append(image_id)
    used = {image_id for one in trained for image_id, _ in one.rows() if image_id in others}
    return {other for image_id in used for other in others[image_id]}


def _pairs(artifact: Artifact, number: int, one: str, other: str) -> Iterator[tuple[str, str]]:
    """Two columns of a part, row by row."""
    for batch in parts.batches(artifact.part(number), columns=[one, other]):
        columns = (batch.column(name).to_pylist() for name in (one, other))
        yield from zip(*columns, strict=True)


def _compares(duplicates: Artifact, trained: TrainedOn, evaluated: Artifact) -> bool:
    """Whether these duplicates are those of images of a training among the evaluated ones."""
    inputs = duplicates.manifest.inputs
    both = inputs.get("images"), inputs.get("against")
    return both == (trained.images.address, evaluated.address)


def _warning(count: int, evaluated: Artifact, trained: Sequence[TrainedOn], how: str) -> str:
    who = ", ".join(dict.fromkeys(one.model.address for one in trained))
    return (
        f"{count:,} of {evaluated.manifest.rows:,} images of {evaluated.address} {how} images that "
        f"{who} learned from, so these numbers say less; 'rc duplicates --against' lists such "
        f"images, and 'rc select --without' leaves out their labels"
    )
