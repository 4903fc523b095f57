"""Batches of regions: augmented images, with the regions that take part in a step.

Shapes: B images, R_b regions of image b, N regions of the batch, K kept concepts, Q_b crop features
of image b, M of the batch, D width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from stages.seeds import generator
from stages.text.mirroring import mirror_caption
from stages.training.canvas import padded
from stages.training.distributed import largest
from stages.training.regions import no_regions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from stages.training.augment import MultiScale
    from stages.training.regions import Regions
    from stages.training.samples import Sample


@dataclass(frozen=True, slots=True)
class RegionView:
    """An augmented image: pixels (3, h, w), its regions, their boxes in pixels, one caption.

    If it has crop features, also their boxes (Q, 4) in pixels, and the features (Q, D).
    """

    pixels: torch.Tensor
    boxes: torch.Tensor
    regions: Regions
    caption: str | None
    crops: tuple[torch.Tensor, NDArray[Any]] | None = None


@dataclass(frozen=True, slots=True)
class RegionBatch:
    """Input of one step of student training, or a micro-batch of it.

    Attributes:
        pixels: (B, 3, H, W) float32, zeros at the bottom and right of smaller images.
        sizes: (height, width) of each image inside `pixels`.
        boxes: B of (R_b, 4), pixels of `pixels`.
        concept_ids: (N,) int64.
        teacher: (N, K) int64 concepts, (N, K) probabilities, (N,) residual.
        captions: One of each image; None if it has none.
        crop_boxes: B of (Q_b, 4), pixels of `pixels`; None without crop features.
        crop_features: (M, D) of the crops of these boxes, not normalised.
    """

    pixels: torch.Tensor
    sizes: Sequence[tuple[int, int]]
    boxes: Sequence[torch.Tensor]
    concept_ids: torch.Tensor
    teacher: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    captions: Sequence[str | None]
    crop_boxes: Sequence[torch.Tensor] | None = None
    crop_features: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.sizes)


@dataclass(frozen=True)
class RegionTransform:
    """Makes a `RegionView` of a sample, at random by seed, epoch, part and image.

    Attributes:
        pixels: Decodes a row of images to (H, W, 3) uint8.
        augment: Resizes and flips.
        regions_per_image: At most so many are sampled, of pseudo-labels and of crop features.
        among: See `Regions.sampled`.
        seed: Of all random choices.
        mirror: Whether left and right are swapped in the caption of a flipped image.
    """

    pixels: Callable[[Mapping[str, Any]], NDArray[np.uint8]]
    augment: MultiScale
    regions_per_image: int
    among: Literal["proposals", "labelled"]
    seed: int
    mirror: bool = False

    def __call__(self, sample: Sample, epoch: int) -> RegionView:
        """The view of the sample in `epoch`."""
        rng = generator(self.seed, "look", epoch, sample.part, sample.image["image_id"])
        known = no_regions() if sample.regions is None else sample.regions
        regions = known.sampled(self.regions_per_image, self.among, rng)
        view = self.augment(self.pixels(sample.image), rng)
        caption = sample_caption(sample.image, rng)
        if caption and self.mirror and view.flipped:
            caption = mirror_caption(caption)
        crops = None
        if sample.crops is not None:
            some = sample.crops.sampled(self.regions_per_image, rng)
            crops = view.transform_boxes(some.boxes), some.features
        boxes = view.transform_boxes(regions.boxes)
        return RegionView(view.pixels, boxes, regions, caption, crops)


def sample_caption(image: Mapping[str, Any], rng: np.random.Generator) -> str | None:
    """A random caption of the image; None if it has none."""
    captions = image["captions"]
    return captions[int(rng.integers(len(captions)))] if captions else None


def collate(
    micro_batches: Sequence[Sequence[RegionView]], *, each_rank: bool = False
) -> list[RegionBatch]:
    """The micro-batches of this rank: their kept regions, or all where none of a batch is kept.

    Args:
        micro_batches: Images of each.
        each_rank: Whether a rank whose own images have no kept region takes all of its regions, as
            in the published code; else only if no rank has a kept one.
    """
    certain = [[_certain(view) for view in views] for views in micro_batches]
    kept = [int(any(len(view.boxes) for views in certain for view in views))]
    chosen = certain if any(kept if each_rank else largest(kept)) else micro_batches
    pixels = padded([[view.pixels for view in views] for views in chosen])
    return [_batch(*pair) for pair in zip(pixels, chosen, strict=True)]


def _batch(pixels: torch.Tensor, views: Sequence[RegionView]) -> RegionBatch:
    regions = [view.regions for view in views]
    crops = [view.crops for view in views if view.crops is not None]
    kept = [r for r in regions if len(r.concept_ids)] or regions[:1]  # (0, K) where none has any
    return RegionBatch(
        pixels=pixels,
        sizes=[(view.pixels.shape[1], view.pixels.shape[2]) for view in views],
        boxes=[view.boxes for view in views],
        concept_ids=_joined([r.concept_ids for r in kept]),
        teacher=(
            _joined([r.top_ids for r in kept]).long(),
            _joined([r.top_probabilities for r in kept]),
            _joined([r.residual for r in kept]),
        ),
        captions=[view.caption for view in views],
        crop_boxes=[boxes for boxes, _ in crops] if crops else None,
        crop_features=_joined([features for _, features in crops]) if crops else None,
    )


def _certain(view: RegionView) -> RegionView:
    kept = torch.from_numpy(view.regions.kept)
    return replace(view, boxes=view.boxes[kept], regions=view.regions.certain())


def _joined(arrays: Sequence[NDArray[Any]]) -> torch.Tensor:
    return torch.from_numpy(np.concatenate(arrays))
