from __future__ import annotations

from dataclasses import fields

import pytest

from schemas.errors import OptionError
from stages.base import Stage
from stages.featurize import Featurize
from stages.featurizing.feature_stage import FEATURE_OPTIONS, FEATURE_VERSION
from stages.label import Label


def test_the_options_of_features_are_all_that_featurize_has_of_its_own() -> None:
    own = {f.name for f in fields(Featurize)} - {f.name for f in fields(Stage)}
    assert set(FEATURE_OPTIONS) == own
    assert Featurize.version == FEATURE_VERSION


def test_both_verbs_have_one_declaration_of_each_option() -> None:
    featurize, label = ({f.name: f for f in fields(cls)} for cls in (Featurize, Label))
    for name in FEATURE_OPTIONS:
        assert label[name].metadata is featurize[name].metadata
        assert label[name].default == featurize[name].default


def test_only_parts_with_proposals_are_planned_where_images_are_read() -> None:
    images = {"images": [0, 1, 2], "proposals": [1, 2, 5]}
    assert Featurize().plan(images) == [1, 2]
    assert Label(from_images=True).plan(images) == [1, 2]
    assert Label().plan({"features": [1, 3], "proposals": [1, 2, 3]}) == [1, 3]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resize": "big"}, "--resize takes SHORTESTxLONGEST .* got 'big'"),
        ({"crop_margin": 0.1}, "rc label: --crop-margin 0.1 is added to crops"),
        ({"dtype": "int8"}, "rc label: --dtype must be one of float16, float32"),
        ({"batch_images": 0}, "rc label: --batch-images must be at least 1"),
    ],
)
def test_a_value_that_featurize_refuses_is_refused_under_the_name_of_the_verb(
    options: dict[str, object], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        Label(from_images=True, **options)
    with pytest.raises(OptionError, match=message.replace("rc label", "rc featurize")):
        Featurize(**options)
