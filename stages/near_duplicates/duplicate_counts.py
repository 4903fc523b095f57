"""What became of images that were compared: the count `images` and the note `compared_with`.

`images` has `seen`, `unreadable`, `plain` (of one brightness), `duplicate`, `same_bytes` (those of
which one is a file of the same bytes), `more` (those of which not all duplicates are listed) and
`cut` (those that so many others resemble that not all were looked at). `compared_with` has
`images`, `unreadable` and `plain` of the other set, and `themselves`: whether the images were
compared with each other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stages.near_duplicates.picture_set import MOST
from stages.outcome import counted, is_most

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stages.near_duplicates.image_set import ComparedImage, FoundDuplicates

NO_IMAGES: Final = dict.fromkeys(
    ("seen", "unreadable", "plain", "duplicate", "same_bytes", "more", "cut"), 0
)


def image_counts(
    images: Sequence[ComparedImage], found: Sequence[FoundDuplicates]
) -> dict[str, int]:
    """The counts of some images and what was found of each."""
    return {
        "seen": len(images),
        "unreadable": sum(image.refusal is not None for image in images),
        "plain": sum(image.plain for image in images),
        "duplicate": sum(bool(one.listed) for one in found),
        "same_bytes": sum(any(pair.same_bytes for pair in one.listed) for one in found),
        "more": sum(one.more for one in found),
        "cut": sum(one.cut for one in found),
    }


def described_duplicates(images: Mapping[str, int], others: Mapping[str, Any]) -> str:
    """How many images are duplicates.

    >>> described_duplicates(NO_IMAGES | {"seen": 1204}, {"images": 100, "themselves": False})
    'none of 1,204 images is a duplicate of one of 100 others'
    """
    number = images["duplicate"]
    whom = "an earlier one" if others["themselves"] else f"one of {others['images']:,} others"
    line = f"{number or 'none':{',' if number else ''}} of {counted(images['seen'], 'image')} "
    line += f"{'are duplicates' if number > 1 else 'is a duplicate'} of {whom}"
    return f"{line}, {images['same_bytes']:,} of them by the same bytes" if number else line


def described_rest(images: Mapping[str, int], others: Mapping[str, Any], most: int) -> list[str]:
    """A sentence for each way in which not everything was compared or listed."""
    lines = []
    for name, why in (("unreadable", "could not be read"), ("plain", "are of one brightness")):
        if number := images[name] + (0 if others["themselves"] else others[name]):
            lines.append(f"{counted(number, 'image')} {why}: compared by their bytes alone")
    if images["more"]:
        lines.append(
            f"{counted(images['more'], 'image')} with more than {most} duplicates: {most} of each "
            "are listed; --most lists more"
        )
    if images["cut"]:
        lines.append(
            f"{counted(images['cut'], 'image')} with too many that are similar: of each the {MOST} "
            "likeliest were looked at"
        )
    return lines


def lost_comparisons(images: Mapping[str, int], others: Mapping[str, Any]) -> list[str]:
    """A sentence for each side of which most images could not be read.

    >>> seen = NO_IMAGES | {"seen": 3, "unreadable": 2}
    >>> lost_comparisons(seen, {"images": 3, "unreadable": 0, "themselves": False})
    ['2 of 3 images unreadable']
    """
    sides = [("images", images["unreadable"], images["seen"])]
    if not others["themselves"]:
        sides.append(("others", others["unreadable"], others["images"]))
    return [
        f"{bad:,} of {total:,} {name} unreadable"
        for name, bad, total in sides
        if is_most(bad, total)
    ]
