"""The images, captions and boxes of one split of COCO, out of all its JSON files."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from schemas.quarantine import Reason
from stages.sources.caption_fields import captions_of
from stages.sources.coco_boxes import JsonBoxes
from stages.sources.coco_image import CocoImage, Split
from stages.sources.coco_json import (
    MASK_BOX,
    Categories,
    CocoJson,
    frame_of,
    load_json,
    written_name,
)
from stages.sources.json_ids import id_text
from stages.sources.name_index import NameMatch, normalised
from stages.sources.record import Problem, Refusal

if TYPE_CHECKING:
    from pathlib import Path

    from schemas.box_forms import BoxForm
    from stages.sources.image_folder import ImageFolder


@dataclass(slots=True)
class SplitContent:
    """What the JSON files of a split hold.

    Attributes:
        images: By file name, in the order in which they are listed first.
        problems: Of no image: annotations of unlisted images, entries that are no images.
        ways: How many images were found by which rule of names.
        repeated: Entries of images that their file lists again.
        remarks: Sentences.
    """

    images: dict[str, CocoImage] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    ways: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    remarks: list[str] = field(default_factory=list)


def read_split(split: Split, folder: ImageFolder, form: BoxForm = "auto") -> SplitContent:
    """The content of all JSON files of a split.

    Args:
        split: Which files.
        folder: The files that their names can mean.
        form: What the numbers of a box are.

    Raises:
        SourceError: If a file is not COCO's JSON, or its boxes speak against their form.
    """
    content = SplitContent()
    for path in split.jsons:
        reader = _JsonReader(split, load_json(path), content)
        reader.add_images(folder)
        reader.add_annotations(form)
    return content


class _JsonReader:
    """Adds the content of one JSON file to that of its split."""

    def __init__(self, split: Split, json: CocoJson, content: SplitContent) -> None:
        self._split, self._json, self._content = split, json, content
        self._categories = Categories(json.categories)
        self._images: dict[str, CocoImage | None] = {}  # by id; None: several have it
        self._frames: dict[str, tuple[float, float] | None] = {}
        self._listed: set[str] = set()

    def add_images(self, folder: ImageFolder) -> None:
        """Add the images that the file lists."""
        names = [written_name(entry) for entry in self._json.images]
        matches = folder.find_all({name for name in names if name is not None})
        for number, (name, entry) in enumerate(zip(names, self._json.images, strict=True)):
            if name is None:
                self._refuse("image", number, Reason.BAD_ROW, "it has no file_name")
            else:
                self._add_image(name, matches[name], entry)

    def add_annotations(self, form: BoxForm) -> None:
        """Add captions and boxes to their images."""
        boxes = JsonBoxes(self._label)
        for number, entry in enumerate(self._json.annotations):
            try:
                image = self._image_of(entry)
            except Refusal as refusal:
                self._refuse("annotation", number, refusal.reason, refusal.detail)
                continue
            where = f"annotation {number} of {self._json.name}"
            for add in (self._add_caption, self._add_box):
                try:
                    add(image, entry, boxes)
                except Refusal as refusal:
                    image.problems.append((refusal.reason, f"{where}: {refusal.detail}"))
        self._json.annotations.clear()  # they fill memory, and all that is needed is taken
        self._content.remarks += boxes.place(form)
        if self._categories.shared:
            names = ", ".join(self._categories.shared[:5])
            self._content.remarks.append(f"{self._label} has several categories called {names}")
        if self._categories.alike:
            self._content.remarks.append(f"{self._label} {self._categories.alike}")

    @property
    def _label(self) -> str:
        return f"{self._split.name}/{self._json.name}"

    def _add_image(self, name: str, match: NameMatch | Refusal, entry: Any) -> None:
        image = self._known_or_new(name, match)
        key = id_text(entry.get("id"))
        if image.file_name in self._listed:
            self._content.repeated += 1
        elif image.source_id is None or self._json.categories:  # boxes are matched by their ids
            image.source_id = key
        self._listed.add(image.file_name)
        if key is not None:
            self._frames[key] = frame_of(entry)
            self._claim_id(key, image)

    def _known_or_new(self, name: str, match: NameMatch | Refusal) -> CocoImage:
        file_name = match.name if isinstance(match, NameMatch) else normalised(name)
        image = self._content.images.get(file_name)
        if image is None:
            image = CocoImage(self._split, file_name, -1)
            self._content.images[file_name] = image
            if isinstance(match, NameMatch):
                image.size = _file_size(image.path)
                self._content.ways[match.way] += 1
            else:
                image.refusal = match
        return image

    def _claim_id(self, key: str, image: CocoImage) -> None:
        """Remember whose id it is; images that share one are refused, for so are their boxes."""
        other = self._images.setdefault(key, image)
        if other is image:
            return
        self._images[key] = None
        for one in filter(None, (other, image)):
            detail = f"{self._label} gives the id {key} to several images, {one.file_name} is one"
            one.refusal = one.refusal or Refusal(Reason.DUPLICATE_ID, detail)

    def _image_of(self, entry: Any) -> CocoImage:
        """The image of an annotation.

        Raises:
            Refusal: If it is not known.
        """
        if not isinstance(entry, dict):
            raise Refusal(Reason.BAD_ROW, "it is not an object")
        key = id_text(entry.get("image_id"))
        if key is None:
            raise Refusal(Reason.UNKNOWN_IMAGE, "it names no image_id")
        if key not in self._images:
            raise Refusal(Reason.UNKNOWN_IMAGE, f"image {key} is not listed")
        image = self._images[key]
        if image is None:
            raise Refusal(Reason.AMBIGUOUS_ID, f"several images have its image_id, {key}")
        return image

    def _add_caption(self, image: CocoImage, entry: dict[str, Any], _boxes: JsonBoxes) -> None:
        if "caption" in entry:
            captions = captions_of(entry["caption"])
            if not captions:
                raise Refusal(Reason.BAD_CAPTION, "its caption is empty")
            image.captions += captions

    def _add_box(self, image: CocoImage, entry: dict[str, Any], boxes: JsonBoxes) -> None:
        if not {"bbox", MASK_BOX, "category_id"} & entry.keys():
            if "caption" not in entry:
                raise Refusal(Reason.BAD_ROW, "it has neither bbox, segmentation nor caption")
            return
        category, problem = self._categories.find(entry.get("category_id"))
        frame = self._frames[id_text(entry["image_id"]) or ""]
        if category is None:
            raise Refusal(Reason.UNKNOWN_CATEGORY, problem)
        boxes.add(image, entry, category, frame)

    def _refuse(self, what: str, number: int, reason: Reason, detail: str) -> None:
        record = f"{self._label}#{what}{number}"
        self._content.problems.append(
            Problem(record, reason, f"{what} {number} of {self._json.name}: {detail}")
        )


def _file_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return -1  # recorded as absent; a file that appears later changes the digest
