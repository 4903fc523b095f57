"""Captions of images whose left and right were swapped."""

from __future__ import annotations

import re
from typing import Final

_SIDE: Final = re.compile(r"\b(left|right)(?=\b|most|ward)", re.IGNORECASE)
_OTHER: Final = {"left": "right", "right": "left"}


def mirrored(caption: str) -> str:
    """The caption with left for right and right for left, where these are words.

    What is meant is not looked at: somebody "has left", and what is "right" may be correct.

    >>> mirrored("a dog left of the rightmost cat, Right at the copyright sign")
    'a dog right of the leftmost cat, left at the copyright sign'
    """
    return _SIDE.sub(lambda found: _OTHER[found[0].lower()], caption)
