"""What every format of labelled images has in common: images one by one, then the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.exporting.labelled import LabelledImage

IMAGES: Final = ("link", "copy", "none")


class Writer(ABC):
    """Takes labelled images one by one, and finishes a folder.

    Args:
        folder: Draft to write into.
        names: Categories, in order.
        images: One of `IMAGES`.
    """

    def __init__(self, folder: Path, names: Sequence[str], images: str) -> None:
        self.folder, self.names, self.images = folder, names, images

    @abstractmethod
    def add(self, one: LabelledImage) -> None:
        """Write an image and its labels."""

    @abstractmethod
    def close(self) -> None:
        """Write what is only known at the end."""


def xywh(box: dict[str, Any]) -> list[float]:
    """Left, top, width and height of a box."""
    return [box["x0"], box["y0"], box["x1"] - box["x0"], box["y1"] - box["y0"]]
