"""Boxes of one of COCO's JSON files: read as numbers, and placed once all of them are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from schemas.box_forms import BoxCensus
from schemas.quarantine import Reason
from stages.outcome import counted
from stages.sources.coco_json import MASK_BOX
from stages.sources.image_folder import upright_size
from stages.sources.json_ids import finite_number
from stages.sources.record import Refusal, SourceObject

if TYPE_CHECKING:
    from collections.abc import Mapping

    from schemas.box_forms import BoxForm, BoxLayout
    from stages.sources.coco_image import CocoImage

    Numbers = tuple[float, float, float, float]
    Frame = tuple[float, float]

_NO: Final = ("", "0", "0.0", "false", "none", "null")
_YES: Final = ("1", "1.0", "true")
_MOST_HEADERS: Final = 500  # of files that are opened to judge boxes of images without a size


class JsonBoxes:
    """Collects the boxes of a file; none belongs to its image before `place`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._boxes: list[tuple[CocoImage, SourceObject, bool]] = []
        self._impossible_areas = 0

    def add(
        self, image: CocoImage, entry: Mapping[str, Any], category: str, frame: Frame | None
    ) -> None:
        """Add the box of an annotation.

        Raises:
            Refusal: bad-box, if it has none.
        """
        numbers = _numbers(entry)
        area = finite_number(entry.get("area"))
        if area is None or area < 0:
            self._impossible_areas += entry.get("area") is not None
            area = None
        thing = SourceObject(category, numbers, area, _is_crowd(entry.get("iscrowd")), frame)
        self._boxes.append((image, thing, MASK_BOX in entry))

    def place(self, form: BoxForm) -> list[str]:
        """Give each image its boxes, as corners; returns remarks.

        Raises:
            SourceError: If the boxes speak against their form.
        """
        census = BoxCensus(self._name)
        census.add(*self._arrays())
        layout, is_fraction = census.form(form)
        for image, thing, is_of_mask in self._boxes:
            image.objects.append(_placed(thing, "xywh" if is_of_mask else layout, is_fraction))
        remarks = []
        if is_fraction and self._boxes:
            meaning = {"xywh": "x, y, width, height", "xyxy": "corners"}[layout]
            remarks.append(f"boxes of {self._name} are read as fractions: {meaning}")
        if self._impossible_areas:
            areas = counted(self._impossible_areas, "impossible area")
            remarks.append(f"{areas} in {self._name}: that of the box is used instead")
        return remarks

    def _arrays(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Numbers of all boxes (R, 4), and sizes of their images (R, 2), 0 if not known."""
        frames = _stated_or_read({id(i): i for i, thing, _ in self._boxes if thing.frame is None})
        sizes = [thing.frame or frames.get(id(image), (0, 0)) for image, thing, _ in self._boxes]
        with np.errstate(over="ignore"):  # becomes infinite, and is refused at the image
            numbers = np.array([t.box for _, t, _ in self._boxes], np.float64).astype(np.float32)
            return numbers.reshape(-1, 4), np.array(sizes, np.float32).reshape(-1, 2)


def _stated_or_read(images: Mapping[int, CocoImage]) -> dict[int, Frame]:
    """Sizes of images of which the JSON states none, out of their files; of a sample only."""
    there = [(key, image) for key, image in images.items() if image.size > 0]
    step = -(-len(there) // _MOST_HEADERS) or 1
    read = {key: upright_size(image.path) for key, image in there[::step]}
    return {key: size for key, size in read.items() if size is not None}


def _numbers(entry: Mapping[str, Any]) -> Numbers:
    """The four numbers of a box, those of its mask if it has no others."""
    if entry.get(MASK_BOX) is not None:
        return entry[MASK_BOX]  # type: ignore[no-any-return]
    box = entry.get("bbox")
    if not box:
        raise Refusal(Reason.BAD_BOX, "it has no bbox, and no mask to make one of")
    numbers = [finite_number(value) for value in box] if isinstance(box, list) else []
    if len(numbers) != 4 or None in numbers:
        raise Refusal(Reason.BAD_BOX, "its bbox is not four finite numbers")
    return tuple(numbers)  # type: ignore[return-value]


def _is_crowd(value: Any) -> bool:
    """Whether `iscrowd` says so, as a number, a text or a truth value."""
    text = str(value).strip().lower()
    if text not in _NO and text not in _YES:
        raise Refusal(Reason.BAD_BOX, f"its iscrowd is neither 0 nor 1: {text[:20]!r}")
    return text in _YES


def _placed(thing: SourceObject, layout: BoxLayout, is_fraction: bool) -> SourceObject:
    """An object with the corners of its box."""
    x0, y0, x1, y1 = thing.box
    if layout == "xywh":
        x1, y1 = x0 + x1, y0 + y1
    if not is_fraction:
        box = (x0, y0, x1, y1)
        return SourceObject(thing.category, box, thing.area, thing.is_crowd, thing.frame)
    width, height = thing.frame or (1.0, 1.0)
    box = (x0 * width, y0 * height, x1 * width, y1 * height)
    return SourceObject(thing.category, box, None, thing.is_crowd, (width, height))
