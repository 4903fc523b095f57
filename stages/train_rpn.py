"""Train-rpn: a class-agnostic region proposal network from ground-truth boxes, or an import of one.

What a box is called is never read, with one exception: `--only-categories` names the categories
whose boxes take part, for networks that may have seen base categories only.

Source: RegionCLIP (arXiv:2112.09106) trained its proposal networks "by the boxes of base
classes, yet not using categorical labels"; anchors, thresholds and losses of detectron2's RPN.
Its usual settings are --backbone resnet50, --optimiser sgd, --learning-rate 0.02,
--weight-decay 1e-4, --images-per-batch 16, --schedule steps and the weights of a classifier.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal

from schemas.errors import OptionError, SourceError
from schemas.images import IMAGES
from schemas.rpns import RPNS
from stages.base import Part, Reads, each, option
from stages.models.rpn_spec import Backbone, Neck, RpnSpec
from stages.sources.files import file_digest
from stages.sources.name_checks import names_fault
from stages.training.options import TrainingStage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from schemas.table import Table
    from stages.models.rpn import Rpn
    from stages.training.loader import BatchLoader
    from stages.training.rpn_training import BoxSample

# width, stride, anchor sizes, resize; the latter two as published for all but our own backbone
_SMALL: Final = (64, 8, (32, 64, 128, 256), ("320x533",))
_PUBLISHED: Final = (
    256,
    4,
    (32, 64, 128, 256, 512),
    tuple(f"{shortest}x1333" for shortest in (640, 672, 704, 736, 768, 800)),
)


@dataclass(frozen=True, kw_only=True)
class TrainRpn(TrainingStage):
    """Train a region proposal network, or import one.

    It learns from ground truth, without regard to categories.

    Images without a box, and crowds, are left out. With `--steps 0` nothing is trained and no
    images are read: the weights are imported as they are.
    """

    backbone: Backbone = option(
        "small", "feature extractor; small is our own, to train from random weights"
    )
    neck: Neck = option("fpn", "maps of several strides, or one of stride 16")
    width: int | None = option(
        None, "channels of an fpn; default: 64 with small, else 256", at_least=1
    )
    stride: int | None = option(
        None, "of the finest map of an fpn, pixels; default: 8 with small, else 4"
    )
    anchor_sizes: tuple[int, ...] | None = option(
        None, "pixels of the resized image, one for each map of an fpn; default: from 32, doubling"
    )
    norm_eps: float | None = option(
        None, "added to variances; 0 for torchvision's COCO_V1 detectors", at_least=0
    )
    weights: Path | None = option(
        None, "to begin with: a network of ours, a torchvision detector or classifier", recipe=False
    )
    only_categories: Path | None = option(
        None, "file of names, one a line: use boxes of these categories alone", recipe=False
    )
    resize: tuple[str, ...] | None = option(
        None,
        "SHORTESTxLONGEST, pixels; of several, one at random for each image; "
        "default: 320x533 with small, else 640x1333 to 800x1333",
    )
    flip: bool = option(True, "swap left and right half of the time")
    background_iou: float = option(
        0.3, "anchors below it with all objects are background", at_least=0, at_most=1
    )
    object_iou: float = option(0.7, "anchors from it on are objects", at_least=0, at_most=1)
    anchors_per_image: int = option(256, "anchors to learn from", at_least=1)
    positive: float = option(0.5, "largest share of these that are objects", above=0, at_most=1)
    box_weight: float = option(1.0, "of the box loss beside that of objectness", at_least=0)
    epochs: int = option(12, "passes over the images", at_least=0)
    images_per_batch: int = option(8, "images per step", at_least=1)
    optimiser: Literal["sgd", "adamw"] = option("adamw", "optimiser")
    learning_rate: float = option(2e-3, "largest learning rate of the run", above=0)
    weight_decay: float = option(0.01, "weight decay, times the learning rate", at_least=0)
    schedule: Literal["steps", "cosine", "constant"] = option(
        "cosine", "schedule of the learning rate"
    )
    warmup: int = option(100, "steps of linear warm-up; a tenth of the run at most", at_least=0)

    name: ClassVar[str] = "train-rpn"
    everyday: ClassVar[tuple[str, ...]] = (
        "backbone",
        "weights",
        "epochs",
        "steps",
        "images_per_batch",
    )
    example: ClassVar[str] = "rc train-rpn --epochs 12"
    version: ClassVar[int] = 3  # a short run has its first step in the curve
    reads: ClassVar[Mapping[str, Reads]] = {"images": each(IMAGES)}
    writes: ClassVar[Table] = RPNS

    def __post_init__(self) -> None:
        super().__post_init__()
        for text in self._sizes():
            if not re.fullmatch(r"[1-9]\d*x[1-9]\d*", text):
                raise OptionError(
                    f"rc train-rpn: --resize is SHORTESTxLONGEST in pixels, got {text!r}"
                )
        complaints = self.spec().problems()
        if self.background_iou > self.object_iou:
            complaints.append("--background-iou must be at most --object-iou")
        if complaints:
            raise OptionError(f"rc train-rpn: {'; '.join(complaints)}")

    @property
    def imports_only(self) -> bool:
        """Whether no step is taken."""
        return self.steps == 0 or (self.steps is None and self.epochs == 0)

    def spec(self) -> RpnSpec:
        """The network that the options ask for."""
        width, stride, anchor_sizes, _ = self._presets()
        shortest, longest = max(tuple(map(int, text.split("x"))) for text in self._sizes())
        return RpnSpec(
            backbone=self.backbone,
            neck=self.neck,
            width=self.width or width,
            stride=self.stride or stride,
            anchor_sizes=tuple(self.anchor_sizes or anchor_sizes),
            norm_eps=self.norm_eps,
            shortest=shortest,
            longest=longest,
        )

    def requires(self) -> Mapping[str, Reads]:
        """See `Stage.requires`: no images where nothing is trained."""
        return {} if self.imports_only else self.reads

    def ranks_decide(self) -> bool:
        """See `TrainingStage.ranks_decide`: without weights, batch norms are trained."""
        return self.weights is None

    def digests(self) -> Mapping[str, str]:
        """See `Stage.digests`: of the weights and the list of categories."""
        files = {"weights": self.weights, "only_categories": self.only_categories}
        return {name: file_digest(str(path)) for name, path in files.items() if path}

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """Train, leave the network beside the rows, and yield its training curve.

        Raises:
            OptionError: If nothing is trained and `weights` are no whole network.
        """
        from stages.models import device
        from stages.models.rpn_creation import create_rpn, fill_rpn, save_rpn

        device.set_operation_threads(self.threads)
        device.deterministic()
        rpn, complete = create_rpn(self.spec(), self.seed), False
        if self.weights:
            unused, complete = fill_rpn(rpn, self.weights)
            part.note("tensors_unused", unused)
        if categories := self._only():
            part.note("categories", sorted(categories))
        if self.imports_only and not complete:
            raise OptionError(
                "--steps 0 imports a whole network, which --weights must name; "
                "for a network from a backbone's weights or from nothing, train it"
            )
        rpn.to(device.resolve(self.device))
        rows = [] if self.imports_only else self._train(rpn, part)
        save_rpn(
            rpn, part.attach("model.json"), part.attach("weights.safetensors"), self.save_dtype
        )
        yield RPNS.batch({c.name: [row[c.name] for row in rows] for c in RPNS.columns})

    def loader(self, slices: Sequence[Part], rpn: Rpn) -> BatchLoader[BoxSample, Any]:
        """Batches of images and boxes from all parts, as `rpn` wants them."""
        from stages.models.preprocess import Size
        from stages.training.dataset import ShuffledDataset
        from stages.training.rpn_training import BoxedImages, BoxTransform, collate_boxes

        only = self._only()
        sizes = [Size.parse(text, 0) for text in self._sizes()]
        transform = BoxTransform(self.pixels(), rpn, sizes, self.flip, self.seed)
        dataset = ShuffledDataset(
            slices, lambda part: BoxedImages(part, only), self.seed, self.shuffle_buffer
        )
        return self.batch_loader(dataset, transform, collate_boxes)

    def _train(self, rpn: Rpn, part: Part) -> Sequence[Mapping[str, Any]]:
        from stages.models.rpn_targets import AnchorTargetConfig
        from stages.training.loop import fit
        from stages.training.rpn_training import RpnTraining

        loader = self.loader(part.slices(), rpn)
        steps = self.num_steps(loader.dataset)
        teaching = AnchorTargetConfig(
            background_iou=self.background_iou,
            object_iou=self.object_iou,
            anchors_per_image=self.anchors_per_image,
            positive_share=self.positive,
            box_weight=self.box_weight,
        )
        learner = RpnTraining(rpn, teaching, self.precision, hold_norms=self.weights is not None)
        checkpoint = part.scratch / "checkpoint.pt"
        rows = fit(learner, loader, self.config(steps), checkpoint, self.watch(part))
        self.note_loss(part, rows)
        return rows

    def _presets(self) -> tuple[int, int, tuple[int, ...], tuple[str, ...]]:
        return _SMALL if self.backbone == "small" else _PUBLISHED

    def _sizes(self) -> tuple[str, ...]:
        return self.resize or self._presets()[3]

    def _only(self) -> frozenset[str] | None:
        if self.only_categories is None:
            return None
        try:
            lines = self.only_categories.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"{self.only_categories} cannot be read: {error}") from error
        names = [line.strip() for line in lines if line.strip()]
        if not names:
            raise SourceError(f"{self.only_categories} names no category, one a line is expected")
        if fault := names_fault(names):
            raise SourceError(f"{self.only_categories} {fault}; name every category once")
        return frozenset(names)
