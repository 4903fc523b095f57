"""Captions of horizontally mirrored images."""

from __future__ import annotations

import re
from typing import Final

_LEFT_OR_RIGHT: Final = re.compile(r"\b(left|right)(?=\b|most|ward)", re.IGNORECASE)
_OPPOSITE: Final = {"left": "right", "right": "left"}


def mirror_caption(caption: str) -> str:
    """The caption with the words "left" and "right" exchanged.

    The meaning is ignored: also the "left" of "has left" becomes "right".

    >>> mirror_caption("a dog left of the rightmost cat, Right at the copyright sign")
    'a dog right of the leftmost cat, left at the copyright sign'
    """
    return _LEFT_OR_RIGHT.sub(lambda match: _OPPOSITE[match[0].lower()], caption)
