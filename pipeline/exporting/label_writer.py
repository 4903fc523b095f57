"""The interface of every export format: images are added one by one, then it is closed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.exporting.labelled_images import LabelledImage

IMAGE_MODES: Final = ("link", "copy", "none")


class LabelWriter(ABC):
    """Writes labelled images to a folder, one image at a time.

    Args:
        folder: Draft folder to write into.
        names: Categories, in order.
        images: How pixels are written, one of `IMAGE_MODES`.

    Attributes:
        comes_back: Whether people mend what is written, and `rc import-reviews` reads it then.
    """

    comes_back: ClassVar[bool] = False

    def __init__(self, folder: Path, names: Sequence[str], images: str) -> None:
        self.folder, self.names, self.images = folder, names, images

    @abstractmethod
    def add(self, image: LabelledImage) -> None:
        """Write an image and its labels."""

    @abstractmethod
    def close(self) -> None:
        """Write what is known only after the last image."""

    def image_name(self, image: LabelledImage) -> str:
        """What the files that are written call an image."""
        return image.file_name

    def concept_name(self, category: int) -> str:
        """What they call a category."""
        return self.names[category]


def xywh(box: dict[str, Any]) -> list[float]:
    """Left, top, width and height of a box."""
    return [box["x0"], box["y0"], box["x1"] - box["x0"], box["y1"] - box["y0"]]
