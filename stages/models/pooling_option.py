"""How the feature of a region is made, RoIAlign or crop; options of several stages.

No torch is imported, so that options can be checked fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from stages.option import option

if TYPE_CHECKING:
    from stages.models.clip_spec import ClipSpec

Pooling = Literal["roialign", "crop"]
Interpolation = Literal["bilinear", "bicubic"]


def pooling_option() -> Any:
    """Where the feature of a region is taken from."""
    return option(
        "roialign",
        "roialign on one feature map of the image, or crop each box and embed it as an image",
    )


def crop_margin_option() -> Any:
    """How much of its surroundings a crop has."""
    return option(
        0.0, "added to each side of a crop, share of the box's width and height", at_least=0
    )


def interpolation_option() -> Any:
    """How pixels are resized; None is decided by `chosen_interpolation`."""
    return option(
        None, "of the image, or of the crops; default: bilinear, and for crops that of the weights"
    )


def chosen_interpolation(given: Interpolation | None, pooling: Pooling, spec: ClipSpec) -> str:
    """What is given; else crops are resized as in training, and whole images as in detectron2."""
    return given or (spec.interpolation if pooling == "crop" else "bilinear")
