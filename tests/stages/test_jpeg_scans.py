"""Scans of a JPEG, counted before they are decoded."""

from __future__ import annotations

import pytest

from stages.jpeg_scans import count_scans, is_too_slow
from tests.stages.jpeg_samples import many_scans
from tests.stages.sources.samples import encoded


def test_the_scans_of_a_file_are_counted() -> None:
    assert count_scans(encoded()) == 1
    progressive = encoded(progressive=True)
    assert count_scans(progressive) == progressive.count(b"\xff\xda") > 5
    assert count_scans(many_scans((12, 8), 300)) == 300


def test_scans_after_the_end_and_within_other_segments_are_none() -> None:
    thumbnail = b"\xff\xe1\x00\x0a" + b"\xff\xda\x00\x02" * 2
    content = encoded()
    assert count_scans(content[:2] + thumbnail + content[2:]) == 1
    assert count_scans(content + content) == 1


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xda", b"\xff" * 1000]
)
def test_a_damaged_file_has_the_scans_before_its_damage(content: bytes) -> None:
    assert count_scans(content) == 0


def test_a_large_image_may_have_fewer_scans_but_never_fewer_than_encoders_write() -> None:
    content = many_scans((12, 8), 300)
    assert not is_too_slow(content, 12 * 8)
    assert not is_too_slow(content, 4000 * 3000)
    assert is_too_slow(content, 50_000_000)
    assert not is_too_slow(many_scans((12, 8), 20), 1 << 29)
