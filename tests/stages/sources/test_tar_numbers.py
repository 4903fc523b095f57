from __future__ import annotations

import pytest

from stages.sources.tar_numbers import missing_tars


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        (["00000", "00001", "00002"], []),
        (["00000", "00002"], ["1 tar is missing between 00000 and 00002: 00001"]),
        (["c-9-v1", "c-10-v1", "c-11-v1"], []),  # v1 is the last number, each its own series
        (["x9", "x10", "x12"], ["1 tar is missing between x9 and x12: x11"]),
        (["20240101", "20240301", "20240801"], []),
        (["train", "val"], []),
        ([], []),
    ],
)
def test_numbers_missing_in_a_series_are_told(names: list[str], missing: list[str]) -> None:
    assert missing_tars(names) == missing


def test_each_series_is_told_apart_and_only_a_few_numbers_are_shown() -> None:
    train = [f"train-{n:04}" for n in (*range(10), *range(15, 20))]
    val = [f"val-{n:04}" for n in (0, 1, 3)]
    assert missing_tars([*val, *train]) == [
        "5 tars are missing between train-0000 and train-0019: "
        "train-0010, train-0011, train-0012, ...",
        "1 tar is missing between val-0000 and val-0003: val-0002",
    ]
