"""Batches of regions: images seen anew, with the regions that take part in this step.

Shapes: B images, R_b regions of image b, N regions of the batch, K kept concepts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from stages.models.preprocess import pad_batch
from stages.seeds import generator
from stages.text.mirroring import mirror_caption

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from stages.training.augment import MultiScale
    from stages.training.regions import Regions
    from stages.training.samples import Sample


@dataclass(frozen=True, slots=True)
class RegionView:
    """An image as a step sees it: its pixels (3, h, w), regions and boxes in them, one caption."""

    pixels: torch.Tensor
    boxes: torch.Tensor
    regions: Regions
    caption: str | None


@dataclass(frozen=True, slots=True)
class RegionBatch:
    """What one step of student training takes.

    Attributes:
        pixels: (B, 3, H, W) float32, zeros at the bottom and right of smaller images.
        sizes: (height, width) of each image inside `pixels`.
        boxes: B of (R_b, 4), pixels of `pixels`.
        concept_ids: (N,) int64.
        teacher: (N, K) int64 concepts, (N, K) probabilities, (N,) residual.
        captions: One of each image; None where it has none.
    """

    pixels: torch.Tensor
    sizes: Sequence[tuple[int, int]]
    boxes: Sequence[torch.Tensor]
    concept_ids: torch.Tensor
    teacher: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    captions: Sequence[str | None]

    def __len__(self) -> int:
        return len(self.sizes)


@dataclass(frozen=True)
class RegionTransform:
    """Makes a `RegionView` of a sample; what is drawn follows from seed, epoch, part and image.

    Attributes:
        pixels: Decodes a row of images to (H, W, 3) uint8.
        augment: Resizes and flips.
        regions_per_image: At most so many take part.
        among: See `Regions.drawn`.
        seed: Of all draws.
        mirror: Whether the caption of a flipped image has left and right swapped too.
    """

    pixels: Callable[[Mapping[str, Any]], NDArray[np.uint8]]
    augment: MultiScale
    regions_per_image: int
    among: str
    seed: int
    mirror: bool = False

    def __call__(self, sample: Sample, epoch: int) -> RegionView:
        """The sample as `epoch` sees it; it must have regions, if only none of them."""
        if sample.regions is None:
            raise ValueError(f"sample {sample.image['image_id']} was read without its regions")
        draw = generator(self.seed, "look", epoch, sample.part, sample.image["image_id"])
        regions = sample.regions.drawn(self.regions_per_image, self.among, draw)
        view = self.augment(self.pixels(sample.image), draw)
        caption = one_caption(sample.image, draw)
        if caption and self.mirror and view.flipped:
            caption = mirror_caption(caption)
        return RegionView(view.pixels, view.place(regions.boxes), regions, caption)


def one_caption(image: Mapping[str, Any], draw: np.random.Generator) -> str | None:
    """One of the image's captions, each as likely; None if it has none."""
    captions = image["captions"]
    return captions[int(draw.integers(len(captions)))] if captions else None


def collate(seen: Sequence[RegionView]) -> RegionBatch:
    """One batch of several images: their kept regions, or all of them where none is kept."""
    sure = [_certain(one) for one in seen]
    seen = sure if any(len(one.boxes) for one in sure) else seen
    regions = [one.regions for one in seen]
    kept = [r for r in regions if len(r.concept_ids)] or regions[:1]  # (0, K) where none has any
    return RegionBatch(
        pixels=pad_batch([one.pixels for one in seen]),
        sizes=[(one.pixels.shape[1], one.pixels.shape[2]) for one in seen],
        boxes=[one.boxes for one in seen],
        concept_ids=_joined([r.concept_ids for r in kept]),
        teacher=(
            _joined([r.top_ids for r in kept]).long(),
            _joined([r.top_probabilities for r in kept]),
            _joined([r.residual for r in kept]),
        ),
        captions=[one.caption for one in seen],
    )


def _certain(seen: RegionView) -> RegionView:
    kept = torch.from_numpy(seen.regions.kept)
    return replace(seen, boxes=seen.boxes[kept], regions=seen.regions.certain())


def _joined(arrays: Sequence[NDArray[Any]]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate(arrays))
