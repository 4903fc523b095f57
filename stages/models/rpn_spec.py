"""The description of a region proposal network in model.json: architecture and preprocessing."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from schemas.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    Triple = tuple[float, float, float]

Backbone = Literal[
    "small",  # our own, 1 M parameters, to be trained from random weights
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "clip_resnet50",  # CLIP's: a stem of three convolutions, pooling instead of strides
]
Neck = Literal["fpn", "c4"]
BACKBONES: Final[tuple[str, ...]] = get_args(Backbone)
NECKS: Final[tuple[str, ...]] = get_args(Neck)
ANCHOR_RULES: Final = ("torchvision", "detectron2")  # see stages.models.rpn_anchors
STRIDED: Final = ("3x3", "1x1")  # the convolution of a bottleneck that has its stride
STRIDES: Final = (4, 8, 16, 32)  # pixels; of the maps of a backbone
COARSEST: Final = 64  # pixels; of the map that a pyramid adds by pooling
C4_STRIDE: Final = 16  # pixels
MOST_CHANNELS: Final = 8192  # of a map; no network in use has more than 2048
PRE_NMS: Final = {"fpn": 1000, "c4": 6000}  # by neck; see RpnSpec.pre_nms
IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
IMAGENET_STD: Final = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class RpnSpec:
    """All facts about a network that its weights do not contain.

    Attributes:
        backbone: One of `BACKBONES`.
        neck: "fpn", maps of several strides, one anchor size each; or "c4", the map of stride
            16 with all anchor sizes.
        width: Channels of a pyramid; a c4 network has those of its backbone.
        stride: Of the finest map of a pyramid, pixels; one of `STRIDES`.
        anchor_sizes: Square roots of anchor areas, pixels of the resized image, fine to coarse.
        ratios: Height over width of anchors.
        anchors: Rule of anchor sides, order and step, one of `ANCHOR_RULES`.
        head_convs: 3 x 3 convolutions before the predictions.
        strided: Which convolution of a bottleneck has its stride, one of `STRIDED`: the second in
            torchvision's networks, the first in the original ones.
        fpn_norm: Whether convolutions of a pyramid have batch norms instead of biases.
        pad_to: Images are padded to a multiple of this, pixels; None means the coarsest stride of
            the backbone, 1 means no padding.
        constant_statistics: Whether batch norms are constant gains and biases by design; then means
            of 0 and variances of 1 do not show that statistics were lost.
        norm_eps: Added to the variance in batch norms; None means the backbone's own value.
        mean: Per channel, subtracted first; in units of `scale`, in the order of `channels`.
        std: Divides the difference.
        channels: "rgb" or "bgr".
        scale: Value of the brightest pixel, 1 or 255.
        shortest: Shortest side of a resized image, pixels.
        longest: Limit of its longest side, pixels.
    """

    backbone: str
    neck: str
    width: int
    stride: int
    anchor_sizes: tuple[int, ...]
    ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    anchors: str = "torchvision"
    head_convs: int = 1
    strided: str = "3x3"
    fpn_norm: bool = False
    pad_to: int | None = None
    constant_statistics: bool = False
    norm_eps: float | None = None
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD
    channels: str = "rgb"
    scale: int = 1
    shortest: int
    longest: int

    @property
    def strides(self) -> tuple[int, ...]:
        """Strides of the maps that the head reads, fine to coarse, pixels."""
        if self.neck == "c4":
            return (C4_STRIDE,)
        return (*(s for s in STRIDES if s >= self.stride), COARSEST)

    @property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """Anchor sizes of each of `strides`."""
        if self.neck == "c4":
            return (self.anchor_sizes,)
        return tuple((size,) for size in self.anchor_sizes)

    @property
    def pre_nms(self) -> int:
        """Boxes taken from each map before suppression, as detectron2 does at test.

        A pyramid gives that many on each of several maps, a C4 network has one map alone.
        """
        return PRE_NMS[self.neck]

    @property
    def divisor(self) -> int:
        """Images are padded to a multiple of this, pixels."""
        return self.pad_to or (C4_STRIDE if self.neck == "c4" else STRIDES[-1])

    def problems(self) -> list[str]:
        """Phrases that say what is wrong with the spec; empty if it is valid."""
        numbers = (self.width, *self.anchor_sizes, *self.ratios, *self.std, self.shortest)
        rules = {
            f"backbone must be one of {', '.join(BACKBONES)}": self.backbone in BACKBONES,
            f"neck must be one of {', '.join(NECKS)}": self.neck in NECKS,
            f"stride must be one of {STRIDES}": self.stride in STRIDES,
            f"a pyramid from stride {self.stride} needs {len(self.strides)} anchor sizes, "
            f"got {len(self.anchor_sizes)}": len(self.levels) == len(self.strides),
            "anchor sizes and ratios must be given": bool(self.anchor_sizes and self.ratios),
            "width, anchor sizes, ratios, std and shortest must be above 0": min(numbers) > 0,
            f"width must be at most {MOST_CHANNELS}": self.width <= MOST_CHANNELS,
            "longest must be at least shortest": self.longest >= self.shortest,
            "head_convs must be 1 to 8": 1 <= self.head_convs <= 8,
            f"anchors must be one of {', '.join(ANCHOR_RULES)}": self.anchors in ANCHOR_RULES,
            f"strided must be one of {', '.join(STRIDED)}": self.strided in STRIDED,
            "pad_to must be at least 1": self.pad_to is None or self.pad_to >= 1,
            "channels must be rgb or bgr": self.channels in ("rgb", "bgr"),
            "scale must be 1 or 255": self.scale in (1, 255),
            "mean and std must be three numbers": len(self.mean) == len(self.std) == 3,
        }
        return [rule for rule, holds in rules.items() if not holds]

    def write(self, path: Path) -> None:
        """Write the spec as model.json."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def read_spec(path: Path) -> RpnSpec:
    """The spec in a model.json.

    Raises:
        SourceError: If it cannot be read, or a field is missing, unknown or wrong.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        spec = RpnSpec(**{name: _tuple_if_list(value) for name, value in content.items()})
        problems = spec.problems()
    except (OSError, ValueError, TypeError, AttributeError) as error:
        known = ", ".join(f.name for f in fields(RpnSpec))
        raise SourceError(f"{path}: not a proposal network of {known} ({error})") from error
    if problems:
        raise SourceError(f"{path}: {'; '.join(problems)}")
    return spec


def _tuple_if_list(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
