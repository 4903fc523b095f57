"""Region proposal networks: class-agnostic boxes and how object-like each is.

Made of torchvision's parts, with its names, so that its detection weights give here what they
give there; so do detectron2's (`stages.models.rpn_detectron2`). Shapes: B images, H W pixels
(resized, padded), L maps, A_l anchors on map l.

Source: Faster R-CNN (arXiv:1506.01497); torchvision's `RegionProposalNetwork`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # the name all of torch's users know
from torchvision.models.detection.rpn import RPNHead

from stages.models.cache import load_once
from stages.models.device import resolve
from stages.models.preprocess import Prepared, Size, prepare
from stages.models.rpn_anchors import anchors_on
from stages.models.rpn_boxes import decode
from stages.models.rpn_spec import read_spec
from stages.models.rpn_trunks import Backbone
from stages.models.weights import load_state, read_state, require_trained_statistics

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.models.rpn_spec import RpnSpec

    Boxes = tuple[NDArray[np.float32], NDArray[np.float32]]  # (R, 4) boxes, (R,) logits


class Level(NamedTuple):
    """One map: logits (B, A_l), deltas (B, A_l, 4), anchors (A_l, 4) in the padded batch."""

    logits: torch.Tensor
    deltas: torch.Tensor
    anchors: torch.Tensor


class Rpn(nn.Module):
    """A region proposal network.

    Attributes:
        spec: What it is.
    """

    def __init__(self, spec: RpnSpec) -> None:
        super().__init__()
        self.spec = spec
        self.backbone = Backbone(spec)
        per_place = len(spec.levels[0]) * len(spec.ratios)
        self.rpn = nn.ModuleDict({"head": RPNHead(self.backbone.width, per_place, spec.head_convs)})

    @property
    def size(self) -> Size:
        """How large images become, if nothing else is asked for."""
        return Size(self.spec.shortest, self.spec.longest)

    def prepare(self, image: NDArray[np.uint8], size: Size) -> Prepared:
        """An image (H, W, 3) RGB as this network takes it, not yet padded."""
        if self.spec.channels == "bgr":
            image = image[:, :, ::-1]
        red, green, blue = (m / self.spec.scale for m in self.spec.mean)
        spread = (s / self.spec.scale for s in self.spec.std)
        first, second, third = spread
        return prepare(image, size, "bilinear", (red, green, blue), (first, second, third))

    def pad(self, pixels: torch.Tensor) -> torch.Tensor:
        """Images (..., h, w) with zeros at the bottom and right, to what the strides divide."""
        high, wide = (-n % self.spec.divisor for n in pixels.shape[-2:])
        return F.pad(pixels, (0, wide, 0, high))

    def forward(self, pixels: torch.Tensor) -> list[Level]:
        """What the head says on each of L maps, of images (B, 3, H, W) prepared and padded."""
        maps = self.backbone(pixels)
        logits, deltas = self.rpn["head"](maps)
        high, wide = pixels.shape[-2:]
        anchors = anchors_on(self.spec, maps, (high, wide))
        return [
            Level(_by_place(logit, 1).flatten(1), _by_place(delta, 4), anchor)
            for logit, delta, anchor in zip(logits, deltas, anchors, strict=True)
        ]

    def raw(
        self, images: Iterable[NDArray[np.uint8]], size: Size | None = None, pre_nms: int = 1000
    ) -> list[Boxes]:
        """Boxes before any selection, and their logits, of images (H, W, 3) RGB.

        Each image goes through alone: what it gives does not depend on its company.
        """
        found = []
        for image in images:
            seen = self.prepare(image, size or self.size)
            boxes, logits, _ = self.raw_boxes(seen, (image.shape[1], image.shape[0]), pre_nms)
            found.append((boxes, logits))
        return found

    @torch.inference_mode()
    def raw_boxes(
        self, seen: Prepared, original: tuple[int, int], pre_nms: int = 1000
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
        """Boxes before any selection, and their logits, of one image.

        Args:
            seen: The image, as `prepare` gives it.
            original: Width and height before that, pixels.
            pre_nms: Boxes kept of each map, those of the highest logits.

        Returns:
            (R, 4) boxes in pixels of the original image, inside it, (R,) logits, and (R,) the map
            each comes from, fine to coarse; map by map, highest logit first. Boxes may be empty,
            and NaN if weights make them so.
        """
        self.eval()
        pixels = self.pad(seen.pixels.to(next(self.parameters()).device))[None]
        boxes, scores, levels = [], [], []
        for level, (logits, deltas, anchors) in enumerate(self(pixels)):
            order = logits[0].sort(descending=True, stable=True).indices[:pre_nms]
            boxes.append(decode(deltas[0, order], anchors[order]))
            scores.append(logits[0, order])
            levels.append(np.full(len(order), level, np.uint8))
        high, wide = seen.pixels.shape[1:]
        limit = boxes[0].new_tensor([wide, high, wide, high])
        clipped = torch.minimum(torch.cat(boxes).clamp(min=0), limit).cpu().numpy()
        back = clipped / np.array(seen.scale * 2, np.float32)
        inside = np.minimum(back, np.array(original * 2, np.float32))  # an ulp may be outside
        return inside, torch.cat(scores).cpu().numpy(), np.concatenate(levels)


def load_rpn(config: Path, weights: Path, device: str) -> Rpn:
    """The network of a model.json and a weights file, ready to propose; once per process.

    Files that changed on disk are read again.

    Raises:
        SourceError: If a file is missing or damaged, or the two do not fit each other.
    """
    return load_once(_read_frozen, config, weights, device)


def _read_frozen(config: Path, weights: Path, device: str) -> Rpn:
    rpn = Rpn(read_spec(config))
    state = read_state(weights)
    if not rpn.spec.constant_statistics:
        require_trained_statistics(state, str(weights))
    load_state(rpn, state, str(weights))
    return rpn.eval().requires_grad_(False).to(resolve(device))


def _by_place(maps: torch.Tensor, each: int) -> torch.Tensor:
    """(B, a * each, h, w) to (B, h * w * a, each): place by place, anchor by anchor."""
    count, _, high, wide = maps.shape
    split = maps.view(count, -1, each, high, wide)
    return split.permute(0, 3, 4, 1, 2).reshape(count, -1, each)
