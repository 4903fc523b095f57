"""How images are prepared for an image tower; it belongs to the weights, like the architecture.

Source: open_clip's `preprocess_cfg`, and its table of published weights, where every architecture
has the preprocessing that its weights were trained with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import open_clip

from schemas.errors import SourceError
from stages.models.resizing import MODES
from stages.models.weights_files import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    Triple = tuple[float, float, float]

_INTERPOLATIONS: Final = ("bicubic", "bilinear")


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What is done to an image before the tower sees it.

    Attributes:
        mean: Of pixel values in [0, 1], red, green, blue; subtracted first.
        std: Divides the difference.
        resize_mode: How an image gets the native size, one of `resizing.MODES`.
        interpolation: bicubic or bilinear, when it does.
    """

    mean: Triple
    std: Triple
    resize_mode: str = "shortest"
    interpolation: str = "bicubic"

    @classmethod
    def of(cls, content: Mapping[str, Any], source: str) -> Preprocessing:
        """The preprocessing that open_clip's keys describe; an absent one means CLIP's own.

        Raises:
            SourceError: If a value is none that images can be prepared with.
        """
        try:
            mean = three_floats(_given(content, "mean", open_clip.OPENAI_DATASET_MEAN))
            std = three_floats(_given(content, "std", open_clip.OPENAI_DATASET_STD))
        except (TypeError, ValueError, OverflowError) as error:
            reason = printable(str(error))
            raise SourceError(f"{source}: mean and std must be three numbers ({reason})") from error
        mode = _given(content, "resize_mode", "shortest")
        interpolation = _given(content, "interpolation", "bicubic")
        if interpolation == "random":  # of training; open_clip then takes bicubic
            interpolation = "bicubic"
        if not all(map(math.isfinite, (*mean, *std))) or min(std) <= 0:
            raise SourceError(f"{source}: mean must be finite, and std above 0")
        if mode not in MODES or interpolation not in _INTERPOLATIONS:
            raise SourceError(
                f"{source}: resize_mode must be one of {', '.join(MODES)}, and interpolation one "
                f"of {', '.join(_INTERPOLATIONS)}"
            )
        return cls(mean, std, mode, interpolation)

    def content(self) -> dict[str, Any]:
        """What `of` takes."""
        return {
            "mean": list(self.mean),
            "std": list(self.std),
            "resize_mode": self.resize_mode,
            "interpolation": self.interpolation,
        }


CLIPS: Final = Preprocessing(
    tuple(open_clip.OPENAI_DATASET_MEAN), tuple(open_clip.OPENAI_DATASET_STD)
)


def of_tag(name: str, tag: str) -> Preprocessing | None:
    """The preprocessing of the weights that open_clip publishes under a tag; None without such."""
    known = open_clip.get_pretrained_cfg(name, tag)
    return Preprocessing.of(known, f"open_clip {name} {tag}") if known else None


def of_architecture(name: str) -> Preprocessing | None:
    """That of all weights published for an architecture; None without any, or if they differ."""
    tags = open_clip.list_pretrained_tags_by_model(name)
    several = {of_tag(name, tag) for tag in tags}
    return several.pop() if len(several) == 1 else None


def three_floats(values: Any) -> Triple:
    """Three floats, one per channel, from any sequence of three numbers."""
    red, green, blue = values
    return float(red), float(green), float(blue)


def _given(content: Mapping[str, Any], key: str, default: Any) -> Any:
    value = content.get(key)
    return default if value is None else value
