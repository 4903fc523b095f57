"""A step of image-text pretraining: each image is compared with each caption of the batch.

Source: CLIP (arXiv:2103.00020): symmetric contrastive loss, learned temperature of at least 0.01.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F  # noqa: N812  # the name all of torch's users know

from stages.models.precision import autocast
from stages.models.text_encoding import encode_trimmed
from stages.seeds import generator
from stages.training.losses import image_text_contrastive
from stages.training.region_batches import sample_caption

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from stages.models.clip import Clip
    from stages.training.augment import ZoomedCrop
    from stages.training.samples import Sample

LARGEST_LOG_SCALE = math.log(100)


@dataclass(frozen=True, slots=True)
class PairBatch:
    """Images (B, 3, S, S) float32, normalised, and one caption of each."""

    pixels: torch.Tensor
    captions: Sequence[str]

    def __len__(self) -> int:
        return len(self.captions)


@dataclass(frozen=True)
class PairTransform:
    """Makes pixels and a caption of a sample, at random by seed, epoch, part and image.

    Attributes:
        pixels: Decodes a row of images to (H, W, 3) uint8.
        augment: Crops to the network's native size.
        seed: Of all random choices.
    """

    pixels: Callable[[Mapping[str, Any]], NDArray[np.uint8]]
    augment: ZoomedCrop
    seed: int

    def __call__(self, sample: Sample, epoch: int) -> tuple[torch.Tensor, str]:
        """The view and caption of the sample in `epoch`."""
        rng = generator(self.seed, "look", epoch, sample.part, sample.image["image_id"])
        pixels = self.augment(self.pixels(sample.image), rng)
        return pixels, sample_caption(sample.image, rng) or ""


def collate_pairs(micro_batches: Sequence[Sequence[tuple[torch.Tensor, str]]]) -> list[PairBatch]:
    """The micro-batches of this rank, of several images and captions each."""
    return [
        PairBatch(torch.stack([pixels for pixels, _ in pairs]), [caption for _, caption in pairs])
        for pairs in micro_batches
    ]


class Pretraining:
    """Satisfies `batch_gradient.Learner`: trains the towers, or one, and the temperature."""

    def __init__(
        self, clip: Clip, precision: str, *, freeze_text: bool, long_captions: str = "keep-end"
    ) -> None:
        """Train `clip`, already on its device; `long_captions` is one of `tokens.LONG`."""
        self._clip = clip
        self._device = clip.logit_scale.device
        self._autocast = autocast(precision, self._device)
        self._freeze_text = freeze_text
        self._long_captions = long_captions
        clip.to(memory_format=torch.channels_last)  # a third faster on one core, measured
        clip.requires_grad_(True).train()
        if freeze_text:
            clip.requires_grad_(False).eval()
            clip.network.visual.requires_grad_(True).train()
            clip.logit_scale.requires_grad_(True)

    @property
    def module(self) -> torch.nn.Module:
        """See `batch_gradient.Learner.module`."""
        return self._clip

    def outputs(self, micro_batch: PairBatch) -> Mapping[str, torch.Tensor]:
        """See `batch_gradient.Learner.outputs`: unit features of images; of captions, if learned.

        (B, D) each.
        """
        pixels = micro_batch.pixels.to(self._device, memory_format=torch.channels_last)
        with self._autocast:
            images = self._clip.encode_images(pixels)
        images = F.normalize(images.float(), dim=1)
        return {"images": images, **({} if self._freeze_text else self._texts(micro_batch))}

    @torch.no_grad()
    def targets(self, micro_batch: PairBatch) -> Mapping[str, torch.Tensor]:
        """See `batch_gradient.Learner.targets`: unit embeddings of captions, if frozen."""
        return self._texts(micro_batch) if self._freeze_text else {}

    def losses(
        self, outputs: Mapping[str, torch.Tensor], targets: Mapping[str, torch.Tensor]
    ) -> Mapping[str, torch.Tensor]:
        """See `batch_gradient.Learner.losses`: and the share of images nearest to their caption."""
        images, texts = outputs["images"], {**outputs, **targets}["texts"]
        loss = image_text_contrastive(images, texts, (-self._clip.logit_scale).exp())
        nearest = (images.detach() @ texts.detach().T).argmax(dim=1)
        correct = nearest == torch.arange(len(nearest), device=nearest.device)
        return {"loss": loss, "accuracy": correct.float().mean()}

    @torch.no_grad()
    def after_step(self) -> Mapping[str, float]:
        """See `batch_gradient.Learner.after_step`: keeps the temperature at 0.01 or more."""
        self._clip.logit_scale.clamp_(max=LARGEST_LOG_SCALE)
        return {"logit_scale": float(self._clip.logit_scale.exp())}

    def _texts(self, pairs: PairBatch) -> dict[str, torch.Tensor]:
        tokens = self._clip.tokenize(pairs.captions, self._long_captions).to(self._device)
        with self._autocast:
            texts = encode_trimmed(self._clip, tokens)
        return {"texts": F.normalize(texts.float(), dim=1)}
