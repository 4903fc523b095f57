from __future__ import annotations

import pytest

from schemas.errors import OptionError
from stages.evaluate import Evaluate
from stages.featurize import Featurize
from stages.models.dense_option import (
    DEFAULT_RESIZE,
    DENSE,
    check_pooling,
    dense_option,
    takes_value_path,
)


@pytest.mark.parametrize("class_token", [True, False])
def test_a_named_choice_holds_for_every_pool(class_token) -> None:
    assert takes_value_path("value-path", class_token=class_token)
    assert not takes_value_path("last-block", class_token=class_token)


def test_the_help_explains_every_choice() -> None:
    text = dense_option().metadata["doc"]
    assert all(choice in text for choice in DENSE)


def test_crops_have_no_dense_tokens_to_choose() -> None:
    check_pooling("featurize", "crop", "auto", 0.5, DEFAULT_RESIZE)
    check_pooling("featurize", "roialign", "value-path", 0.0, "224x224")
    with pytest.raises(OptionError, match="rc featurize: --dense value-path says how regions are"):
        check_pooling("featurize", "crop", "value-path", 0.0, DEFAULT_RESIZE)


def test_a_feature_map_has_no_margin() -> None:
    with pytest.raises(
        OptionError, match=r"rc evaluate: --crop-margin 0\.5 is added to crops, and"
    ):
        check_pooling("evaluate", "roialign", "auto", 0.5, DEFAULT_RESIZE)


def test_crops_have_no_size_of_a_whole_image() -> None:
    with pytest.raises(OptionError, match="rc featurize: --resize 192x400 is the size of a whole"):
        check_pooling("featurize", "crop", "auto", 0.0, "192x400")
    assert Featurize(pooling="crop").resize == Evaluate(pooling="crop").resize == DEFAULT_RESIZE
