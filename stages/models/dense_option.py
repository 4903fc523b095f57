"""Which tokens of a vision transformer are its dense features; an option of several stages.

The last block of a tower with a class token was trained for that token alone. MaskCLIP reads the
patch tokens past it: each passes value and output projection by itself, without attention to
others. A tower that pools its patch tokens is dense as it was trained.

Source: value-path: MaskCLIP (arXiv:2112.01071), CLIPSelf (arXiv:2310.01403); last-block: RoIAlign
on the tower's output, as RO-ViT (arXiv:2305.07011) has it.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from schemas.errors import OptionError
from stages.option import option

Dense = Literal["auto", "value-path", "last-block"]
DEFAULT_RESIZE: Final = "800x1333"  # as detectron2 resizes at test time
DENSE: Final[tuple[Dense, ...]] = ("auto", "value-path", "last-block")


def dense_option() -> Any:
    """How regions of a vision transformer are read."""
    return option(
        "auto",
        "tokens of a vision transformer: value-path (the last block without attention to other "
        "tokens), last-block (as it is); auto: as the model was trained, else by how it pools",
    )


def check_pooling(verb: str, pooling: str, dense: Dense, crop_margin: float, resize: str) -> None:
    """Pass if nothing is asked for that this way of pooling regions would not look at.

    Raises:
        OptionError: If a choice of tokens or a size of images is given for crops, or a margin for
            a feature map.
    """
    if crop_margin and pooling != "crop":
        raise OptionError(
            f"rc {verb}: --crop-margin {crop_margin:g} is added to crops, and --pooling {pooling} "
            f"makes none; give --pooling crop, or leave it out"
        )
    if dense != "auto" and pooling == "crop":
        raise OptionError(
            f"rc {verb}: --dense {dense} says how regions are read from a feature map, and "
            f"--pooling crop makes none; leave one of them out"
        )
    if resize != DEFAULT_RESIZE and pooling == "crop":
        raise OptionError(
            f"rc {verb}: --resize {resize} is the size of a whole image, and --pooling crop cuts "
            f"boxes out of the original, each as large as the network's own images; leave one out"
        )


def takes_value_path(dense: str, *, class_token: bool) -> bool:
    """Whether the last block passes its values alone; `class_token`: that token is the feature.

    >>> takes_value_path("auto", class_token=True), takes_value_path("auto", class_token=False)
    (True, False)
    """
    return dense == "value-path" or (dense == "auto" and class_token)
