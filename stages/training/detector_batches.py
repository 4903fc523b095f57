"""Batches of detector training: augmented images, with sampled regions and their targets.

Shapes: B images, P proposals and G objects of an image, R_b sampled regions of image b.

Source: Fast R-CNN (arXiv:1504.08083); order and constants as detectron2's `ROIHeads`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torchvision.ops import box_iou

from stages.seeds import generator
from stages.training.canvas import padded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from stages.training.augment import MultiScale
    from stages.training.detector_samples import DetectorSample


@dataclass(frozen=True, kw_only=True)
class RegionSampling:
    """How regions of an image are sampled.

    Attributes:
        regions: At most so many; all, if there are fewer.
        foreground: Largest share of regions on objects.
        iou: Smallest overlap of a region with its object; below, it is background.
        add_objects: Whether ground-truth boxes are regions too.
    """

    regions: int = 512
    foreground: float = 0.25
    iou: float = 0.5
    add_objects: bool = True


@dataclass(frozen=True, slots=True)
class Rois:
    """Sampled regions of an image, those on objects first.

    Attributes:
        boxes: (R, 4) float32, pixels of the network's input.
        classes: (R,) int64; the number of categories for background.
        targets: (R, 4) box of the object of each; zeros for background.
    """

    boxes: torch.Tensor
    classes: torch.Tensor
    targets: torch.Tensor


@dataclass(frozen=True, slots=True)
class DetectorBatch:
    """Input of one training step, or a micro-batch of it.

    Attributes:
        pixels: (B, 3, H, W) float32, zeros at the bottom and right of smaller images.
        rois: Sampled regions of each image.
        views: Facts of each augmented image: image_id, size, scale, flipped.
    """

    pixels: torch.Tensor
    rois: Sequence[Rois]
    views: Sequence[Mapping[str, Any]]

    def __len__(self) -> int:
        return len(self.rois)


def sample_rois(
    proposals: torch.Tensor,
    objects: torch.Tensor,
    classes: torch.Tensor,
    background: int,
    sampling: RegionSampling,
    rng: np.random.Generator,
) -> Rois:
    """Match proposals and objects by overlap, then sample regions at random.

    Args:
        proposals: (P, 4).
        objects: (G, 4) in the same pixels; P and G may be 0.
        classes: (G,).
        background: Class of regions without an object.
        sampling: Numbers and thresholds.
        rng: Decides which regions, if there are too many.
    """
    boxes = torch.cat([proposals, objects]) if sampling.add_objects else proposals
    if len(objects):
        best, owner = box_iou(objects, boxes).max(dim=0)
        matched = (best >= sampling.iou).numpy()
        region_classes = torch.where(torch.from_numpy(matched), classes[owner], background)
        targets = objects[owner]
    else:
        matched = np.zeros(len(boxes), bool)
        region_classes = torch.full((len(boxes),), background)
        targets = torch.zeros(len(boxes), 4)
    positive = _sample_indices(matched, int(sampling.regions * sampling.foreground), rng)
    negative = _sample_indices(~matched, sampling.regions - len(positive), rng)
    targets = torch.cat([targets[positive], torch.zeros(len(negative), 4)])
    chosen = np.concatenate([positive, negative])
    return Rois(boxes[chosen], region_classes[chosen], targets)


@dataclass(frozen=True)
class DetectorTransform:
    """Makes pixels and regions of a sample, at random by seed, epoch, part, image and copy.

    Attributes:
        pixels: Decodes a row of images to (H, W, 3) uint8.
        augment: Resizes and flips.
        background: Class of regions without an object: the number of categories.
        sampling: How regions are sampled.
        seed: Of all random choices.
    """

    pixels: Callable[[Mapping[str, Any]], NDArray[np.uint8]]
    augment: MultiScale
    background: int
    sampling: RegionSampling
    seed: int

    def __call__(
        self, sample: DetectorSample, epoch: int
    ) -> tuple[torch.Tensor, Rois, Mapping[str, Any]]:
        """Pixels (3, h, w), regions in them, and facts of the view, of the sample in `epoch`."""
        image_id = sample.image["image_id"]
        rng = generator(self.seed, "look", epoch, sample.part, image_id, sample.copy)
        view = self.augment(self.pixels(sample.image), rng)
        height, width = view.pixels.shape[1:]
        limits = torch.tensor([width, height, width, height], dtype=torch.float32)
        proposals, objects = (
            view.transform_boxes(boxes).clamp(min=0).minimum(limits)
            for boxes in (sample.proposals, sample.boxes)
        )
        visible = (objects[:, 2:] > objects[:, :2]).all(dim=1)
        classes = torch.from_numpy(sample.classes)[visible]
        rois = sample_rois(
            proposals, objects[visible], classes, self.background, self.sampling, rng
        )
        facts = {
            "image_id": image_id,
            "size": [height, width],
            "scale": list(view.scale),
            "flipped": view.flipped,
        }
        return view.pixels, rois, facts


def collate_rois(
    micro_batches: Sequence[Sequence[tuple[torch.Tensor, Rois, Mapping[str, Any]]]],
) -> list[DetectorBatch]:
    """The micro-batches of this rank, of several images each."""
    pixels = padded([[sample[0] for sample in samples] for samples in micro_batches])
    return [
        DetectorBatch(of_all, [rois for _, rois, _ in samples], [view for _, _, view in samples])
        for of_all, samples in zip(pixels, micro_batches, strict=True)
    ]


def _sample_indices(
    mask: NDArray[np.bool_], limit: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Indices where `mask` is true, at most `limit` of them at random, ascending."""
    indices = np.flatnonzero(mask)
    return indices if len(indices) <= limit else np.sort(rng.permutation(indices)[:limit])
