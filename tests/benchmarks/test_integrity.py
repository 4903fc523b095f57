"""The benchmark of checks runs, on next to nothing."""

from __future__ import annotations

import re

import pytest

from benchmarks import integrity


@pytest.mark.slow
def test_prints_the_share_of_the_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert integrity.main(["--scenes", "3", "--rounds", "1", "--only", "label"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"label( +\d+\.\d+){3} +-?\d+\.\d %", lines[1])
