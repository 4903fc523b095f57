"""The benchmark of propose runs, on next to nothing."""

import sys

import pytest

from benchmarks import propose


@pytest.mark.slow
def test_prints_a_line_of_each_step(capsys, monkeypatch) -> None:
    monkeypatch.setattr(sys, "argv", ["propose", "--images", "1", "--rounds", "1"])
    propose.main()
    lines = capsys.readouterr().out.splitlines()
    names = ["network alone", "stage", "selection", "dump", "import JSON", "import Parquet"]
    assert [line[:15].strip() for line in lines] == names
