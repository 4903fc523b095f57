from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schemas.errors import ChangedImageError, SourceError
from stages.sources.record import (
    DuplicateKeys,
    Record,
    Refusal,
    SourceObject,
    consecutive_ranges,
    require_utf8,
)


def test_ranges_cover_everything_once_and_keep_their_limits() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        sizes = rng.integers(0, 20, rng.integers(0, 30)).tolist()
        ranges = consecutive_ranges(sizes, part_bytes=25, part_images=4)
        assert [n for first, last in ranges for n in range(first, last)] == list(range(len(sizes)))
        for first, last in ranges:
            assert last - first <= 4
            assert sum(sizes[first:last]) <= 25 or last - first == 1


def test_a_range_ends_only_where_the_next_item_does_not_fit() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        sizes = rng.integers(0, 20, 30).tolist()
        ranges = consecutive_ranges(sizes, part_bytes=25, part_images=4)
        for first, last in ranges[:-1]:
            assert last - first == 4 or sum(sizes[first : last + 1]) > 25


@pytest.mark.parametrize(
    ("sizes", "expected"), [([], []), ([99], [(0, 1)]), ([0, 0, 0], [(0, 2), (2, 3)])]
)
def test_no_items_make_no_range_and_a_large_item_is_a_range_by_itself(
    sizes: list[int], expected: list[tuple[int, int]]
) -> None:
    assert consecutive_ranges(sizes, part_bytes=10, part_images=2) == expected


def test_duplicates_are_those_that_a_plain_set_finds() -> None:
    keys = [str(n) for n in np.random.default_rng(0).integers(0, 40, 100)]
    duplicates, earlier, expected = DuplicateKeys(), set[str](), set[int]()
    for position, key in enumerate(keys):
        duplicates.add(key)
        expected |= {position} if key in earlier else set()
        earlier.add(key)
    assert duplicates.positions() == expected
    assert len(duplicates.digests) == 16 * len(keys)


@pytest.mark.parametrize("keys", [[], ["a"], ["a", "A", "", "\udce9"]])
def test_different_keys_have_no_duplicates(keys: list[str]) -> None:
    duplicates = DuplicateKeys()
    for key in keys:
        duplicates.add(key)
    assert duplicates.positions() == frozenset()


def test_a_refusal_is_read_as_reason_and_sentence() -> None:
    refusal = Refusal("bad-box", "it has three numbers")
    assert (refusal.reason, refusal.detail) == ("bad-box", "it has three numbers")
    assert str(refusal) == "bad-box: it has three numbers"


@pytest.mark.parametrize(
    "names",
    [
        {"image_id": "x/\ud800"},
        {"split": "\ud800"},
        {"member": "\udfff.jpg"},
        {"objects": [SourceObject("\ud800", (0, 0, 1, 1))]},
    ],
)
def test_a_record_with_half_a_character_in_a_name_is_refused(names: dict[str, Any]) -> None:
    record: dict[str, Any] = {"image_id": "a", "uri": "a.jpg", "load": bytes}
    require_utf8(Record(**record))
    with pytest.raises(Refusal, match="unsafe-name"):
        require_utf8(Record(**{**record, **names}))


def test_an_image_that_changed_is_refused_for_another_reason_than_one_that_is_damaged() -> None:
    assert str(Refusal.of(SourceError("a is cut"))) == "unreadable: a is cut"
    assert str(Refusal.of(ChangedImageError("a is another"))) == "changed: a is another"
