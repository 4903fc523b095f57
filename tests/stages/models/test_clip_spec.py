from __future__ import annotations

import dataclasses
import json

import open_clip
import pytest

from schemas.errors import SourceError
from stages.models.clip_spec import ClipSpec, architecture_spec, square_side
from stages.models.preprocessing import Preprocessing
from tests.stages.models.tiny import config

SPEC = ClipSpec("RN50", config(), 64, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "a test")


@pytest.mark.parametrize("dense", ["auto", "last-block"])
def test_how_regions_are_read_is_written_only_where_it_was_chosen(tmp_path, dense) -> None:
    spec = dataclasses.replace(SPEC, dense=dense)
    spec.write(tmp_path / "model.json")
    assert ClipSpec.read(tmp_path / "model.json") == spec
    assert ("dense" in json.loads((tmp_path / "model.json").read_text())) is (dense != "auto")


@pytest.mark.parametrize("language", [True, False])
def test_a_spec_survives_its_file(tmp_path, language) -> None:
    spec = dataclasses.replace(SPEC, language=language)
    spec.write(tmp_path / "model.json")
    assert ClipSpec.read(tmp_path / "model.json") == spec
    assert ("language" in json.loads((tmp_path / "model.json").read_text())) is not language


def test_how_images_are_prepared_survives_the_file_and_what_is_as_in_clip_is_absent(
    tmp_path,
) -> None:
    assert not {"resize_mode", "interpolation"} & SPEC.content().keys()
    assert SPEC.preprocessing == Preprocessing((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    spec = dataclasses.replace(SPEC, resize_mode="squash", interpolation="bilinear")
    spec.write(tmp_path / "model.json")
    assert ClipSpec.read(tmp_path / "model.json") == spec
    assert architecture_spec(str(tmp_path / "model.json")).preprocessing == spec.preprocessing


@pytest.mark.parametrize(
    "wrong", [{"resize_mode": "crop"}, {"std": [0, 1, 1]}, {"interpolation": 3}]
)
def test_a_description_that_no_image_can_be_prepared_by_is_refused(tmp_path, wrong) -> None:
    (tmp_path / "model.json").write_text(json.dumps(SPEC.content() | wrong))
    with pytest.raises(SourceError, match=r"model\.json: "):
        ClipSpec.read(tmp_path / "model.json")


def test_an_image_size_that_is_none_is_refused(tmp_path) -> None:
    for size in ("big", [], {}, 1.5):
        content = config()
        content["vision_cfg"]["image_size"] = size
        (tmp_path / "own.json").write_text(json.dumps(content))
        with pytest.raises(SourceError, match="image_size of a configuration is no size"):
            architecture_spec(str(tmp_path / "own.json"))


def test_a_line_says_what_tensors_do_not_show() -> None:
    quick = dataclasses.replace(SPEC, config={"quick_gelu": True})
    assert quick.line() == (
        "QuickGELU; images of 64 pixels (shortest, bicubic), mean 0.1, 0.2, 0.3, "
        "deviation 0.4, 0.5, 0.6"
    )
    assert SPEC.line().startswith("GELU; ")


def test_the_order_of_keys_does_not_change_the_bytes(tmp_path) -> None:
    SPEC.write(tmp_path / "a.json")
    backwards = dict(reversed(SPEC.config.items()))
    dataclasses.replace(SPEC, config=backwards).write(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


@pytest.mark.parametrize("key", ["architecture", "config", "image_size", "mean", "std", "origin"])
def test_a_description_without_a_key_is_refused(tmp_path, key) -> None:
    content = SPEC.content()
    del content[key]
    (tmp_path / "model.json").write_text(json.dumps(content))
    with pytest.raises(SourceError, match=f"is not the description of a CLIP model: '{key}'"):
        ClipSpec.read(tmp_path / "model.json")


def test_a_missing_description_is_refused(tmp_path) -> None:
    with pytest.raises(SourceError, match=r"gone.json cannot be read \(No such file"):
        ClipSpec.read(tmp_path / "gone.json")


def test_a_name_may_have_a_slash_and_gives_its_published_preprocessing() -> None:
    spec = architecture_spec("ViT-B/32")
    assert spec.architecture == "ViT-B-32"
    assert spec.image_size == 224
    assert spec.mean == open_clip.OPENAI_DATASET_MEAN
    assert spec.std == open_clip.OPENAI_DATASET_STD
    assert spec.origin == ""
    assert architecture_spec("MobileCLIP-S1").mean == (0, 0, 0)
    assert architecture_spec("ViT-S-32").mean == open_clip.OPENAI_DATASET_MEAN  # to begin with


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_configuration_may_be_bare_or_under_a_key(tmp_path, wrapped) -> None:
    content = config()
    if wrapped:
        content = {"model_cfg": content, "preprocess_cfg": {"mean": [1, 2, 3], "std": [4, 5, 6]}}
    (tmp_path / "own.json").write_text(json.dumps(content))
    spec = architecture_spec(str(tmp_path / "own.json"))
    assert spec.config == config()
    assert (spec.architecture, spec.image_size) == (None, 64)
    assert spec.mean == ((1, 2, 3) if wrapped else open_clip.OPENAI_DATASET_MEAN)
    assert spec.std == ((4, 5, 6) if wrapped else open_clip.OPENAI_DATASET_STD)


def test_a_model_json_is_a_configuration_too(tmp_path) -> None:
    SPEC.write(tmp_path / "model.json")
    spec = architecture_spec(str(tmp_path / "model.json"))
    assert spec == dataclasses.replace(SPEC, origin="")


@pytest.mark.parametrize(
    ("architecture", "message"),
    [("RN51", "open_clip knows no architecture 'RN51'"), ("gone.json", "no readable JSON")],
)
def test_an_unknown_architecture_is_refused(architecture, message) -> None:
    with pytest.raises(SourceError, match=message):
        architecture_spec(architecture)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"layers": 3}', "lacks embed_dim, vision_cfg or text_cfg"),
        ("[1]", "a JSON object is expected"),
        ("{", "no readable JSON configuration"),
    ],
)
def test_a_wrong_configuration_is_refused(tmp_path, content, message) -> None:
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(SourceError, match=message):
        architecture_spec(str(tmp_path / "a.json"))


def test_a_square_is_given_by_a_number_or_a_pair() -> None:
    assert square_side(224) == square_side([224, 224]) == square_side((224, 1)) == 224


def test_a_small_network_is_bundled_under_a_name() -> None:
    spec = architecture_spec("small")
    assert (spec.architecture, spec.image_size, spec.config["embed_dim"]) == (None, 64, 128)
