"""JPEGs with more scans than any encoder writes."""

from __future__ import annotations

from tests.stages.sources.samples import encoded


def many_scans(size: tuple[int, int], scans: int) -> bytes:
    """A progressive JPEG whose last scan is repeated until it has so many."""
    content = encoded(0, size, progressive=True)
    last = content.rindex(b"\xff\xda")
    repeated = content[last:-2]
    return content[:-2] + repeated * (scans - content.count(b"\xff\xda")) + content[-2:]
