"""Recognise: features of the boxes of one image, by RoIAlign or by cropping and classifying.

Shapes: R boxes of an image, D feature width, S native side of the image tower, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from PIL import Image

from stages.models.box_deltas import decode
from stages.models.clip import load_clip
from stages.models.detector import is_detector, load_detector
from stages.models.preprocess import normalise, prepare
from stages.models.resizing import Size

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.models.detector import Detector
    from stages.models.network import Clip

_TOGETHER: Final = 128  # regions embedded together: 100 MB of RoIAligned maps of an RN50


@dataclass(frozen=True)
class PoolingConfig:
    """How a model looks at boxes.

    Attributes:
        pooling: roialign, from one feature map of the resized image; or crop, where each box is
            cut out of the original, made square without regard to its shape, and embedded like an
            image of its own.
        resize: Size of the image for roialign, as `Size.parse` takes it.
        interpolation: bilinear or bicubic; of the image, or of the crops.
        margin: What a crop takes in on each side, as a share of the box's width and height.
    """

    pooling: str
    resize: str
    interpolation: str
    margin: float


@dataclass(frozen=True)
class Model:
    """What is evaluated: a CLIP, and the detector around it if it is one."""

    clip: Clip
    detector: Detector | None = None

    @property
    def categories(self) -> tuple[str, ...]:
        """What a detector has learned, in the order of its embeddings; nothing for a CLIP."""
        return self.detector.head.categories if self.detector else ()

    @property
    def temperature(self) -> float | None:
        """What a detector divides its cosines by."""
        return self.detector.head.temperature if self.detector else None

    @property
    def background(self) -> NDArray[np.float32] | None:
        """(D,) if a detector has learned one."""
        if self.detector is None or self.detector.head.background == "zero":
            return None
        return np.asarray(self.detector.background.detach().float().cpu().numpy())

    @property
    def embeddings(self) -> NDArray[np.float32] | None:
        """(K, D) of a detector's own categories."""
        if self.detector is None:
            return None
        return np.asarray(self.detector.embeddings.float().cpu().numpy())

    @property
    def moves(self) -> str:
        """How boxes are moved: agnostic, specific (to each category learned), or none."""
        return self.detector.head.regression if self.detector else "none"

    @torch.inference_mode()
    def moved(
        self, features: NDArray[np.float32], boxes: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Where a detector says the boxes really are: (R, 4), or (R, K, 4) if that is specific.

        Args:
            features: (R, D), as they are.
            boxes: (R, 4), in any frame.
        """
        deltas = self.detector.regress(torch.from_numpy(features)) if self.detector else None
        if deltas is None or self.detector is None:
            return boxes
        moved = decode(torch.from_numpy(boxes), deltas.float().cpu(), self.detector.head.weights)
        found = np.asarray(moved.numpy())
        return found if self.moves == "agnostic" else found.reshape(len(boxes), -1, 4)


def load_model(config: Path, weights: Path, device: str) -> Model:
    """The teacher, student or detector of two files, frozen, once per process.

    Raises:
        SourceError: If the files are missing, damaged, or do not fit each other.
    """
    if not is_detector(config):
        return Model(load_clip(config, weights, device))
    detector = load_detector(config, weights, device)
    return Model(detector.clip, detector)


@torch.inference_mode()
def region_features(
    clip: Clip, image: NDArray[np.uint8], boxes: NDArray[np.float32], look: PoolingConfig
) -> NDArray[np.float32]:
    """Features of the boxes of one image, not normalised.

    Args:
        clip: Its image tower is used.
        image: (H, W, 3) RGB.
        boxes: (R, 4), pixels of `image`.
        look: How.

    Returns:
        (R, D).
    """
    if not len(boxes):
        return np.zeros((0, clip.width), np.float32)
    found = _cropped if look.pooling == "crop" else _aligned
    return np.asarray(torch.cat(found(clip, image, boxes, look)).float().cpu().numpy())


def _aligned(
    clip: Clip, image: NDArray[np.uint8], boxes: NDArray[np.float32], look: PoolingConfig
) -> list[torch.Tensor]:
    spec = clip.spec
    size = Size.parse(look.resize, spec.image_size)
    prepared = prepare(image, size, look.interpolation, spec.mean, spec.std)
    place = clip.logit_scale.device
    feature_map = clip.trunk(prepared.pixels[None].to(place))
    placed = prepared.scale_boxes(boxes).to(place)
    return [clip.pool_regions(feature_map, [some]) for some in torch.split(placed, _TOGETHER)]


def _cropped(
    clip: Clip, image: NDArray[np.uint8], boxes: NDArray[np.float32], look: PoolingConfig
) -> list[torch.Tensor]:
    spec, place = clip.spec, clip.logit_scale.device
    picture = Image.fromarray(image)
    found = []
    for start in range(0, len(boxes), _TOGETHER):
        crops = [
            normalise(_crop(picture, box, spec.image_size, look), spec.mean, spec.std)
            for box in boxes[start : start + _TOGETHER]
        ]
        found.append(clip.encode_images(torch.stack(crops).to(place)))
    return found


def _crop(
    picture: Image.Image, box: NDArray[np.float32], side: int, look: PoolingConfig
) -> NDArray[np.uint8]:
    """(S, S, 3) of a box with its margin, as far as the picture reaches; at least a pixel."""
    x0, y0, x1, y1 = (float(value) for value in box)
    wide, high = look.margin * (x1 - x0), look.margin * (y1 - y0)
    left, right = _span(x0 - wide, x1 + wide, picture.width)
    top, bottom = _span(y0 - high, y1 + high, picture.height)
    resampling: Any = getattr(Image.Resampling, look.interpolation.upper())
    return np.asarray(picture.resize((side, side), resampling, box=(left, top, right, bottom)))


def _span(low: float, high: float, end: int) -> tuple[float, float]:
    """The span within 0 and `end`, moved and widened to a pixel if less than one is left.

    >>> _span(-3.0, 4.5, 10), _span(9.9, 12.0, 10), _span(2.0, 2.1, 10)
    ((0.0, 4.5), (9.0, 10.0), (2.0, 3.0))
    """
    low = min(max(low, 0.0), end - 1.0)
    return low, min(max(high, low + 1.0), float(end))
