"""A step of student training: up to four losses over one batch of regions.

Shapes: B images, N regions, C concepts, M crop features, T captions, D embedding width; F features
of all kinds.

Source: RegionCLIP (arXiv:2112.09106), `PretrainFastRCNN`: the plain sum of the three losses. The
fourth, crop distillation, is CLIPSelf's (arXiv:2310.01403).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import torch
from torch.nn import functional as F  # noqa: N812  # the name all of torch's users know

from stages.models.precision import autocast
from stages.models.text_encoding import FrozenTextEncoder
from stages.training.distributed import rank
from stages.training.losses import (
    crop_distillation,
    distillation,
    image_text_contrastive,
    region_text_contrastive,
)
from stages.training.sigmoid_distillation import sigmoid_distillation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stages.models.clip import Clip
    from stages.training.region_batches import RegionBatch

REGION, IMAGE, CROP = range(3)  # what a feature is of
_OF_REGIONS: Final = ("concept_ids", "top_ids", "top_probabilities", "residual")


@dataclass(frozen=True, kw_only=True)
class Objective:
    """Losses of a student, and their weights.

    Attributes:
        contrastive: Weight of the region-text contrastive loss; 0 is off.
        distillation: Weight of the distillation loss; 0 is off.
        image_text: Weight of the image-text contrastive loss; 0 is off.
        crop_distillation: Weight of the crop distillation loss; 0 is off.
        temperature: Divides every cosine similarity.
        bias: None if the teacher's probabilities exclude each other; else they are independent,
            and so are the student's where it is distilled, with this number added to its logits.
        whole: Box of the whole image: "padded" includes the padding, as published; "image" does
            not.
        over: Columns of the contrastive loss: "occurrences" has one per region, as published;
            "concepts" has one per concept.
        negatives: "batch" takes them from the same rank: losses of regions are then means over
            ranks of the loss of each, as published; "gathered" from the whole batch.
        long_captions: One of `stages.models.tokens.LONG`.
    """

    contrastive: float = 1.0
    distillation: float = 1.0
    image_text: float = 1.0
    crop_distillation: float = 0.0
    temperature: float = 0.01
    bias: float | None = None
    whole: Literal["padded", "image"] = "padded"
    over: Literal["occurrences", "concepts"] = "occurrences"
    negatives: Literal["batch", "gathered"] = "batch"
    long_captions: str = "cut"

    @property
    def regional(self) -> bool:
        """Whether any loss needs pseudo-labels."""
        return self.contrastive > 0 or self.distillation > 0


def make_trainable(clip: Clip, freeze: str) -> None:
    """Freeze parameters, and set training mode.

    Args:
        clip: Its language encoder is always frozen, because concepts were embedded with it.
        freeze: "reference" also freezes the stem, the first stage and every batch norm; "none"
            leaves the whole image tower trainable.
    """
    if freeze == "reference":
        clip.freeze_as_reference()
        clip.train()
        return
    clip.requires_grad_(False)
    clip.eval()
    clip.network.visual.requires_grad_(True).train()


class StudentTraining:
    """Satisfies `batch_gradient.Learner`."""

    def __init__(
        self, clip: Clip, embeddings: torch.Tensor, objective: Objective, precision: str
    ) -> None:
        """Train `clip`, already on its device, towards concepts with `embeddings` (C, D)."""
        self._clip = clip
        self._device = clip.logit_scale.device
        clip.network.visual.to(memory_format=torch.channels_last)  # 1.3 times faster
        self._concepts = F.normalize(embeddings.to(self._device).float(), dim=1)  # (C, D)
        self._objective = objective
        self._texts = FrozenTextEncoder(clip, self._device, objective.long_captions)
        self._autocast = autocast(precision, self._device)

    @property
    def module(self) -> torch.nn.Module:
        """See `batch_gradient.Learner.module`."""
        return self._clip

    def outputs(self, micro_batch: RegionBatch) -> Mapping[str, torch.Tensor]:
        """See `batch_gradient.Learner.outputs`: unit features (F, D), from one pass.

        Image by image, of what `targets` says that each is a feature of.
        """
        boxes = [torch.cat(of_image).to(self._device) for of_image in self._boxes(micro_batch)]
        if not any(len(of_image) for of_image in boxes):
            return {"features": self._concepts.new_zeros(0, self._clip.width)}
        with self._autocast:
            feature_map = self._clip.trunk(micro_batch.pixels.to(self._device))
            features = self._clip.pool_regions(feature_map, boxes)
        return {"features": F.normalize(features.float(), dim=1)}

    def targets(self, micro_batch: RegionBatch) -> Mapping[str, torch.Tensor]:
        """See `batch_gradient.Learner.targets`.

        Returns:
            kinds: (F,) int64 of each feature: of a REGION, a whole IMAGE, or a CROP.
            ranks, concept_ids, top_ids, top_probabilities, residual: of the N regions, see
                `RegionBatch`.
            texts: Unit embeddings (T, D) of the captions of the whole images.
            crops: Unit features (M, D) of the crops.
        """
        boxes = self._boxes(micro_batch)
        kinds = [torch.full((len(b),), kind) for groups in boxes for kind, b in enumerate(groups)]
        count = sum(len(groups[REGION]) for groups in boxes)
        top_ids, probabilities, residual = (rows[:count] for rows in micro_batch.teacher)
        captions = [micro_batch.captions[b] or "" for b in self._captioned(micro_batch)]
        nothing = self._concepts.new_zeros(0, self._clip.width)
        crops = nothing if micro_batch.crop_features is None else micro_batch.crop_features
        rows = {
            "kinds": torch.cat(kinds),
            "ranks": torch.full((count,), rank()),
            "concept_ids": micro_batch.concept_ids[:count],
            "top_ids": top_ids,
            "top_probabilities": probabilities,
            "residual": residual,
            "texts": self._texts.embed(captions) if captions else nothing,
            "crops": F.normalize(crops.to(self._device).float(), dim=1),
        }
        return {name: row.to(self._device) for name, row in rows.items()}

    def losses(
        self, outputs: Mapping[str, torch.Tensor], targets: Mapping[str, torch.Tensor]
    ) -> Mapping[str, torch.Tensor]:
        """See `batch_gradient.Learner.losses`: those that the batch has, and `regions`."""
        features, kinds = outputs["features"], targets["kinds"]
        regions, images, crops = (features[kinds == kind] for kind in (REGION, IMAGE, CROP))
        terms = {
            **self._region_terms(regions, targets),
            **self._image_term(images, targets["texts"]),
            **self._crop_term(crops, targets["crops"]),
        }
        if terms:
            terms["loss"] = torch.stack(
                [getattr(self._objective, name) * term for name, term in terms.items()]
            ).sum()
        return {**terms, "regions": torch.tensor(float(len(regions) + len(crops)))}

    def after_step(self) -> Mapping[str, float]:
        """See `batch_gradient.Learner.after_step`: nothing to do."""
        return {}

    def _region_terms(
        self, regions: torch.Tensor, targets: Mapping[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        """Losses of the regions of the batch; or, as published, means over ranks of those of each.

        A rank without a region has no loss to take part in the mean.
        """
        terms: dict[str, list[torch.Tensor]] = {}
        for rows in self._compared(targets["ranks"]):
            of_some = {name: targets[name][rows] for name in _OF_REGIONS}
            for name, term in self._terms_among(regions[rows], of_some).items():
                terms.setdefault(name, []).append(term)
        return {name: torch.stack(of_ranks).mean() for name, of_ranks in terms.items()}

    def _compared(self, ranks: torch.Tensor) -> list[Any]:
        """Indices of the regions, given the rank of each, that are compared with one another."""
        present = torch.unique(ranks).tolist()
        if self._objective.negatives == "gathered" or len(present) < 2:
            return [slice(None)] if present else []
        return [ranks == number for number in present]

    def _terms_among(
        self, regions: torch.Tensor, targets: Mapping[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        objective, terms = self._objective, {}
        if objective.contrastive:
            ids = targets["concept_ids"]
            columns = torch.unique(ids) if objective.over == "concepts" else ids
            terms["contrastive"] = region_text_contrastive(
                regions, self._concepts[columns], ids, objective.temperature, columns
            )
        if objective.distillation:
            names = ("top_ids", "top_probabilities", "residual")
            top_ids, probabilities, residual = (targets[name] for name in names)
            terms["distillation"] = self._distillation(regions, (top_ids, probabilities, residual))
        return terms

    def _distillation(
        self, regions: torch.Tensor, teacher: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        temperature, bias = self._objective.temperature, self._objective.bias
        if bias is None:
            return distillation(regions, self._concepts, teacher, temperature)
        return sigmoid_distillation(regions, self._concepts, teacher, temperature, bias)

    def _image_term(self, images: torch.Tensor, texts: torch.Tensor) -> dict[str, torch.Tensor]:
        if not len(images):
            return {}
        return {"image_text": image_text_contrastive(images, texts, self._objective.temperature)}

    def _crop_term(self, regions: torch.Tensor, crops: torch.Tensor) -> dict[str, torch.Tensor]:
        if not len(regions):
            return {}
        return {"crop_distillation": crop_distillation(regions, crops)}

    def _captioned(self, batch: RegionBatch) -> list[int]:
        """Images whose caption is learned from."""
        use = self._objective.image_text > 0
        return [b for b, caption in enumerate(batch.captions) if caption and use]

    def _boxes(self, batch: RegionBatch) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Boxes of each image that a loss needs: REGION, IMAGE, CROP; (0, 4) of what none needs."""
        captioned = set(self._captioned(batch))
        none = [boxes[:0] for boxes in batch.boxes]
        regions = batch.boxes if self._objective.regional else none
        wholes = [
            self._image_box(batch, b) if b in captioned else none[b] for b in range(len(batch))
        ]
        crops = batch.crop_boxes if self._objective.crop_distillation else None
        return list(zip(regions, wholes, none if crops is None else crops, strict=True))

    def _image_box(self, batch: RegionBatch, image: int) -> torch.Tensor:
        height, width = batch.sizes[image]
        if self._objective.whole == "padded":
            height, width = batch.pixels.shape[2:]
        return torch.tensor([[0.0, 0.0, float(width), float(height)]])
