"""Batches of detector training: images seen anew, with sampled regions and what they are.

Shapes: B images, P proposals and G objects of an image, R_b sampled regions of image b.

Source: Fast R-CNN (arXiv:1504.08083); order and constants as detectron2's `ROIHeads`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torchvision.ops import box_iou

from stages.models.preprocess import pad_batch
from stages.seeds import generator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from stages.training.augment import MultiScale
    from stages.training.detector_samples import Scene


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which regions of an image a step learns from.

    Attributes:
        regions: So many at most; all, if there are fewer.
        foreground: Largest share of these that are objects.
        iou: From this overlap with an object on a region is that object, else background.
        add_objects: Whether the boxes that people drew are regions too.
    """

    regions: int = 512
    foreground: float = 0.25
    iou: float = 0.5
    add_objects: bool = True


@dataclass(frozen=True, slots=True)
class Rois:
    """Sampled regions of an image, objects first.

    Attributes:
        boxes: (R, 4) float32, pixels of the network's input.
        classes: (R,) int64; the number of categories for background.
        targets: (R, 4) the object that each belongs to; zeros for background.
    """

    boxes: torch.Tensor
    classes: torch.Tensor
    targets: torch.Tensor


@dataclass(frozen=True, slots=True)
class DetectorBatch:
    """What one step takes.

    Attributes:
        pixels: (B, 3, H, W) float32, zeros at the bottom and right of smaller images.
        rois: Of each image.
        views: What is known of each image: image_id, size, scale, flipped.
    """

    pixels: torch.Tensor
    rois: Sequence[Rois]
    views: Sequence[Mapping[str, Any]]

    def __len__(self) -> int:
        return len(self.rois)


def sample(
    proposals: torch.Tensor,
    objects: torch.Tensor,
    classes: torch.Tensor,
    background: int,
    how: Sampling,
    draw: np.random.Generator,
) -> Rois:
    """Regions to learn from: proposals and objects matched by overlap, then drawn at random.

    Args:
        proposals: (P, 4).
        objects: (G, 4) in the same pixels; P and G may be 0.
        classes: (G,).
        background: Class of what is no object.
        how: Numbers.
        draw: Decides which, where there are too many.
    """
    boxes = torch.cat([proposals, objects]) if how.add_objects else proposals
    if len(objects):
        best, owner = box_iou(objects, boxes).max(dim=0)
        found = (best >= how.iou).numpy()
        kinds = torch.where(torch.from_numpy(found), classes[owner], background)
        targets = objects[owner]
    else:
        found = np.zeros(len(boxes), bool)
        kinds, targets = torch.full((len(boxes),), background), torch.zeros(len(boxes), 4)
    positive = _some(found, int(how.regions * how.foreground), draw)
    negative = _some(~found, how.regions - len(positive), draw)
    targets = torch.cat([targets[positive], torch.zeros(len(negative), 4)])
    chosen = np.concatenate([positive, negative])
    return Rois(boxes[chosen], kinds[chosen], targets)


@dataclass(frozen=True)
class SceneTransform:
    """Makes pixels and regions of a scene; draws follow from seed, epoch, part, image and copy.

    Attributes:
        pixels: Decodes a row of images to (H, W, 3) uint8.
        augment: Resizes and flips.
        background: Class of what is no object, the number of categories.
        how: Which regions are drawn.
        seed: Of all draws.
    """

    pixels: Callable[[Mapping[str, Any]], NDArray[np.uint8]]
    augment: MultiScale
    background: int
    how: Sampling
    seed: int

    def __call__(self, scene: Scene, epoch: int) -> tuple[torch.Tensor, Rois, Mapping[str, Any]]:
        """Pixels (3, h, w), regions in them, and facts of the view, as `epoch` sees the scene."""
        image_id = scene.image["image_id"]
        draw = generator(self.seed, "look", epoch, scene.part, image_id, scene.copy)
        view = self.augment(self.pixels(scene.image), draw)
        height, width = view.pixels.shape[1:]
        limits = torch.tensor([width, height, width, height], dtype=torch.float32)
        proposals, objects = (
            view.place(boxes).clamp(min=0).minimum(limits)
            for boxes in (scene.proposals, scene.boxes)
        )
        kept = (objects[:, 2:] > objects[:, :2]).all(dim=1)
        classes = torch.from_numpy(scene.classes)[kept]
        rois = sample(proposals, objects[kept], classes, self.background, self.how, draw)
        facts = {
            "image_id": image_id,
            "size": [height, width],
            "scale": list(view.scale),
            "flipped": view.flipped,
        }
        return view.pixels, rois, facts


def collate_scenes(
    seen: Sequence[tuple[torch.Tensor, Rois, Mapping[str, Any]]],
) -> DetectorBatch:
    """One batch of several images."""
    pixels, rois, views = zip(*seen, strict=True)
    return DetectorBatch(pad_batch(pixels), rois, views)


def _some(which: NDArray[np.bool_], most: int, draw: np.random.Generator) -> NDArray[np.int64]:
    """Places where `which` holds, at most so many, drawn at random, in ascending order."""
    places = np.flatnonzero(which)
    return places if len(places) <= most else np.sort(draw.permutation(places)[:most])
