from __future__ import annotations

import pytest

from schemas.errors import OptionError
from stages.models.dense_option import DENSE, check_dense, dense_option, takes_value_path


@pytest.mark.parametrize("class_token", [True, False])
def test_a_named_choice_holds_for_every_pool(class_token) -> None:
    assert takes_value_path("value-path", class_token=class_token)
    assert not takes_value_path("last-block", class_token=class_token)


def test_the_help_explains_every_choice() -> None:
    text = dense_option().metadata["doc"]
    assert all(choice in text for choice in DENSE)


def test_crops_have_no_dense_tokens_to_choose() -> None:
    check_dense("featurize", "auto", "crop")
    check_dense("featurize", "value-path", "roialign")
    with pytest.raises(OptionError, match="rc featurize: --dense value-path says how regions are"):
        check_dense("featurize", "value-path", "crop")
