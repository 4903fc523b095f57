"""Feature rows: what a teacher sees in each region of a part, pooled from the map of its image.

Or, with `--pooling crop`, what it sees in each region cut out and encoded as an image of its own.

Shapes: R regions of an image, D embedding width.

Source: RegionCLIP (arXiv:2112.09106): RoIAlign on the map of the whole image, features not
normalised; sizes as detectron2 resizes at test time.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from schemas.errors import SourceError
from schemas.features import FEATURES
from schemas.quarantine import Reason
from stages.featurizing.image_regions import WHOLE_IMAGE, ImageRegions, images_with_regions
from stages.memory import in_batches
from stages.models import device, region_encoding
from stages.models.clip import load_clip
from stages.models.crop_encoding import CropConfig, encode_crops_batched
from stages.models.pooling_option import chosen_interpolation
from stages.models.precision import computing_in
from stages.models.preprocess import prepare
from stages.models.resizing import Size
from stages.pixels import load_image
from stages.prefetching import map_in_order
from stages.sources.record import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.base import Part
    from stages.featurizing.feature_stage import FeatureStage
    from stages.models.network import Clip


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """An image ready for the network, or why not; neither if no region of it is wanted.

    `ready` is a `NetworkInput`, or pixels (H, W, 3) uint8 to cut crops from.
    """

    proposed: ImageRegions
    ready: Any
    refusal: Refusal | None = None


class FeatureRows:
    """The features of one part, as the options of a stage ask for them."""

    def __init__(self, options: FeatureStage, part: Part) -> None:
        self._options = options
        self._part = part

    def batches(self) -> Iterator[pa.RecordBatch]:
        """See `FeatureStage.features`."""
        options, part = self._options, self._part
        device.set_threads(options.threads)
        device.deterministic()
        precision = options.note_precision(part)
        clip = load_clip(
            part.attachment("teacher", "model.json"),
            part.attachment("teacher", "weights.safetensors"),
            options.device,
        ).with_dense(options.dense)
        encoder = _Encoder(options, clip, precision)
        proposed = images_with_regions(part, limited=options.limit is not None)
        images = map_in_order(proposed, encoder.load, options.loaders, options.batch_images)
        windows = iter(lambda: list(islice(images, options.batch_images)), [])
        encoded = device.in_order(
            windows, lambda some: (some, encoder.encode(_ready(some))), clip.logit_scale.device
        )
        for window, features in encoded:
            yield from self._window(window, features)
            part.advance(len(window))

    def _window(
        self, window: Sequence[PreparedImage], features: Sequence[NDArray[np.float32]]
    ) -> Iterator[pa.RecordBatch]:
        unreadable = sum(image.refusal is not None for image in window)
        without = len(window) - len(features) - unreadable
        counts = {"seen": len(window), "unreadable": unreadable, "without_regions": without}
        self._part.count("images", counts)
        for image in window:
            if image.refusal:
                refusal = image.refusal
                self._part.refuse(image.proposed.image_id, refusal.reason, refusal.detail)
        for image, of_image in zip(_ready(window), features, strict=True):
            first = np.array([WHOLE_IMAGE] * self._options.whole_image, np.int32)
            regions = np.concatenate([first, image.proposed.regions])
            yield self._rows(image.proposed.image_id, regions, of_image)

    def _rows(
        self, image_id: str, regions: NDArray[np.int32], features: NDArray[Any]
    ) -> pa.RecordBatch:
        with np.errstate(over="ignore"):  # what overflows is refused below
            features = features.astype(self._options.dtype)
        fine = np.isfinite(features).all(axis=1)
        for region in regions[~fine]:
            detail = f"the feature of region {region} is not finite in {self._options.dtype}"
            self._part.refuse(f"{image_id}#{region}", Reason.NAN_FEATURE, detail)
        return FEATURES.batch(
            {
                "image_id": [image_id] * int(fine.sum()),
                "region": regions[fine],
                "feature": features[fine],
            }
        )


@dataclass(frozen=True, slots=True)
class _Encoder:
    """Makes images ready for a network, and encodes their regions; both run in threads."""

    options: FeatureStage
    clip: Clip
    precision: str

    def load(self, proposed: ImageRegions) -> PreparedImage:
        """Decode an image, resize and normalise it."""
        options, spec = self.options, self.clip.spec
        if not (options.whole_image or len(proposed.regions)):
            return PreparedImage(proposed, None)
        try:
            image = load_image(proposed.row)
        except SourceError as error:
            return PreparedImage(proposed, None, Refusal.of(error))
        if options.pooling == "crop":
            return PreparedImage(proposed, image)
        size = Size.parse(options.resize, spec.image_size, spec.resize_mode)
        return PreparedImage(proposed, prepare(image, size, self._kind, spec.mean, spec.std))

    def encode(self, images: list[PreparedImage]) -> list[NDArray[np.float32]]:
        """The features (R, D) of the wanted regions of each image, that of the image first."""
        crops = self.options.pooling == "crop"
        encode = self._encode_crops if crops else self._encode_regions
        with computing_in(self.precision, self.clip.logit_scale.device):
            return list(chain(*in_batches(images, self.options.batch_images, encode, "image")))

    def _encode_regions(self, images: Sequence[PreparedImage]) -> list[NDArray[np.float32]]:
        ready = [image.ready for image in images]
        boxes = [
            one.scale_boxes(image.proposed.boxes) for one, image in zip(ready, images, strict=True)
        ]
        if self.options.whole_image:
            boxes = [
                torch.cat([one.whole_box(), inside])
                for one, inside in zip(ready, boxes, strict=True)
            ]
        return region_encoding.encode_regions_batched(
            self.clip, [one.pixels for one in ready], boxes, self.options.batch_regions
        )

    def _encode_crops(self, images: Sequence[PreparedImage]) -> list[NDArray[np.float32]]:
        pictures: list[NDArray[np.uint8]] = [image.ready for image in images]
        boxes = [image.proposed.boxes for image in images]
        if self.options.whole_image:
            whole = [np.array([[0, 0, p.shape[1], p.shape[0]]], np.float32) for p in pictures]
            boxes = [np.concatenate(pair) for pair in zip(whole, boxes, strict=True)]
        config = CropConfig(self._kind, self.options.crop_margin)
        return encode_crops_batched(self.clip, pictures, boxes, config, self.options.batch_regions)

    @property
    def _kind(self) -> str:
        """How pixels are resized."""
        options = self.options
        return chosen_interpolation(options.interpolation, options.pooling, self.clip.spec)


def _ready(window: Sequence[PreparedImage]) -> list[PreparedImage]:
    return [image for image in window if image.ready is not None]
