"""A step of student training: three losses over one batch of regions.

Shapes: B images, N regions of the batch, C concepts, D embedding width.

Source: RegionCLIP (arXiv:2112.09106), `PretrainFastRCNN`: the plain sum of the three losses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch.nn import functional as F  # noqa: N812  # the name all of torch's users know

from stages.models.text_encoding import FrozenTextEncoder
from stages.training.distributed import gather_ids, gather_rows
from stages.training.losses import distillation, image_text_contrastive, region_text_contrastive
from stages.training.precision import autocast
from stages.training.sigmoid_distillation import sigmoid_distillation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stages.models.clip import Clip
    from stages.training.region_batches import RegionBatch


@dataclass(frozen=True, kw_only=True)
class Objective:
    """Losses of a student, and their weights.

    Attributes:
        contrastive: Weight of the region-text contrastive loss; 0 is off.
        distillation: Weight of the distillation loss; 0 is off.
        image_text: Weight of the image-text contrastive loss; 0 is off.
        temperature: Divides every cosine similarity.
        bias: None if the teacher's probabilities exclude each other; else they are independent,
            and so are the student's where it is distilled, with this number added to its logits.
        whole: Box of the whole image: "padded" includes the padding, as published; "image" does
            not.
        over: Columns of the contrastive loss: "occurrences" has one per region, as published;
            "concepts" has one per concept.
        negatives: "batch" takes them from this rank, as published; "gathered" from all ranks.
        long_captions: One of `stages.models.tokens.LONG`.
    """

    contrastive: float = 1.0
    distillation: float = 1.0
    image_text: float = 1.0
    temperature: float = 0.01
    bias: float | None = None
    whole: Literal["padded", "image"] = "padded"
    over: Literal["occurrences", "concepts"] = "occurrences"
    negatives: Literal["batch", "gathered"] = "batch"
    long_captions: str = "cut"

    @property
    def regional(self) -> bool:
        """Whether any loss needs regions."""
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
    """Satisfies `loop.Learner`."""

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
        """See `loop.Learner.module`."""
        return self._clip

    def losses(self, batch: RegionBatch) -> Mapping[str, torch.Tensor]:
        """See `loop.Learner.losses`: those of the three that this batch has, and `regions`."""
        regional = self._objective.regional
        boxes = [b if regional else b[:0] for b in batch.boxes]
        use_captions = self._objective.image_text > 0
        captioned = [b for b, c in enumerate(batch.captions) if c and use_captions]
        num_regions = sum(len(b) for b in boxes)
        regions = images = self._concepts[:0]
        if num_regions or captioned:
            regions, images = self._features(batch, boxes, captioned)
        terms = {
            **self._region_terms(regions, batch),
            **self._image_term(images, [batch.captions[b] or "" for b in captioned]),
        }
        if terms:
            terms["loss"] = torch.stack(
                [getattr(self._objective, name) * term for name, term in terms.items()]
            ).sum()
        return {**terms, "regions": torch.tensor(float(num_regions))}

    def after_step(self) -> Mapping[str, float]:
        """See `loop.Learner.after_step`: nothing to do."""
        return {}

    def _region_terms(self, regions: torch.Tensor, batch: RegionBatch) -> dict[str, torch.Tensor]:
        objective, terms = self._objective, {}
        ids = batch.concept_ids.to(self._device)[: len(regions)]
        columns = self._columns(ids)  # even without regions: other ranks wait for this one
        if len(regions) and objective.contrastive:
            terms["contrastive"] = region_text_contrastive(
                regions, self._concepts[columns], ids, objective.temperature, columns
            )
        if len(regions) and objective.distillation:
            top, probabilities, residual = (t.to(self._device) for t in batch.teacher)
            terms["distillation"] = self._distillation(regions, (top, probabilities, residual))
        return terms

    def _distillation(
        self, regions: torch.Tensor, teacher: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        temperature, bias = self._objective.temperature, self._objective.bias
        if bias is None:
            return distillation(regions, self._concepts, teacher, temperature)
        return sigmoid_distillation(regions, self._concepts, teacher, temperature, bias)

    def _image_term(self, images: torch.Tensor, captions: Sequence[str]) -> dict[str, torch.Tensor]:
        if not self._objective.image_text:
            return {}
        texts = self._texts.embed(captions) if captions else self._concepts[:0]
        images, texts = gather_rows(images), gather_rows(texts)
        if not len(images):
            return {}
        return {"image_text": image_text_contrastive(images, texts, self._objective.temperature)}

    def _columns(self, ids: torch.Tensor) -> torch.Tensor:
        """Concepts (M,) of the columns, for regions with concepts `ids` (N,)."""
        columns = gather_ids(ids) if self._objective.negatives == "gathered" else ids
        return torch.unique(columns) if self._objective.over == "concepts" else columns

    def _features(
        self, batch: RegionBatch, boxes: Sequence[torch.Tensor], captioned: Sequence[int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Unit features (N, D) of regions and of the whole images `captioned`, from one pass."""
        image_boxes = [
            self._image_box(batch, b) if b in set(captioned) else boxes[b][:0]
            for b in range(len(batch))
        ]
        pooled = [torch.cat(pair).to(self._device) for pair in zip(boxes, image_boxes, strict=True)]
        is_whole = torch.cat(
            [torch.arange(len(p)) >= len(b) for p, b in zip(pooled, boxes, strict=True)]
        ).to(self._device)
        with self._autocast:
            feature_map = self._clip.trunk(batch.pixels.to(self._device))
            features = self._clip.pool_regions(feature_map, pooled)
        features = F.normalize(features.float(), dim=1)
        return features[~is_whole], features[is_whole]

    def _image_box(self, batch: RegionBatch, image: int) -> torch.Tensor:
        height, width = batch.sizes[image]
        if self._objective.whole == "padded":
            height, width = batch.pixels.shape[2:]
        return torch.tensor([[0.0, 0.0, float(width), float(height)]])
