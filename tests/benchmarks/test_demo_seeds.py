"""The table of the demo with several seeds."""

from __future__ import annotations

from benchmarks.demo_seeds import table


def test_the_last_column_is_the_mean_over_the_seeds() -> None:
    columns = [{"teacher": 40.0, "student": 50.0}, {"teacher": 42.0, "student": 57.0}]
    header, *lines = table([0, 7], columns).splitlines()
    assert header.split() == ["top-1,", "per", "cent", "seed", "0", "seed", "7", "mean"]
    assert [line.split() for line in lines] == [
        ["teacher", "40.0", "42.0", "41.0"],
        ["student", "50.0", "57.0", "53.5"],
    ]
    assert {len(line) for line in lines} == {len(header)}
