"""Scans of a JPEG: a few bytes each, and each is a walk over all pixels.

A progressive JPEG sends its image in about ten scans, coarse to fine. Nothing limits their number,
so a file of 4 MB can ask for minutes of work; how many there are is counted before any is decoded.
"""

from __future__ import annotations

from typing import Final

_USUAL: Final = 20  # scans that no file is refused for
_MOST_WORK: Final = 4_000_000_000  # pixels walked over; 10 s or less on the cores of today
_SCAN_COST: Final = 20_000  # pixels that could be walked over while the tables of a scan are made
_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_ALONE: Final = frozenset((0x01, *range(0xD0, 0xD8)))  # markers without a length


def is_too_slow(content: bytes, pixels: int, times: int = 1) -> bool:
    """Whether a JPEG has more scans than an image of so many pixels may have.

    The answer depends on the file alone, not on the time that a machine needs.

    Args:
        content: Of the file.
        pixels: Of the image.
        times: The usual limit.
    """
    most = max(_USUAL, times * _MOST_WORK // (pixels + _SCAN_COST))
    if content.count(b"\xff\xda") <= most:  # nearly always; there may be some in other segments
        return False
    return count_scans(content) > most


def count_scans(content: bytes) -> int:
    """The scans between the begin of a JPEG and its end mark, or its first fault.

    >>> count_scans(bytes.fromhex("ffd8 ffe0 0004 ffda ffda 0002 00 ff00 ffda 0002 11 ffd9"))
    2
    """
    scans, position = 0, 2
    while (position := content.find(b"\xff", position)) >= 0 and position + 3 < len(content):
        marker = content[position + 1]
        if marker == _END:
            break
        if marker in _ALONE or marker in (0x00, 0xFF, _START):  # data of a scan, or padding
            position += 1 if marker == 0xFF else 2
            continue
        scans += marker == _SCAN
        position += 2 + int.from_bytes(content[position + 2 : position + 4])
    return scans
