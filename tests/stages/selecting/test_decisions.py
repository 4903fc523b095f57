"""What several reviewers together say that a region is."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from schemas.reviews import REVIEWS, VERDICTS
from stages.selecting.decisions import Decision, decisions

POOL = {"dog": 0, "cat": 1, "Cup": 2}
BOX = (1.0, 2.0, 30.0, 40.0)


def reviews(*voices: tuple[str, str | None, tuple[float, ...] | None], judged: int = 0) -> pa.Table:
    """What reviewers say of region 4 of image "a"; later ones later."""
    rows = [
        {
            "image_id": "a",
            "region": 4,
            "concept_id": judged,
            "verdict": verdict,
            "concept": concept,
            **dict(zip(("x0", "y0", "x1", "y1"), box or [None] * 4, strict=True)),
            "reviewer": f"r{n}",
            "time": datetime(2026, 1, 1, 0, n, tzinfo=UTC),
        }
        for n, (verdict, concept, box) in enumerate(voices)
    ]
    return pa.Table.from_pylist(rows, schema=REVIEWS.arrow)


@pytest.mark.parametrize(
    ("voices", "decision"),
    [
        ([("right", None, None)], Decision(0, 0)),
        ([("wrong", None, None)], Decision(0, None)),
        ([("wrong", "cat", None)], Decision(0, 1)),
        ([("wrong", " CUP ", None)], Decision(0, 2)),
        ([("wrong", "unicorn", None)], Decision(0, None, nothing_known=True)),
        ([("wrong-box", None, None)], Decision(0, None)),
        ([("wrong-box", "cat", None)], Decision(0, None)),
        ([("wrong-box", None, BOX)], Decision(0, 0, BOX)),
        ([("wrong-box", "cat", BOX)], Decision(0, 1, BOX)),
        ([("wrong", "cat", None), ("wrong-box", "cat", BOX)], Decision(0, 1, BOX)),
        ([("wrong", "cat", None), ("wrong", "Cup", None)], Decision(0, None, nothing_known=True)),
        ([("wrong", "cat", None), ("wrong", None, None)], Decision(0, 1)),
        ([("wrong", None, None), ("wrong", "cat", None), ("wrong", None, None)], Decision(0, None)),
        ([("right", None, None), ("wrong", "cat", None), ("right", None, None)], Decision(0, 0)),
        ([("right", None, None), ("unsure", None, None)], Decision(0, 0)),
    ],
)
def test_voices_make_a_decision(voices: list[Any], decision: Decision) -> None:
    found = decisions(reviews(*voices), POOL)
    assert found.of == {("a", 4): decision}
    assert found.open == 0


@pytest.mark.parametrize(
    "voices",
    [[("unsure", None, None)], [("right", None, None), ("wrong", "cat", None)]],
)
def test_without_a_majority_a_region_is_open(voices: list[Any]) -> None:
    found = decisions(reviews(*voices), POOL)
    assert not found.of
    assert found.note() == {"decided": 0, "open": 1, "unknown": 0, "unknown_names": []}


def test_the_last_box_of_those_who_say_what_it_is_counts() -> None:
    later = (5.0, 5.0, 9.0, 9.0)
    other = (0.0, 0.0, 1.0, 1.0)
    voices = [("wrong-box", "cat", BOX), ("wrong-box", "cat", later), ("wrong-box", "dog", other)]
    assert decisions(reviews(*voices), POOL).of["a", 4] == Decision(0, 1, later)


def test_names_that_the_pool_does_not_have_are_known() -> None:
    voices = [("wrong", "yeti", None), ("wrong", "yeti", None), ("wrong", "unicorn", None)]
    assert decisions(reviews(*voices), POOL).unknown == ["yeti", "unicorn"]


def test_a_name_as_it_is_written_goes_before_one_that_is_alike() -> None:
    pool = {"cup": 0, "CUP": 1, "dog": 2}
    assert decisions(reviews(("wrong", "CUP", None), judged=2), pool).of["a", 4].concept_id == 1
    assert decisions(reviews(("wrong", "Cup", None), judged=2), pool).of["a", 4].concept_id == 0


def test_random_voices_are_counted_as_one_would_by_hand() -> None:
    rng = np.random.default_rng()
    for _ in range(300):
        voices = [
            (
                str(rng.choice(VERDICTS)),
                [None, "cat", "Cup", "dog"][rng.integers(4)],
                [None, BOX][rng.integers(2)],
            )
            for _ in range(rng.integers(1, 6))
        ]
        voices = [(v, None, None) if v in ("right", "unsure") else (v, c, b) for v, c, b in voices]
        voices = [(v, c, b if v == "wrong-box" else None) for v, c, b in voices]
        right = sum(v == "right" for v, _, _ in voices)
        wrong = sum(v in ("wrong", "wrong-box") for v, _, _ in voices)
        found = decisions(reviews(*voices), POOL).of.get(("a", 4))
        if right == wrong:
            assert found is None
            continue
        assert found is not None
        if right > wrong:
            assert found == Decision(0, 0)
            continue
        said = Counter(
            POOL[c or "dog"]
            for v, c, b in voices
            if (v == "wrong" and c) or (v == "wrong-box" and b)
        )
        if not said or wrong - sum(said.values()) > max(said.values()):
            assert found == Decision(0, None)
            continue
        top = [n for n, votes in said.items() if votes == max(said.values())]
        assert found.concept_id == (top[0] if len(top) == 1 else None)
        assert found.nothing_known == (len(top) > 1)
