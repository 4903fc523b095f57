"""Files that annotation programs give back: what their content says they are, and their readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.errors import SourceError
from stages.reviewing.coco_reviews import read_coco
from stages.reviewing.cvat_reviews import read_cvat
from stages.reviewing.label_studio_reviews import read_label_studio

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stages.reviewing.review_collector import ReviewCollector

ACCEPTED: Final = (
    "Label Studio's JSON (not JSON-MIN), CVAT for images 1.1 (XML, or the archive with it), or "
    "COCO's JSON of instances"
)
_HEAD: Final = 4096  # bytes in which the first character is looked for
_READERS: Final[dict[bytes, Callable[[Path, ReviewCollector], None]]] = {
    b"[": read_label_studio,
    b"{": read_coco,
    b"<": read_cvat,
    b"P": read_cvat,  # PK begins an archive
}


def read_reviews(path: Path, collector: ReviewCollector) -> None:
    """Read a file of any of the formats, told apart by how they begin.

    Args:
        path: Of the file.
        collector: Takes what is found.

    Raises:
        SourceError: If it cannot be read, or is of none of them.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}); check its name") from error
    reader = _READERS.get(head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1])
    if reader is None:
        raise SourceError(f"{path} is no file of reviews: {ACCEPTED} is read")
    reader(path, collector)
