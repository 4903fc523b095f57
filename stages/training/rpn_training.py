"""A step of RPN training: images with ground-truth boxes in, objectness and box losses out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import torch

from stages.models.precision import autocast
from stages.models.rpn import LevelPredictions
from stages.models.rpn_creation import freeze_norms
from stages.models.rpn_targets import losses
from stages.proposals.object_boxes import object_boxes
from stages.seeds import generator
from stages.training.augment import View
from stages.training.canvas import padded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from stages.base import Part
    from stages.models.preprocess import Size
    from stages.models.rpn import Rpn
    from stages.models.rpn_targets import AnchorTargetConfig


@dataclass(frozen=True, slots=True)
class BoxSample:
    """An image with ground-truth boxes.

    Attributes:
        part: Number of its part.
        image: Its row of images without captions and objects.
        boxes: (G, 4) in pixels of the original image; G at least 1.
    """

    part: int
    image: Mapping[str, Any]
    boxes: NDArray[np.float32]


class BoxedImages(Sequence[BoxSample]):
    """The images of a part that have a ground-truth box; each sample is made at access.

    An image without a box may be empty or may never have been annotated, so it is left out.

    Args:
        part: Read from its `images`.
        only: Categories whose boxes are taken; None takes all boxes.
    """

    def __init__(self, part: Part, only: Collection[str] | None = None) -> None:
        images = part.table("images")
        self._number = part.number
        self._boxes = object_boxes(images, only)
        self._images = images.drop_columns(["captions", "objects"])
        self._rows = [row for row, boxes in enumerate(self._boxes) if len(boxes)]

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> BoxSample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[BoxSample]: ...
    def __getitem__(self, index: int | slice) -> BoxSample | Sequence[BoxSample]:
        """The sample at `index`, which keeps nothing else of the part in memory."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = self._rows[index]
        image = self._images.slice(row, 1).to_pylist()[0]
        return BoxSample(self._number, image, self._boxes[row].copy())


@dataclass(frozen=True)
class BoxTransform:
    """Makes pixels and boxes of a sample, at random by seed, epoch, part and image.

    Attributes:
        pixels: Decodes a row of images to (H, W, 3) uint8.
        rpn: Prepares pixels for itself.
        sizes: Sizes to choose from, all equally likely.
        flip: Whether to flip half of the images left to right.
        seed: Of all random choices.
    """

    pixels: Callable[[Mapping[str, Any]], NDArray[np.uint8]]
    rpn: Rpn
    sizes: Sequence[Size]
    flip: bool
    seed: int

    def __call__(self, sample: BoxSample, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels (3, h, w) and boxes (G, 4) in them, of the sample in `epoch`."""
        rng = generator(self.seed, "look", epoch, sample.part, sample.image["image_id"])
        size = self.sizes[int(rng.integers(len(self.sizes)))]
        flipped = self.flip and bool(rng.integers(2))
        prepared = self.rpn.prepare(self.pixels(sample.image), size)
        pixels = prepared.pixels.flip(2) if flipped else prepared.pixels
        view = View(pixels, prepared.scale, flipped)
        return view.pixels, view.transform_boxes(sample.boxes)


@dataclass(frozen=True, slots=True)
class BoxBatch:
    """Images (B, 3, H, W) float32, normalised and padded, and boxes (G, 4) of each."""

    pixels: torch.Tensor
    boxes: Sequence[torch.Tensor]

    def __len__(self) -> int:
        return len(self.boxes)


def collate_boxes(
    micro_batches: Sequence[Sequence[tuple[torch.Tensor, torch.Tensor]]],
) -> list[BoxBatch]:
    """The micro-batches of this rank, of several images and their boxes each."""
    pixels = padded([[image for image, _ in views] for views in micro_batches])
    boxes = [[boxes for _, boxes in views] for views in micro_batches]
    return [BoxBatch(*pair) for pair in zip(pixels, boxes, strict=True)]


class RpnTraining:
    """Satisfies `batch_gradient.Learner`: trains a whole RPN, with or without its batch norms."""

    def __init__(
        self, rpn: Rpn, targets: AnchorTargetConfig, precision: str, *, hold_norms: bool
    ) -> None:
        """Train `rpn`, already on its device."""
        self._rpn = rpn
        self._targets = targets
        self._device = next(rpn.parameters()).device
        self._autocast = autocast(precision, self._device)
        rpn.requires_grad_(True).train()
        if hold_norms:
            freeze_norms(rpn)

    @property
    def module(self) -> torch.nn.Module:
        """See `batch_gradient.Learner.module`."""
        return self._rpn

    def outputs(self, micro_batch: BoxBatch) -> Mapping[str, torch.Tensor]:
        """See `batch_gradient.Learner.outputs`: of all levels together.

        Logits (B, A), deltas (B, A, 4), and anchors (A, 4), which are the same in all micro-batches
        because all have the same canvas.
        """
        pixels = self._rpn.pad(micro_batch.pixels.to(self._device))
        with self._autocast:
            levels = self._rpn(pixels)
        return {
            "logits": torch.cat([level.logits.float() for level in levels], dim=1),
            "deltas": torch.cat([level.deltas.float() for level in levels], dim=1),
            "anchors": torch.cat([level.anchors.float() for level in levels]),
        }

    def targets(self, micro_batch: BoxBatch) -> Mapping[str, torch.Tensor]:
        """See `batch_gradient.Learner.targets`: boxes of all images, and how many each image has.

        (sum of G, 4) and (B,) int64.
        """
        boxes = torch.cat(list(micro_batch.boxes)).to(self._device)
        counts = torch.tensor([len(boxes) for boxes in micro_batch.boxes], device=self._device)
        return {"boxes": boxes, "counts": counts}

    def losses(
        self, outputs: Mapping[str, torch.Tensor], targets: Mapping[str, torch.Tensor]
    ) -> Mapping[str, torch.Tensor]:
        """See `batch_gradient.Learner.losses`: the weighted sum and its two terms."""
        logits, deltas = outputs["logits"], outputs["deltas"]
        anchors = outputs["anchors"].detach()[: logits.shape[1]]
        boxes = torch.split(targets["boxes"], targets["counts"].tolist())
        predictions = [LevelPredictions(logits, deltas, anchors)]
        objectness, box = losses(predictions, boxes, self._targets)
        total = objectness + self._targets.box_weight * box
        return {"loss": total, "objectness_loss": objectness, "box_loss": box}

    def after_step(self) -> Mapping[str, float]:
        """See `batch_gradient.Learner.after_step`: nothing to do."""
        return {}
