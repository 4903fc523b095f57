"""The benchmark of checks runs, on next to nothing."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_prints_the_share_of_the_checks() -> None:
    # In a new process, which has no threads yet when it forks.
    words = [sys.executable, "-m", "benchmarks.integrity", "--scenes", "3", "--rounds", "1"]
    ended = subprocess.run([*words, "--only", "label"], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert re.fullmatch(r"label( +\d+\.\d+){3} +\d+\.\d+ %", lines[1])
