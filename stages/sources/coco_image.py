"""A split of COCO, and one image of it with all that its JSON files contain about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stages.sources.name_index import stem

if TYPE_CHECKING:
    from schemas.quarantine import Reason
    from stages.sources.record import Refusal, SourceObject


@dataclass(frozen=True, slots=True)
class Split:
    """One split.

    Attributes:
        name: Of the split.
        jsons: Its JSON files.
        folder: Of its images.
        is_shared: Whether the folder was found by looking around, so that images of other splits
            may lie in it too.
        others: Folders below it that belong to other splits.
    """

    name: str
    jsons: tuple[str, ...]
    folder: str
    is_shared: bool = False
    others: tuple[str, ...] = ()


@dataclass(slots=True)
class CocoImage:
    """What all JSON files together contain about one image file.

    Attributes:
        split: Which it belongs to.
        file_name: In the folder of the split; as the JSON has it if no file there fits.
        size: Of the file, bytes; -1 if it is not there.
        source_id: In the JSON that has the boxes, else in the first that lists it.
        refusal: Why it cannot be used.
        captions: Of all files.
        objects: Likewise.
        problems: Captions and boxes that cannot be used.
    """

    split: Split
    file_name: str
    size: int
    source_id: str | None = None
    refusal: Refusal | None = None
    captions: list[str] = field(default_factory=list)
    objects: list[SourceObject] = field(default_factory=list)
    problems: list[tuple[Reason, str]] = field(default_factory=list)

    @property
    def path(self) -> Path:
        """Where its file is, or would be."""
        return Path(self.split.folder, self.file_name)

    @property
    def image_id(self) -> str:
        """Split, a slash, the file name without its suffix."""
        return f"{self.split.name}/{stem(self.file_name)}"
