"""The benchmark of checks runs, on next to nothing."""

from __future__ import annotations

import os
import re

import pytest

from benchmarks import integrity


@pytest.mark.slow
@pytest.mark.skipif(
    "RC_RELIABILITY" not in os.environ,
    reason="forks after other tests have run, which spaCy did not survive once; RC_RELIABILITY=1",
)
def test_prints_the_share_of_the_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert integrity.main(["--scenes", "3", "--rounds", "1", "--only", "label"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"label( +\d+\.\d+){3} +-?\d+\.\d %", lines[1])
