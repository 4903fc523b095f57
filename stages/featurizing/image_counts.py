"""What became of the images that features were made of: the count `images`, in words.

It has `seen`, `unreadable`, and `without_regions`: readable ones of which nothing was embedded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.outcome import counted, is_most

if TYPE_CHECKING:
    from collections.abc import Mapping


def described_images(images: Mapping[str, int]) -> str:
    """What of the images has no features, to go on with in a line; empty if all have some.

    >>> described_images({"seen": 9, "unreadable": 1, "without_regions": 2})
    '; 2 without proposals; 1 could not be read'
    """
    line = ""
    if images["without_regions"]:
        line += f"; {images['without_regions']:,} without proposals"
    if images["unreadable"]:
        line += f"; {images['unreadable']:,} could not be read"
    return line


def lost_images(images: Mapping[str, int]) -> list[str]:
    """A sentence if most of the images could not be read.

    >>> lost_images({"seen": 3, "unreadable": 2, "without_regions": 0})
    ['2 of 3 images unreadable']
    """
    unreadable, seen = images["unreadable"], images["seen"]
    if not is_most(unreadable, seen):
        return []
    return [f"{unreadable:,} of {counted(seen, 'image')} unreadable"]
