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

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from stages.proposals.named_images import NamedImages, as_number
from stages.sources.json_ids import id_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.proposals.box_file import IdRule, ImageKey


_WAYS: Final = ("image_id", "COCO id", "exact", "spelling", "path", "base name", "stem", "number")
_SAID: Final = {  # in the last line of a run
    **dict.fromkeys(("exact", "spelling", "path", "base name"), "file name"),
    "stem": "file name without suffix",
    "number": "number in the file name",
}
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

    Args:
        keys: What the file calls its images.
        images: All rows of `images`, with `IMAGE_COLUMNS`.
        rule: json: rules 1 and 2 alone; name: all but 2.
    """
    known = NamedImages(keys, images)
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
        images: Places of ours in `NamedImages.rows`.
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


def _claim(index: int, key: ImageKey, known: NamedImages, rule: IdRule) -> _Claim | None:
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
        listed = any(known.rows[place].is_listed for place in by_name)
        return _Claim(index, by_name, way, is_unsure=could_be_id and listed)
    by_number = known.by_number(key) if rule != "json" else ()
    return _Claim(index, by_number, "number") if by_number else None


class _Claims:
    """All claims on each of ours; the best rule decides, and only if one image claims by it.

    Nearly all of ours have one claim, which takes 5 bytes.
    """

    def __init__(self, keys: Sequence[ImageKey], known: NamedImages) -> None:
        self._keys = keys
        self._known = known
        self._only = np.full(len(known.rows), -1, np.int32)  # index of the image that claims it
        self._ways = np.zeros(len(known.rows), np.uint8)
        self._contested: dict[int, list[_Claim]] = {}

    def add(self, claim: _Claim) -> None:
        """Take what an image of the file could be."""
        if len(claim.images) > 1:
            claim = claim._replace(is_ambiguous=True)
        for place in claim.images:
            if self._only[place] < 0 and not claim.is_ambiguous and place not in self._contested:
                self._only[place] = claim.image
                self._ways[place] = _WAYS.index(claim.way)
                continue
            claims = self._contested.setdefault(place, [])
            if self._only[place] >= 0:
                way = _WAYS[self._ways[place]]
                claims.append(_Claim(int(self._only[place]), (place,), way))
                self._only[place] = -1
            claims.append(claim)

    def matching(self) -> Matching:
        """Who has which boxes, now that all claims are in."""
        found: dict[str, tuple[int, str]] = {}
        refused: dict[str, str] = {}
        sizes = np.zeros((len(self._keys), 2), np.float32)
        is_ambiguous = np.zeros(len(self._keys), np.bool_)
        for place, claims in self._contested.items():
            rank = min(_WAYS.index(claim.way) for claim in claims)
            best = [claim for claim in claims if _WAYS.index(claim.way) == rank]
            if len(best) == 1 and not best[0].is_ambiguous:
                self._only[place], self._ways[place] = best[0].image, rank
            else:
                refused[self._known.rows[place].image_id] = self._why(best)
                is_ambiguous[[claim.image for claim in best]] = True
        for place in np.flatnonzero(self._only >= 0).tolist():
            index, way = int(self._only[place]), _WAYS[self._ways[place]]
            found[self._known.rows[place].image_id] = index, _SAID.get(way, way)
            sizes[index] = self._known.rows[place].size
        is_used = sizes.any(axis=1)
        is_ambiguous &= ~is_used
        strangers = np.flatnonzero(~is_used & ~is_ambiguous)
        first = next(iter([*strangers[:1], *np.flatnonzero(is_ambiguous)[:1]]), None)
        example = "" if first is None else str(self._keys[first])
        counts = int(is_ambiguous.sum()), len(strangers)
        return Matching(found, refused, sizes, *counts, (example, self._known.first))

    def _why(self, claims: Sequence[_Claim]) -> str:
        if len(claims) > 1:
            names = [repr(str(self._keys[claim.image])) for claim in claims]
            return f"the file has boxes of {_listed(names)}, and each could be this image"
        images = [repr(self._known.rows[place].image_id) for place in claims[0].images]
        name = str(self._keys[claims[0].image])
        return f"the boxes of {name!r} could be those of {_listed(images)}"


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:_SHOWN])
    more = len(names) - len(shown)
    return ", ".join(shown) + f" and {more:,} more" if more else " and ".join(shown)
