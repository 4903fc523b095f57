"""Which image of ours each image of a file of boxes is; decided once, over all parts of `images`.

An image of the file is ours by the first of these rules by which it is any of ours:

1. its id is our image_id
2. its id is the id that the source's own JSON gives an image (`source_id`), as COCO results have it
3. its name, or its id taken for a name, is that of an image's file, or the key of a shard's member:
   the whole path, the end of it, the base name, or that without its suffix
   (`stages.sources.name_index`)
4. it is the same number as a file name, such as 139 and 000000000139.jpg, if no JSON was read

If several of ours fit by the same rule, none of them gets the boxes; so too if several images of
the file fit one of ours, or if its ids are those of the JSON for some images and names for others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from stages.sources.json_ids import id_text
from stages.sources.name_index import NameIndex, normalised, stem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.proposals.box_file import IdRule, ImageKey

IMAGE_COLUMNS: Final = ("image_id", "source", "source_id", "uri", "member", "width", "height")

_WAYS: Final = ("image_id", "COCO id", "exact", "spelling", "path", "base name", "stem", "number")
_SAID: Final = {  # in the last line of a run
    **dict.fromkeys(("exact", "spelling", "path", "base name"), "file name"),
    "stem": "file name without suffix",
    "number": "number in the file name",
}
_BY_ROW: Final = ("parquet", "tsv")  # kinds of sources whose `member` is the number of a row
_SHOWN: Final = 3  # names that a refusal lists


@dataclass(slots=True)
class Matching:
    """Which of our images has which boxes.

    Attributes:
        found: By image_id, the index of an image in the file, and by what it was matched.
        refused: By image_id, why it is unclear which boxes are its own; one sentence.
        sizes: (F, 2) width and height of our image for each of the file; 0 where there is none.
        ambiguous: Images of the file that could be several of ours, or one of several.
        unmatched: Images of the file that are none of ours.
        example: Of an image of the file that is none of ours, and of one of ours.
    """

    found: dict[str, tuple[int, str]]
    refused: dict[str, str]
    sizes: NDArray[np.float32]
    ambiguous: int
    unmatched: int
    example: tuple[str, str]


def match_images(
    keys: Sequence[ImageKey], images: Iterable[pa.RecordBatch], rule: IdRule = "auto"
) -> Matching:
    """Match the images of a file to ours.

    Memory: what rules 1 to 4 find only by name costs about 500 bytes an image.

    Args:
        keys: What the file calls its images.
        images: All rows of `images`, with `IMAGE_COLUMNS`.
        rule: json: rules 1 and 2 alone; name: all but 2.
    """
    known = _Known(keys, images)
    claims = _Claims(keys, known)
    unsure: list[_Claim] = []
    for index, key in enumerate(keys):
        claim = _claim(index, key, known, rule)
        if claim and claim.is_unsure:
            unsure.append(claim)
        elif claim:
            claims.add(claim)
    # a number that only a name explains says that numbers are names, so the others may be as well
    by_name_only = [claim for claim in unsure if claim.others is None]
    conflicts = [claim for claim in unsure if claim.others is not None]
    for claim in unsure:
        if conflicts and by_name_only:
            both = (*claim.images, *(claim.others or ()))
            claims.add(claim._replace(images=both, way="COCO id", is_ambiguous=True))
        else:
            claims.add(claim)
    return claims.matching()


class _Claim(NamedTuple):
    """Of ours, those that an image of the file could be.

    Attributes:
        image: Index of the image in the file.
        images: Places of ours in `_Known.rows`.
        way: One of `_WAYS`.
        others: Those that it could be as a name, if that is not the image of this JSON id.
        is_unsure: Whether other images of the file decide if ids are those of a JSON or names.
        is_ambiguous: Whether it is none of them in particular.
    """

    image: int
    images: tuple[int, ...]
    way: str
    others: tuple[int, ...] | None = None
    is_unsure: bool = False
    is_ambiguous: bool = False


class _ImageRow(NamedTuple):
    """`IMAGE_COLUMNS` of an image of ours."""

    image_id: str
    source: str
    source_id: str | None
    uri: str
    member: str | None
    width: int
    height: int


class _Known:
    """Ours, as far as the file could mean them."""

    def __init__(self, keys: Sequence[ImageKey], images: Iterable[pa.RecordBatch]) -> None:
        self.first = ""
        self.rows: list[_ImageRow] = []
        self._by_image_id: dict[str, int] = {}
        self._by_source_id: dict[str, list[int]] = {}
        self._by_name: dict[str, list[int]] = {}
        self._by_number: dict[int, dict[int, None]] = {}
        self._ids = {text for key in keys if key.id for text in (key.id, id_text(key.id)) if text}
        names = [key.name or key.id or "" for key in keys]
        self._ids.update(names)
        base_names = [normalised(name).rpartition("/")[2].casefold() for name in names]
        self._stems = {*base_names, *map(stem, base_names)}
        self._numbers = {as_number(base_name) for base_name in base_names} - {None}
        for batch in images:
            columns = (batch.column(name).to_pylist() for name in IMAGE_COLUMNS)
            for row in zip(*columns, strict=True):
                self._add(_ImageRow._make(row))
        self._names = NameIndex(self._by_name)

    def _add(self, row: _ImageRow) -> None:
        self.first = self.first or row.image_id
        place = len(self.rows)
        is_wanted = False
        if row.image_id in self._ids:
            is_wanted = True
            self._by_image_id[row.image_id] = place
        if row.source_id in self._ids:
            is_wanted = True
            self._by_source_id.setdefault(row.source_id or "", []).append(place)
        for name in names_of(row):
            base_name = normalised(name).rpartition("/")[2]
            if stem(base_name).casefold() in self._stems:
                is_wanted = True
                self._by_name.setdefault(name, []).append(place)
            number = None if row.source_id else as_number(base_name)
            if number in self._numbers:
                is_wanted = True
                self._by_number.setdefault(number or 0, {})[place] = None
        if is_wanted:
            self.rows.append(row)

    def by_image_id(self, key: ImageKey) -> tuple[int, ...]:
        """The image whose image_id the file gives."""
        places = (self._by_image_id.get(text) for text in (key.id, key.name) if text)
        return tuple(place for place in places if place is not None)[:1]

    def by_source_id(self, key: ImageKey) -> tuple[int, ...]:
        """Images to which the source's JSON gives this id."""
        return tuple(self._by_source_id.get(id_text(key.id) or "", ()))

    def by_name(self, key: ImageKey) -> tuple[tuple[int, ...], str]:
        """Images of this name, and by which rule."""
        fitting = self._names.fitting(key.name or key.id or "")
        if not fitting:
            return (), "stem"
        way, names = fitting
        return tuple(dict.fromkeys(p for name in names for p in self._by_name[name])), way

    def by_number(self, key: ImageKey) -> tuple[int, ...]:
        """Images that no JSON listed, and whose name is this number."""
        number = as_number(normalised(key.name or key.id or "").rpartition("/")[2])
        return tuple(self._by_number.get(number, ())) if number is not None else ()


def _claim(index: int, key: ImageKey, known: _Known, rule: IdRule) -> _Claim | None:
    """What an image of the file could be, by the first rule by which it is anything."""
    if places := known.by_image_id(key):
        return _Claim(index, places, "image_id")
    by_id = known.by_source_id(key) if rule != "name" else ()
    by_name, way = known.by_name(key) if rule != "json" else ((), "")
    if key.name and by_name:  # a name says more than an id, which another JSON may have given
        both = tuple(place for place in by_name if place in by_id)
        return _Claim(index, both or by_name, way)
    if by_id and by_name and set(by_id) != set(by_name):
        if key.id != id_text(key.id):  # such as 0042: a padded name, or the JSON's own text
            return _Claim(index, (*by_id, *by_name), "COCO id", is_ambiguous=True)
        return _Claim(index, by_id, "COCO id", others=by_name, is_unsure=True)
    if by_id:
        return _Claim(index, by_id, "COCO id")
    if by_name:
        could_be_id = str(as_number(key.id or "")) == key.id and rule == "auto"
        listed = any(known.rows[place].source_id is not None for place in by_name)
        return _Claim(index, by_name, way, is_unsure=could_be_id and listed)
    by_number = known.by_number(key) if rule != "json" else ()
    return _Claim(index, by_number, "number") if by_number else None


@dataclass(slots=True)
class _Claims:
    """All claims on each of ours; the best rule decides, and only if one image claims by it."""

    keys: Sequence[ImageKey]
    known: _Known
    of_image: dict[int, list[_Claim]] = field(default_factory=dict)
    claimants: set[int] = field(default_factory=set)

    def add(self, claim: _Claim) -> None:
        """Take what an image of the file could be."""
        self.claimants.add(claim.image)
        if len(claim.images) > 1:
            claim = claim._replace(is_ambiguous=True)
        for place in claim.images:
            self.of_image.setdefault(place, []).append(claim)

    def matching(self) -> Matching:
        """Who has which boxes, now that all claims are in."""
        found: dict[str, tuple[int, str]] = {}
        refused: dict[str, str] = {}
        sizes = np.zeros((len(self.keys), 2), np.float32)
        ambiguous: set[int] = set()
        used: set[int] = set()
        for place, claims in self.of_image.items():
            row = self.known.rows[place]
            rank = min(_WAYS.index(claim.way) for claim in claims)
            best = [claim for claim in claims if _WAYS.index(claim.way) == rank]
            if len(best) == 1 and not best[0].is_ambiguous:
                index = best[0].image
                found[row.image_id] = index, _SAID.get(best[0].way, best[0].way)
                sizes[index] = row.width, row.height
                used.add(index)
            else:
                refused[row.image_id] = self._why(best)
                ambiguous.update(claim.image for claim in best)
        ambiguous -= used
        unmatched = [n for n in range(len(self.keys)) if n not in used and n not in ambiguous]
        first = unmatched[0] if unmatched else min(ambiguous, default=None)
        example = "" if first is None else str(self.keys[first])
        return Matching(
            found, refused, sizes, len(ambiguous), len(unmatched), (example, self.known.first)
        )

    def _why(self, claims: Sequence[_Claim]) -> str:
        if len(claims) > 1:
            names = [repr(str(self.keys[claim.image])) for claim in claims]
            return f"the file has boxes of {_listed(names)}, and each could be this image"
        images = [repr(self.known.rows[place].image_id) for place in claims[0].images]
        name = str(self.keys[claims[0].image])
        return f"the boxes of {name!r} could be those of {_listed(images)}"


def as_number(name: str) -> int | None:
    """A name as an integer, without its suffix; None if it is not an integer.

    >>> as_number("000000000139.jpg"), as_number("139"), as_number("a1")
    (139, 139, None)
    """
    digits = re.fullmatch(r"([0-9]{1,18})(\.[A-Za-z]+)?", name)
    return int(digits[1]) if digits else None


def names_of(row: _ImageRow) -> list[str]:
    """Names of an image: its path, in a shard the shard's without suffix; its id if it differs."""
    if row.member is not None and row.source in _BY_ROW:
        return [row.image_id]
    path = row.uri if row.member is None else f"{stem(row.uri)}/{row.member}"
    base_name = path.rpartition("/")[2]
    is_same = row.image_id.rpartition("/")[2] in (base_name, stem(base_name))
    return [path] if is_same else [path, row.image_id]


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:_SHOWN])
    more = len(names) - len(shown)
    return ", ".join(shown) + f" and {more:,} more" if more else " and ".join(shown)
