"""The benchmark of labels from images runs, on next to nothing."""

import re

import pytest

from benchmarks import label_from_images
from tests.stages.models.foreign import architecture


@pytest.mark.slow
def test_prints_the_ratio_to_featurize_and_the_memory_of_one(capsys, tmp_path) -> None:
    sizes = ["--images", "2", "--regions", "3", "--concepts", "7", "--rounds", "1"]
    words = ["--model", architecture(tmp_path), "--resize", "64x128", *sizes]
    label_from_images.main(words)
    printed = capsys.readouterr().out
    assert "2 images x 3, 7 concepts" in printed
    assert float(re.search(r"ratio (\d+\.\d+)", printed)[1]) > 0
    label_from_images.main([*words, "--peak-of", "label"])
    assert re.fullmatch(r"peak \d+ MB, \d+ MB of it before the stage\n", capsys.readouterr().out)
