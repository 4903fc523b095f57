from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import OptionError
from stages.label import Label


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"top_k": 5}, "--top-k is of labels, and --absent makes none"),
        ({"among": "captions"}, "--among is of labels"),
        ({"keep_all_if_none": True}, "--keep-all-if-none is of labels"),
        ({"absent_up_to": 0.2}, "--absent-up-to 0.2 must be at most --min-probability 0.1"),
        ({"min_probability": 0.0}, "must be at most --min-probability 0"),
    ],
)
def test_what_means_nothing_with_absent_is_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OptionError, match=complaint):
        Label(absent=4, **options)


def test_what_means_nothing_without_absent_is_refused() -> None:
    with pytest.raises(OptionError, match="--absent-up-to is of --absent"):
        Label(absent_up_to=0.02)
    assert Label(absent=4, absent_up_to=0.1).absent_up_to == 0.1
