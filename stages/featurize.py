"""Featurize: what a teacher sees in each region, pooled from one feature map of its image.

Or, with `--pooling crop`, what it sees in each region cut out and encoded as an image of its own.

Shapes: R regions of an image, D embedding width.

Source: RegionCLIP (arXiv:2112.09106): RoIAlign on the map of the whole image, features not
normalised; sizes as detectron2 resizes at test time.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

import numpy as np

from schemas.errors import ArtifactError, SourceError
from schemas.features import FEATURES
from schemas.images import IMAGES
from schemas.proposals import PROPOSALS
from schemas.quarantine import Reason
from schemas.students import STUDENTS
from schemas.teachers import TEACHERS
from stages.base import Part, Reads, Stage, each, option, whole
from stages.models import pooling_option as pooled
from stages.models.dense_option import DEFAULT_RESIZE, Dense, check_pooling, dense_option
from stages.models.resizing import Size
from stages.outcome import Outcome, Result, counted, is_most
from stages.sources.record import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from schemas.table import Table
    from stages.models.clip import Clip

WHOLE_IMAGE: Final = -1  # the region that is the image itself
_BESIDE_PIXELS: Final = ("captions", "objects")  # columns of images that are not looked at


@dataclass(frozen=True, kw_only=True)
class Featurize(Stage):
    """Embed every proposal, and the whole image.

    With a teacher or student.
    """

    resize: str = option(
        DEFAULT_RESIZE, "SHORTESTxLONGEST side in pixels, native (the network's own side), or none"
    )
    interpolation: pooled.Interpolation | None = pooled.interpolation_option()
    pooling: pooled.Pooling = pooled.pooling_option()
    crop_margin: float = pooled.crop_margin_option()
    dense: Dense = dense_option()
    whole_image: bool = option(True, "embed the whole image too, as region -1")
    dtype: Literal["float16", "float32"] = option("float16", "precision of what is stored")
    batch_images: int = option(8, "images held at a time", at_least=1)
    batch_regions: int = option(64, "regions embedded at a time", at_least=1)
    loaders: int = option(2, "threads that decode and resize ahead", recipe=False, at_least=0)

    name: ClassVar[str] = "featurize"
    everyday: ClassVar[tuple[str, ...]] = ("teacher", "proposals", "resize")
    example: ClassVar[str] = "rc featurize --teacher teachers"
    version: ClassVar[int] = 4  # each operation of the network has one core
    reads: ClassVar[Mapping[str, Reads]] = {
        "images": each(IMAGES),
        "proposals": each(PROPOSALS),
        "teacher": whole(TEACHERS, also=(STUDENTS,)),
    }
    writes: ClassVar[Table] = FEATURES

    def __post_init__(self) -> None:
        super().__post_init__()
        Size.parse(self.resize, native=1)  # only to refuse what it does not understand
        check_pooling(self.name, self.pooling, self.dense, self.crop_margin, self.resize)

    def plan(self, parts: Mapping[str, Sequence[int]]) -> Sequence[int]:
        """See `Stage.plan`: the parts of the images that have proposals."""
        proposed = set(parts["proposals"])
        return [number for number in parts["images"] if number in proposed]

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Yield one row per region; images that cannot be read go to quarantine.

        Raises:
            ArtifactError: If the proposals do not follow the order of the images.
        """
        from stages.models import device
        from stages.models.clip import load_clip
        from stages.prefetching import map_in_order

        device.set_threads(self.threads)
        device.deterministic()
        clip = load_clip(
            part.attachment("teacher", "model.json"),
            part.attachment("teacher", "weights.safetensors"),
            self.device,
        ).with_dense(self.dense)
        images = map_in_order(
            self._proposed_images(part), self._loader(clip), self.loaders, self.batch_images
        )
        windows = iter(lambda: list(islice(images, self.batch_images)), [])
        encode = self._encode_crops if self.pooling == "crop" else self._encode_regions
        encoded = device.in_order(
            windows, lambda some: (some, encode(clip, _ready(some))), clip.logit_scale.device
        )
        for window, features in encoded:
            yield from self._features(part, window, features)
            part.advance(len(window))

    def outcome(self, result: Result) -> Outcome:
        """See `Stage.outcome`: regions and images, and which images have no features."""
        images = result.notes["images"]
        line = f"{counted(result.rows, 'feature')} of {counted(images['seen'], 'image')}"
        if self.whole_image and result.rows:
            line += ", the whole images among them"
        if images["without_regions"]:
            line += f"; {images['without_regions']:,} without proposals"
        if images["unreadable"]:
            line += f"; {images['unreadable']:,} could not be read"
        empty = None if result.rows else f"there are no features: {line}"
        losses = []
        if is_most(images["unreadable"], images["seen"]):
            losses.append(
                f"{images['unreadable']:,} of {counted(images['seen'], 'image')} unreadable"
            )
        return Outcome([line], empty, losses)

    def _proposed_images(self, part: Part) -> Iterator[_ProposedImage]:
        """Every image with its proposals, which come in the same order but may be missing."""
        groups = _by_image(part.batches("proposals"))
        waiting = next(groups, None)
        passed: set[str] = set()
        for row in _rows_of(part.batches("images")):
            if waiting is not None and waiting[0] == row["image_id"]:
                yield _ProposedImage(row, waiting[1], waiting[2])
                waiting = next(groups, None)
            else:
                yield _ProposedImage(row, np.zeros(0, np.int32), np.zeros((0, 4), np.float32))
            passed.add(row["image_id"])
        if waiting is not None and (self.limit is None or waiting[0] in passed):
            raise ArtifactError(
                f"rc featurize: proposals of {waiting[0]} do not follow the order of the images; "
                f"run rc propose again over the same images"
            )

    def _loader(self, clip: Clip) -> Callable[[_ProposedImage], _PreparedImage]:
        """What decodes, resizes and normalises an image; runs in other threads."""
        from stages.models.preprocess import prepare
        from stages.pixels import load_image

        spec = clip.spec
        size = Size.parse(self.resize, spec.image_size, spec.resize_mode)
        kind = pooled.chosen_interpolation(self.interpolation, self.pooling, spec)

        def load(proposed: _ProposedImage) -> _PreparedImage:
            if not (self.whole_image or len(proposed.regions)):
                return _PreparedImage(proposed, None)
            try:
                image = load_image(proposed.row)
            except SourceError as error:
                return _PreparedImage(proposed, None, Refusal.of(error))
            if self.pooling == "crop":
                return _PreparedImage(proposed, image)
            return _PreparedImage(proposed, prepare(image, size, kind, spec.mean, spec.std))

        return load

    def _features(
        self, part: Part, window: Sequence[_PreparedImage], features: Sequence[NDArray[np.float32]]
    ) -> Iterator[pa.RecordBatch]:
        unreadable = sum(image.refusal is not None for image in window)
        without = len(window) - len(features) - unreadable
        counts = {"seen": len(window), "unreadable": unreadable, "without_regions": without}
        part.count("images", counts)
        for image in window:
            if image.refusal:
                part.refuse(image.proposed.image_id, image.refusal.reason, image.refusal.detail)
        for image, of_image in zip(_ready(window), features, strict=True):
            first = np.array([WHOLE_IMAGE] * self.whole_image, np.int32)
            regions = np.concatenate([first, image.proposed.regions])
            yield self._rows(part, image.proposed.image_id, regions, of_image)

    def _encode_regions(
        self, clip: Clip, images: Sequence[_PreparedImage]
    ) -> list[NDArray[np.float32]]:
        import torch

        from stages.models.region_encoding import encode_regions_batched

        ready = [image.ready for image in images]
        boxes = [
            one.scale_boxes(image.proposed.boxes) for one, image in zip(ready, images, strict=True)
        ]
        if self.whole_image:
            boxes = [
                torch.cat([one.whole_box(), inside])
                for one, inside in zip(ready, boxes, strict=True)
            ]
        return encode_regions_batched(
            clip, [one.pixels for one in ready], boxes, self.batch_regions
        )

    def _encode_crops(
        self, clip: Clip, images: Sequence[_PreparedImage]
    ) -> list[NDArray[np.float32]]:
        from stages.models.crop_encoding import CropConfig, encode_crops_batched

        pictures: list[NDArray[np.uint8]] = [image.ready for image in images]
        boxes = [image.proposed.boxes for image in images]
        if self.whole_image:
            whole = [np.array([[0, 0, p.shape[1], p.shape[0]]], np.float32) for p in pictures]
            boxes = [np.concatenate(pair) for pair in zip(whole, boxes, strict=True)]
        kind = pooled.chosen_interpolation(self.interpolation, self.pooling, clip.spec)
        config = CropConfig(kind, self.crop_margin)
        return encode_crops_batched(clip, pictures, boxes, config, self.batch_regions)

    def _rows(
        self, part: Part, image_id: str, regions: NDArray[np.int32], features: NDArray[Any]
    ) -> pa.RecordBatch:
        with np.errstate(over="ignore"):  # what overflows is refused below
            features = features.astype(self.dtype)
        fine = np.isfinite(features).all(axis=1)
        for region in regions[~fine]:
            detail = f"the feature of region {region} is not finite in {self.dtype}"
            part.refuse(f"{image_id}#{region}", Reason.NAN_FEATURE, detail)
        return FEATURES.batch(
            {
                "image_id": [image_id] * int(fine.sum()),
                "region": regions[fine],
                "feature": features[fine],
            }
        )


@dataclass(frozen=True, slots=True)
class _ProposedImage:
    """An image and its proposals: a row of `images`, region numbers (R,), boxes (R, 4)."""

    row: Mapping[str, Any]
    regions: NDArray[np.int32]
    boxes: NDArray[np.float32]

    @property
    def image_id(self) -> str:
        return str(self.row["image_id"])


@dataclass(frozen=True, slots=True)
class _PreparedImage:
    """An image ready for the network, or why not; neither if no region of it is wanted.

    `ready` is a `NetworkInput`, or pixels (H, W, 3) uint8 to cut crops from.
    """

    proposed: _ProposedImage
    ready: Any
    refusal: Refusal | None = None


def _ready(window: Sequence[_PreparedImage]) -> list[_PreparedImage]:
    return [image for image in window if image.ready is not None]


def _rows_of(batches: Iterable[pa.RecordBatch]) -> Iterator[Mapping[str, Any]]:
    """One mapping per image; encoded bytes become Python objects one image at a time."""
    for batch in batches:
        needed = batch.drop_columns(list(_BESIDE_PIXELS))
        for index in range(needed.num_rows):
            yield needed.slice(index, 1).to_pylist()[0]


def _by_image(
    batches: Iterable[pa.RecordBatch],
) -> Iterator[tuple[str, NDArray[np.int32], NDArray[np.float32]]]:
    """Image, region numbers (R,) and boxes (R, 4) of each image, across batches."""
    name = ""
    regions: list[NDArray[np.int32]] = []
    boxes: list[NDArray[np.float32]] = []
    for batch in batches:
        if not batch.num_rows:
            continue
        images = batch.column("image_id").to_numpy(zero_copy_only=False)
        numbers = batch.column("region").to_numpy()
        corners = np.stack([batch.column(c).to_numpy() for c in ("x0", "y0", "x1", "y1")], axis=1)
        starts = np.flatnonzero(np.concatenate([[True], images[1:] != images[:-1]]))
        for first, last in zip(starts, [*starts[1:], len(images)], strict=True):
            if regions and images[first] != name:
                yield name, np.concatenate(regions), np.concatenate(boxes)
                regions, boxes = [], []
            name = str(images[first])
            regions.append(numbers[first:last])
            boxes.append(corners[first:last])
    if regions:
        yield name, np.concatenate(regions), np.concatenate(boxes)
