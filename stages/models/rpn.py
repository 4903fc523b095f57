"""Region proposal networks: class-agnostic boxes with objectness scores.

The parts and names are torchvision's, so its detection weights give the same results here; so do
detectron2's (`stages.models.rpn_detectron2`). Shapes: B images, H W pixels
(resized, padded), L maps, A_l anchors on map l.

Source: Faster R-CNN (arXiv:1506.01497); torchvision's `RegionProposalNetwork`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812  # the name all of torch's users know
from torchvision.models.detection.rpn import RPNHead

from stages.models.anchor_deltas import decode
from stages.models.device import resolve
from stages.models.model_cache import load_once
from stages.models.precision import computing_in, require_held
from stages.models.preprocess import NetworkInput, Size, prepare
from stages.models.rpn_anchors import anchors_on
from stages.models.rpn_backbones import RpnBackbone
from stages.models.rpn_spec import read_spec
from stages.models.weights import load_state, read_state, require_trained_statistics

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.models.rpn_spec import RpnSpec

    Boxes = tuple[NDArray[np.float32], NDArray[np.float32]]  # (R, 4) boxes, (R,) logits


class LevelPredictions(NamedTuple):
    """Of one map: logits (B, A_l), deltas (B, A_l, 4), anchors (A_l, 4) in the padded batch."""

    logits: torch.Tensor
    deltas: torch.Tensor
    anchors: torch.Tensor


class Rpn(nn.Module):
    """A region proposal network.

    Attributes:
        spec: Its architecture and preprocessing.
    """

    def __init__(self, spec: RpnSpec) -> None:
        super().__init__()
        self.spec = spec
        self.backbone = RpnBackbone(spec)
        num_anchors = len(spec.levels[0]) * len(spec.ratios)  # at each position
        head = RPNHead(self.backbone.width, num_anchors, spec.head_convs)
        self.rpn = nn.ModuleDict({"head": head})

    @property
    def size(self) -> Size:
        """The default size of resized images."""
        return Size(self.spec.shortest, self.spec.longest)

    def prepare(self, image: NDArray[np.uint8], size: Size) -> NetworkInput:
        """An image (H, W, 3) RGB, resized and normalised for this network, not yet padded."""
        if self.spec.channels == "bgr":
            image = image[:, :, ::-1]
        red, green, blue = (m / self.spec.scale for m in self.spec.mean)
        first, second, third = (s / self.spec.scale for s in self.spec.std)
        return prepare(image, size, "bilinear", (red, green, blue), (first, second, third))

    def pad(self, pixels: torch.Tensor) -> torch.Tensor:
        """Images (..., h, w), padded with zeros at the bottom and right; see `RpnSpec.divisor`."""
        high, wide = (-n % self.spec.divisor for n in pixels.shape[-2:])
        return F.pad(pixels, (0, wide, 0, high))

    def forward(self, pixels: torch.Tensor) -> list[LevelPredictions]:
        """Predictions on each of L maps for prepared and padded images (B, 3, H, W)."""
        return self._predict(self._hidden(pixels), pixels)

    @property
    def _head(self) -> Any:
        """Torchvision's `RPNHead`, which has no types."""
        return self.rpn["head"]

    def _hidden(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """What the head predicts from, on each of L maps: (B, C, h, w)."""
        return [self._head.conv(of_level) for of_level in self.backbone(pixels)]

    def _predict(
        self, hidden: Sequence[torch.Tensor], pixels: torch.Tensor
    ) -> list[LevelPredictions]:
        logits = [self._head.cls_logits(of_level) for of_level in hidden]
        deltas = [self._head.bbox_pred(of_level) for of_level in hidden]
        height, width = pixels.shape[-2:]
        anchors = anchors_on(self.spec, hidden, (height, width))
        return [
            LevelPredictions(_by_position(logit, 1).flatten(1), _by_position(delta, 4), anchor)
            for logit, delta, anchor in zip(logits, deltas, anchors, strict=True)
        ]

    @torch.inference_mode()
    def raw_boxes(
        self,
        prepared: NetworkInput,
        original: tuple[int, int],
        pre_nms: int | None = None,
        precision: str = "float32",
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
        """Boxes before any selection, and their logits, of one image.

        Args:
            prepared: The image, as `prepare` returns it.
            original: Width and height of the original image, pixels.
            pre_nms: Boxes kept of each map: those with the highest logits; None: as many as
                networks of this neck are published with.
            precision: Of all layers but the last, as `precision.computing_in` takes it: logits and
                deltas are float32.

        Returns:
            (R, 4) boxes in pixels of the original image, clipped to it; (R,) logits; and (R,) the
            index of the map of each box, fine to coarse. Map by map, highest logit first. A box
            may be empty, or NaN if the weights are bad.

        Raises:
            OptionError: If logits are beyond what float16 can hold.
        """
        self.eval()
        device = next(self.parameters()).device
        pixels = self.pad(prepared.pixels.to(device))[None]
        with computing_in(precision, device):
            hidden = self._hidden(pixels)
        predictions = self._predict([of_level.to(pixels) for of_level in hidden], pixels)
        boxes, scores, levels = [], [], []
        for level, (logits, deltas, anchors) in enumerate(predictions):
            require_held(logits, precision)
            order = (
                logits[0].sort(descending=True, stable=True).indices[: pre_nms or self.spec.pre_nms]
            )
            boxes.append(decode(deltas[0, order], anchors[order]))
            scores.append(logits[0, order])
            levels.append(np.full(len(order), level, np.uint8))
        height, width = prepared.pixels.shape[1:]
        limit = boxes[0].new_tensor([width, height, width, height])
        clipped = torch.minimum(torch.cat(boxes).clamp(min=0), limit).cpu().numpy()
        unscaled = clipped / np.array(prepared.scale * 2, np.float32)
        # rounding can leave a side outside by one ulp
        inside = np.minimum(unscaled, np.array(original * 2, np.float32))
        return inside, torch.cat(scores).cpu().numpy(), np.concatenate(levels)


def load_rpn(config: Path, weights: Path, device: str) -> Rpn:
    """The frozen network of a model.json and a weights file; read once per process and shared.

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


def _by_position(maps: torch.Tensor, values: int) -> torch.Tensor:
    """(B, a * values, h, w) to (B, h * w * a, values): position by position, anchor by anchor."""
    batch, _, height, width = maps.shape
    split = maps.view(batch, -1, values, height, width)
    return split.permute(0, 3, 4, 1, 2).reshape(batch, -1, values)
