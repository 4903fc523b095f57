from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.tags import Tag, place_tags, touches

SIZE = (200, 160)


def test_a_tag_alone_is_above_the_corner_of_its_box() -> None:
    assert place_tags([Tag((50, 60, 90, 100), 30, 10)], SIZE) == [(50, 50, 80, 60)]


def test_at_the_edge_a_tag_stays_inside_the_picture() -> None:
    (place,) = place_tags([Tag((190, 2, 230, 40), 30, 10)], SIZE)
    assert place == (170, 0, 200, 10)


def test_of_two_tags_at_one_corner_the_larger_box_gives_way_and_keeps_its_tag() -> None:
    large, small = Tag((50, 60, 150, 140), 40, 10), Tag((50, 60, 90, 100), 40, 10)
    places = place_tags([large, small], SIZE)
    assert places[1] == (50, 50, 90, 60)
    assert touches(places[0], large.box)
    assert places[0] != places[1]


def test_a_tag_hides_as_little_of_other_boxes_as_it_can() -> None:
    covered, other = Tag((50, 60, 90, 100), 40, 10), Tag((40, 40, 120, 70), 10, 10)
    assert place_tags([covered, other], SIZE)[0] == (50, 100, 90, 110)


def test_tags_of_equal_boxes_are_apart_as_long_as_there_is_room() -> None:
    places = place_tags([Tag((80, 60, 100, 80), 40, 10)] * 14, SIZE)
    assert len(set(places)) == 14
    assert not [1 for a, b in combinations(places, 2) if _overlap(a, b)]


def test_without_room_every_tag_still_has_a_place() -> None:
    places = place_tags([Tag((0, 0, 20, 20), 20, 20)] * 3, (20, 20))
    assert places == [(0, 0, 20, 20)] * 3


@pytest.mark.parametrize("size", [(1, 1), (10, 5)])
def test_a_tag_larger_than_the_picture_begins_at_its_corner(size: tuple[int, int]) -> None:
    assert place_tags([Tag((0, 0, 1, 1), 30, 10)], size) == [(0, 0, 30, 10)]


boxes = st.tuples(*[st.integers(-20, 220)] * 4).map(
    lambda edges: (
        float(min(edges[0], edges[2])), float(min(edges[1], edges[3])),
        float(max(edges[0], edges[2])), float(max(edges[1], edges[3])),
    )
)  # fmt: skip


@pytest.mark.slow
@given(st.lists(boxes, max_size=6))
def test_a_few_tags_never_overlap_wherever_their_boxes_are(
    given_boxes: list[tuple[float, float, float, float]],
) -> None:
    places = place_tags([Tag(box, 40, 12) for box in given_boxes], SIZE)
    assert not [1 for a, b in combinations(places, 2) if _overlap(a, b)]
    for x0, y0, x1, y1 in places:
        assert 0 <= x0 < x1 <= SIZE[0]
        assert 0 <= y0 < y1 <= SIZE[1]


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
