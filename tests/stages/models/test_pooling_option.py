from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from stages.models.clip_spec import architecture_spec
from stages.models.pooling_option import (
    chosen_interpolation,
    crop_margin_option,
    interpolation_option,
    pooling_option,
)


@pytest.mark.parametrize("own", ["bilinear", "bicubic"])
def test_crops_are_resized_as_the_weights_were_trained_and_images_bilinearly(own: str) -> None:
    spec = replace(architecture_spec("small"), interpolation=own)
    assert chosen_interpolation(None, "crop", spec) == own
    assert chosen_interpolation(None, "roialign", spec) == "bilinear"
    for given, pooling in product(("bilinear", "bicubic"), ("crop", "roialign")):
        assert chosen_interpolation(given, pooling, spec) == given


def test_defaults_are_the_papers() -> None:
    options = pooling_option(), crop_margin_option(), interpolation_option()
    assert [each.default for each in options] == ["roialign", 0.0, None]
