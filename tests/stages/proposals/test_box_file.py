from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.quarantine import Reason
from stages.proposals import box_file
from stages.proposals.box_file import BadRecords, ImageKey

if TYPE_CHECKING:
    import pytest


def test_all_bad_records_are_counted_and_the_first_are_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(box_file, "_LISTED", 2)
    bad = BadRecords()
    for number in range(5):
        bad.add(f"record {number}", Reason.BAD_ROW, "half of a letter: \ud800")
    assert bad.count == 5
    assert list(bad.rows()) == [
        (f"record {n}", Reason.BAD_ROW, "half of a letter: \\ud800") for n in (0, 1)
    ]


def test_an_image_is_shown_by_its_name_if_it_has_one() -> None:
    keys = [ImageKey("7", "a.jpg"), ImageKey("7"), ImageKey(None, "a.jpg")]
    assert [str(key) for key in keys] == ["a.jpg", "7", "a.jpg"]
