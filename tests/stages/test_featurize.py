from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.errors import OptionError
from stages.featurize import Featurize
from stages.outcome import Result
from tests.in_memory import InMemory
from tests.stages.featurizing.boxed_images import featurize, image_row, images, proposals
from tests.stages.models.tiny import tiny_files

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[tuple[str, str], Path]:
    return tiny_files(tmp_path_factory.mktemp("teacher"))


def test_a_wrong_size_is_refused_before_anything_runs() -> None:
    with pytest.raises(OptionError, match=r"--resize takes SHORTESTxLONGEST .* got 'big'"):
        Featurize(resize="big")


def test_what_is_computed_together_is_part_of_the_recipe_and_speed_is_not() -> None:
    decisive = {"limit", "resize", "interpolation", "whole_image", "dtype"}
    together = {"batch_images", "batch_regions"}
    assert set(Featurize().recipe()) == decisive | together | {"pooling", "crop_margin", "dense"}


def test_the_outcome_says_which_images_have_no_features(files) -> None:
    broken = image_row("c") | {"content": b"no image"}
    part = InMemory(
        {
            "images": images(image_row("a"), image_row("b"), broken),
            "proposals": proposals(("a", 0, [0, 0, 9, 9]), ("c", 0, [0, 0, 9, 9])),
        },
        files=files,
    )
    rows = featurize(part, whole_image=False).num_rows
    assert part.notes["images"] == {"seen": 3, "unreadable": 1, "without_regions": 1}
    outcome = Featurize(whole_image=False).outcome(Result(rows, {}, part.notes))
    line = "1 feature of 3 images; 1 without proposals; 1 could not be read"
    assert (outcome.summary, outcome.empty, outcome.losses) == ([line], None, [])


def test_the_outcome_says_that_whole_images_are_among_the_features() -> None:
    notes = {"images": {"seen": 2, "unreadable": 0, "without_regions": 0}}
    assert Featurize().outcome(Result(5, {}, notes)).summary == [
        "5 features of 2 images, the whole images among them"
    ]


def test_unreadable_images_are_a_loss_and_no_feature_is_empty() -> None:
    images = {"seen": 3, "unreadable": 2, "without_regions": 0}
    assert Featurize().outcome(Result(1, {}, {"images": images})).losses == [
        "2 of 3 images unreadable"
    ]
    empty = Featurize().outcome(Result(0, {}, {"images": images})).empty
    assert empty == "there are no features: 0 features of 3 images; 2 could not be read"
