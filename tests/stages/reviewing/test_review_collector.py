"""Boxes are cut at the borders of their image, and refused if they are none."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from schemas.quarantine import Reason
from stages.reviewing import review_collector
from stages.reviewing.review_collector import (
    FoundBox,
    ImageReview,
    moment,
    person,
    region_number,
)
from stages.reviewing.review_comparison import NO_REGION, Unread
from tests.stages.reviewing.small_export import Collected, write_export

if TYPE_CHECKING:
    from pathlib import Path

HUGE = 1e308


@pytest.fixture
def collected(tmp_path: Path) -> Collected:
    return Collected.of(write_export(tmp_path / "out", "cvat"))


def review_of(collected: Collected, number: int = 3, time: datetime | None = None) -> ImageReview:
    images = {image.number: image for image in collected.collector.exported.images}
    return ImageReview(images[number], time)


@pytest.mark.parametrize(
    ("sides", "outcome"),
    [
        ((1.5, 2.0, 3.0, 4.0), (1.5, 2.0, 3.0, 4.0)),
        ((-5.0, -5.0, 100.0, 70.0), (0.0, 0.0, 64.0, 60.0)),
        ((-HUGE, 0.0, HUGE, 60.0), (0.0, 0.0, 64.0, 60.0)),
        ((5.0, 5.0, 5.0, 9.0), Reason.EMPTY_BOX),
        ((5.0, 9.0, 6.0, 5.0), Reason.EMPTY_BOX),
        ((64.0, 0.0, 70.0, 9.0), Reason.OUTSIDE_BOX),
        ((math.nan, 0.0, 70.0, 9.0), Reason.BAD_BOX),
        ((0.0, 0.0, math.inf, 9.0), Reason.BAD_BOX),
        (None, Reason.BAD_BOX),
    ],
)
def test_a_box_is_inside_its_image_or_refused(
    collected: Collected,
    sides: tuple[float, float, float, float] | None,
    outcome: Reason | tuple[float, ...],
) -> None:
    review = review_of(collected)
    collected.collector.box(review, "it", FoundBox(1, "dog", sides))
    if isinstance(outcome, Reason):
        assert collected.reasons == [outcome]
        assert (review.num_boxes, review.unread) == (0, {Unread(1, "dog")})
    else:
        assert tuple(review.boxes().sides[0]) == outcome
        assert (collected.reasons, review.unread) == ([], set())


def test_a_box_without_a_name_is_refused(collected: Collected) -> None:
    review = review_of(collected)
    collected.collector.box(review, "it", FoundBox(NO_REGION, None, (0.0, 0.0, 1.0, 1.0)))
    assert collected.reasons == [Reason.UNKNOWN_CATEGORY]
    assert review.unread == {Unread(NO_REGION, None)}


def test_more_boxes_than_anybody_draws_are_refused(
    collected: Collected, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_collector, "_MOST_BOXES", 2)
    review = review_of(collected)
    for _ in range(3):
        collected.collector.box(review, "it", FoundBox(NO_REGION, "dog", (0.0, 0.0, 1.0, 1.0)))
    assert (review.num_boxes, collected.reasons) == (2, [Reason.BAD_ROW])


def test_a_name_is_one_that_was_offered_or_a_short_text(collected: Collected) -> None:
    names = [" dog ", "wolf", "", "a\nb", "x" * 201, None, 3, "\ud800"]
    found = [collected.collector.name(name) for name in names]
    assert found == ["dog", "wolf", None, None, None, None, None, "\\ud800"]


def test_the_latest_review_of_a_person_counts_and_the_last_of_equals(collected: Collected) -> None:
    day = datetime(2026, 3, 1, tzinfo=UTC)
    late, early, unknown = (review_of(collected, 3, t) for t in (day.replace(day=2), day, None))
    for review in (unknown, late, early, unknown):
        collected.collector.judge(review, "ann")
    again = review_of(collected, 3, day.replace(day=2))
    collected.collector.judge(again, "ann")
    other = review_of(collected, 7)
    collected.collector.judge(other)
    assert list(collected.collector.reviews()) == [("ann", again), ("", other)]
    assert collected.collector.counts["superseded"] == 4


def test_an_image_of_another_size_is_refused(collected: Collected) -> None:
    find, name = collected.collector.find, "000000000003.png"
    assert find("it", None, name, ("64", 60.0))
    assert find("it", None, name) is not None
    assert find("it", None, name, (64, 61)) is None
    assert find("it", None, name, (None, "x" * 900)) is None
    assert collected.reasons == [Reason.SIZE_MISMATCH] * 2
    assert find("it", ["a"], {"b": 1}) is None
    assert find("it", "\ud800", None) is None
    assert collected.collector.unknown == ["it", "\\ud800"]
    assert collected.collector.counts == {"images": 6, "unknown": 2}
    assert (collected.collector.num_without_review, collected.collector.num_absent) == (1, 1)


def test_regions_people_and_times_of_any_type() -> None:
    regions = [0, "12", 3.0, -1, "x", "", None, True, 1 << 31, 0.5, "9" * 5000, [1], 10**400]
    assert [region_number(value) for value in regions] == [0, 12, 3] + [NO_REGION] * 10
    people = ["ann", 7, None, True, "\x1b[31mx", "\ud800", "y" * 900, 10**400, ["a"]]
    expected = ["ann", "7", "", "", "\ufffd[31mx", "\\ud800", "y" * 200, "", ""]
    assert [person(value) for value in people] == expected
    assert moment("2026-03-09T22:16:08.5Z") == datetime(2026, 3, 9, 22, 16, 8, 500_000, UTC)
    assert moment("2026-03-09T22:16:08") == datetime(2026, 3, 9, 22, 16, 8, tzinfo=UTC)
    bad = ["", "yesterday", None, 3, "0001-01-01T00:00:00+23:00", "9999-12-31T23:00:00-23:00"]
    assert [moment(value) for value in bad] == [None] * 6
