"""Reviews from CVAT: "CVAT for images 1.1", as XML or in the archive that it downloads.

Every image that it lists was judged. The XML is parsed piece by piece, and none with a document
type is: so there are no entities, which could stand for gigabytes or for files of this machine.

Source: docs.cvat.ai, "XML annotation format", version 1.1.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, Final, NoReturn
from xml.parsers import expat
from zipfile import ZipFile, is_zipfile

from schemas.errors import SourceError
from stages.reviewing.review_collector import FoundBox, ImageReview, region_number
from stages.sources.files import foreign
from stages.sources.json_ids import finite_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from stages.reviewing.review_collector import ReviewCollector

_ADVICE: Final = 'export the task from CVAT again, as "CVAT for images 1.1"'
_MEMBER: Final = "annotations.xml"
_CHUNK: Final = 1 << 20  # bytes read at once
_LONGEST: Final = 64 << 20  # bytes of one element; masks of a large image need a few million
_DEEPEST: Final = 32  # elements within elements; CVAT has seven
_LONGEST_TEXT: Final = 200  # characters of an attribute of a shape
_SIDES: Final = ("xtl", "ytl", "xbr", "ybr")
_ROOT, _IMAGE, _SHAPE, _ATTRIBUTE = 1, 2, 3, 4  # how deep elements lie


def read_cvat(path: Path, collector: ReviewCollector) -> None:
    """Take every image with its boxes, as what one person says.

    Args:
        path: Of the XML, or of an archive with annotations.xml.
        collector: Takes what is found.

    Raises:
        SourceError: If it is neither, or is damaged, or of another kind, such as for video.
    """
    with foreign(f"{path} as CVAT's XML", _ADVICE), _opened(path) as file:
        parser = _parser(path, _CvatReader(path, collector))
        fed = 0
        while chunk := file.read(_CHUNK):
            parser.Parse(chunk, False)
            fed += len(chunk)
            if fed - parser.CurrentByteIndex > _LONGEST:
                raise SourceError(f"{path} has an element of more than {_LONGEST:,} bytes")
        parser.Parse(b"", True)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    if not is_zipfile(path):
        with path.open("rb") as file:
            yield file
        return
    with ZipFile(path) as archive:
        if archive.namelist().count(_MEMBER) != 1:
            raise SourceError(f"{path} has no {_MEMBER}; {_ADVICE}, or unpack it and name the file")
        with archive.open(_MEMBER) as file:
            yield file


def _parser(path: Path, reader: _CvatReader) -> expat.XMLParserType:
    def refuse(*_: Any) -> NoReturn:
        raise SourceError(f"{path} has a document type, which files of CVAT have not; {_ADVICE}")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    return parser


class _CvatReader:
    """Takes elements one after the other; only one shape is in memory."""

    def __init__(self, path: Path, collector: ReviewCollector) -> None:
        self._path, self._collector = path, collector
        self._depth = self._images = self._shapes = 0
        self._review: ImageReview | None = None
        self._shape: Mapping[str, str] = {}
        self._own: dict[str, str] = {}  # attributes of the shape that are elements
        self._name: str | None = None  # of the attribute that is being read

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise SourceError(f"{self._path} is nested too deeply; {_ADVICE}")
        if self._depth == _ROOT and tag != "annotations":
            raise SourceError(f"{self._path} is not CVAT's XML, it is <{tag[:40]!a}>; {_ADVICE}")
        if self._depth == _IMAGE and tag == "track":
            raise SourceError(f"{self._path} has tracks, as CVAT has for video; {_ADVICE}")
        if self._depth == _IMAGE and tag == "image":
            self._start_image(attributes)
        elif self._depth == _SHAPE:
            self._shape, self._own = attributes, {}
        elif self._depth == _ATTRIBUTE and tag == "attribute":
            self._name = attributes.get("name", "")[:_LONGEST_TEXT]
            self._own[self._name] = ""

    def text(self, data: str) -> None:
        """Text of an element, perhaps a piece."""
        if self._name is not None:
            self._own[self._name] = (self._own[self._name] + data)[:_LONGEST_TEXT]

    def end(self, tag: str) -> None:
        """An element ends."""
        if self._depth == _ATTRIBUTE:
            self._name = None
        elif self._depth == _SHAPE and self._review is not None:
            self._end_shape(tag, self._review)
        elif self._depth == _IMAGE and self._review is not None:
            self._collector.judge(self._review)
            self._review = None
        self._depth -= 1

    def _start_image(self, attributes: Mapping[str, str]) -> None:
        self._images += 1
        self._shapes = 0
        record = f"{self._path.name}: image {self._images}"
        size = attributes.get("width"), attributes.get("height")
        stated = None if size == (None, None) else size
        image = self._collector.find(record, None, attributes.get("name"), stated)
        self._review = image and ImageReview(image)

    def _end_shape(self, tag: str, review: ImageReview) -> None:
        self._shapes += 1
        name, region = self._collector.name(self._shape.get("label")), self._own.get("region")
        number = region_number(region)
        if tag == "tag":  # of the whole image
            self._collector.counts["answers"] += 1
        elif tag == "box" and finite_number(self._shape.get("rotation", 0)) == 0:
            sides = [finite_number(self._shape.get(side)) for side in _SIDES]
            x0, y0, x1, y1 = (float("nan") if side is None else side for side in sides)
            record = f"{self._path.name}: image {self._images}, box {self._shapes}"
            self._collector.box(review, record, FoundBox(number, name, (x0, y0, x1, y1)))
        else:
            self._collector.unread(review, number, name)
