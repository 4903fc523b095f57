"""The benchmark of training runs, on next to nothing."""

import re
import sys

import pytest

from benchmarks import train


@pytest.mark.slow
def test_prints_times_of_stage_and_network(capsys, monkeypatch) -> None:
    sizes = ["--images", "4", "--regions", "2", "--batch", "2", "--steps", "1", "--rounds", "1"]
    monkeypatch.setattr(sys, "argv", ["train", *sizes])
    train.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["wall", "processor"]
    for line in lines:
        step, network, ratio = (float(x) for x in re.findall(r"\d+\.\d+", line))
        assert ratio == pytest.approx(step / network, rel=0.02)
