"""The benchmark of featurize runs, on next to nothing."""

import re
import sys

import pytest

from benchmarks import featurize
from tests.stages.models.foreign import architecture


@pytest.mark.slow
def test_prints_the_ratio_to_the_network(capsys, monkeypatch, tmp_path) -> None:
    network = architecture(tmp_path)
    sizes = ["--images", "2", "--regions", "3", "--rounds", "1", "--resize", "64x128"]
    monkeypatch.setattr(sys, "argv", ["featurize", "--model", network, *sizes])
    featurize.main()
    printed = capsys.readouterr().out
    assert "2 images x 3" in printed
    assert float(re.search(r"ratio (\d+\.\d+)", printed)[1]) > 0
