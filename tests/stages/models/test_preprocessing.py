from __future__ import annotations

import open_clip
import pytest

from schemas.errors import SourceError
from stages.models.preprocessing import (
    CLIPS,
    Preprocessing,
    of_architecture,
    of_tag,
    three_floats,
)

HALF = (0.5, 0.5, 0.5)


@pytest.mark.parametrize("name", open_clip.list_models())
def test_an_architecture_has_what_all_its_published_weights_have(name) -> None:
    tags = open_clip.list_pretrained_tags_by_model(name)
    published = [open_clip.get_pretrained_cfg(name, tag) for tag in tags]
    ours = of_architecture(name)
    keys = ("mean", "std", "resize_mode", "interpolation")
    values = {tuple(entry[key] for key in keys) for entry in published}
    if len(values) == 1:
        assert {(ours.mean, ours.std, ours.resize_mode, ours.interpolation)} == values
    else:
        assert ours is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("RN50", CLIPS),
        ("MobileCLIP-S1", Preprocessing((0, 0, 0), (1, 1, 1), "shortest", "bilinear")),
        ("ViT-B-16-SigLIP2", Preprocessing(HALF, HALF, "squash", "bicubic")),
        ("PE-Core-B-16", Preprocessing(HALF, HALF, "squash", "bilinear")),
        ("ViT-L-14", None),  # one of its weights has another mean
        ("ViT-S-32", None),  # nobody has published any
    ],
)
def test_families_have_their_own(name, expected) -> None:
    assert of_architecture(name) == expected


def test_a_tag_has_its_own() -> None:
    assert of_tag("ViT-L-14", "openai") == CLIPS
    assert of_tag("ViT-L-14", "laion2b_s32b_b82k") == Preprocessing(HALF, HALF)
    assert of_tag("ViT-L-14", "nonsense") is None


def test_what_is_written_is_read_again() -> None:
    own = Preprocessing((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "longest", "bilinear")
    assert Preprocessing.of(own.content(), "a.json") == own


def test_absent_keys_are_clips_as_in_open_clip() -> None:
    assert Preprocessing.of({}, "a.json") == CLIPS
    assert Preprocessing.of({"mean": None, "size": 224, "interpolation": "random"}, "a") == CLIPS
    assert Preprocessing.of({"mean": [0, 0, 0]}, "a.json").std == CLIPS.std


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"mean": [1, 2]}, "three numbers"),
        ({"mean": 0.5}, "three numbers"),
        ({"std": ["a", "b", "c"]}, "three numbers"),
        ({"std": [1, 0, 1]}, "std above 0"),
        ({"mean": [float("nan")] * 3}, "mean must be finite"),
        ({"mean": [1, 2, 10**400]}, "three numbers"),
        ({"resize_mode": "crop"}, "resize_mode must be one of shortest, longest, squash"),
        ({"resize_mode": ["squash"]}, "resize_mode must be one of"),
        ({"interpolation": "nearest"}, "interpolation one of bicubic, bilinear"),
    ],
)
def test_what_no_image_can_be_prepared_with_is_refused(content, message) -> None:
    with pytest.raises(SourceError, match=f"a.json: .*{message}"):
        Preprocessing.of(content, "a.json")


def test_three_numbers_become_floats_and_two_are_refused() -> None:
    assert [type(value) for value in three_floats([1, 2, 3])] == [float] * 3
    with pytest.raises(ValueError, match="not enough values"):
        three_floats([1, 2])
