"""The benchmark of label runs, on next to nothing."""

import re
import sys

import pytest

from benchmarks import label


@pytest.mark.slow
def test_prints_the_ratio_to_the_product(capsys, monkeypatch) -> None:
    sizes = ["--regions", "50", "--concepts", "7", "--width", "4", "--rounds", "1"]
    monkeypatch.setattr(sys, "argv", ["label", *sizes])
    label.main()
    printed = capsys.readouterr().out
    assert "50 regions x 7 concepts" in printed
    assert float(re.search(r"ratio (\d+\.\d+)", printed)[1]) > 0
