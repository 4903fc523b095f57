"""Which options of an earlier ingest hold for its parts that refused nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.errors import OptionError
from stages.ingest import Ingest
from stages.sources.image_limits import as_lax_as_before


def in_manifest(stage: Ingest) -> dict[str, Any]:
    """The options as JSON gives them back."""
    options: dict[str, Any] = json.loads(json.dumps(stage.recipe()))
    return options


@pytest.mark.parametrize(
    ("now", "before"),
    [
        ({"max_pixels": 200}, {"max_pixels": 100}),
        ({"min_side": 1}, {"min_side": 9}),
        ({"require_captions": False}, {"require_captions": True}),
        ({"verify": False}, {"verify": True}),
        ({"size_limits": 2}, {}),
        ({"size_limits": 9}, {"size_limits": 2}),
    ],
)
def test_a_limit_may_only_be_laxer(now: dict[str, int], before: dict[str, int]) -> None:
    strict, lax = Ingest(**before), Ingest(**now)
    limits = as_lax_as_before(lax.recipe(), in_manifest(strict))
    assert limits == {name: getattr(strict, name) for name in limits}
    with pytest.raises(OptionError, match="may only be laxer"):
        as_lax_as_before(strict.recipe(), in_manifest(lax))


def test_any_other_option_must_be_the_same() -> None:
    for name, value in {"pack": True, "part_images": 3, "kind": "coco", "split": ("a",)}.items():
        with pytest.raises(OptionError, match=f"its --{name.replace('_', '-')} was"):
            as_lax_as_before(Ingest(**{name: value}).recipe(), in_manifest(Ingest()))


@pytest.mark.parametrize("former", ["9", None, [9], True])
def test_a_limit_of_an_earlier_run_that_is_no_number_is_refused(former: object) -> None:
    before = {**in_manifest(Ingest()), "min_side": former}
    with pytest.raises(OptionError, match="may only be laxer"):
        as_lax_as_before(Ingest().recipe(), before)
