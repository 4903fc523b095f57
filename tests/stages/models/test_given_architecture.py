from __future__ import annotations

import json
from typing import TYPE_CHECKING

import open_clip
import pytest

from schemas.errors import SourceError
from stages.models.clip_spec import architecture_spec
from stages.models.given_architecture import architecture_beside, read_architecture
from stages.models.preprocessing import CLIPS, Preprocessing
from tests.stages.models.tiny import config, described

if TYPE_CHECKING:
    from pathlib import Path

HALF = (0.5, 0.5, 0.5)


def written(folder: Path, content: object) -> str:
    path = folder / "a.json"
    path.write_text(json.dumps(content))
    return str(path)


def test_a_name_says_nothing_about_preprocessing() -> None:
    given = read_architecture("ViT-B/32")
    assert (given.name, given.preprocessing, given.settled) == ("ViT-B-32", None, False)
    assert given.config == open_clip.get_model_config("ViT-B-32")


def test_a_tag_says_activation_and_preprocessing() -> None:
    quick = read_architecture("ViT-B-32:laion400m_e32")
    assert (quick.config["quick_gelu"], quick.preprocessing) == (True, CLIPS)
    plain = read_architecture("ViT-L-14:laion2b_s32b_b82k")
    assert "quick_gelu" not in plain.config
    assert plain.settled
    assert plain.preprocessing == Preprocessing(HALF, HALF)


def test_a_json_file_may_name_an_architecture_and_add_what_its_name_does_not_say(tmp_path) -> None:
    content = {
        "architecture": "ViT-S-32-alt",
        "quick_gelu": True,
        "preprocess_cfg": {"mean": HALF, "std": HALF, "resize_mode": "squash"},
    }
    given = read_architecture(written(tmp_path, content))
    assert given.name == "ViT-S-32-alt"
    assert given.config == open_clip.get_model_config("ViT-S-32-alt") | {"quick_gelu": True}
    assert given.preprocessing == Preprocessing(HALF, HALF, "squash")


def test_a_bare_configuration_may_have_its_preprocessing_beside_it(tmp_path) -> None:
    bare = read_architecture(written(tmp_path, config()))
    assert (bare.config, bare.preprocessing) == (config(), None)
    more = read_architecture(written(tmp_path, config() | {"preprocess_cfg": {"mean": HALF}}))
    assert more.config == config()
    assert more.preprocessing == Preprocessing(HALF, CLIPS.std)


def test_the_description_beside_a_file_is_read(tmp_path) -> None:
    assert architecture_beside(tmp_path / "w.bin") is None
    (tmp_path / "open_clip_config.json").write_text(json.dumps(described("vit")))
    beside = architecture_beside(tmp_path / "w.bin")
    assert (beside.config, beside.preprocessing) == (config("vit"), CLIPS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("RN51", "open_clip knows no architecture 'RN51'"),
        ("hf-hub:timm/vit", "open_clip knows no architecture 'hf-hub'"),
        ("local-dir:somewhere", "open_clip knows no architecture 'local-dir'"),
        ("RN50:nope", r"no weights 'nope' are published for 'RN50' \(tags: openai"),
        ("gone.json", "no readable JSON configuration"),
    ],
)
def test_an_unknown_one_is_refused(text, message) -> None:
    with pytest.raises(SourceError, match=message):
        read_architecture(text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"layers": 3}, "lacks embed_dim, vision_cfg or text_cfg"),
        ({"model_cfg": [1]}, "lacks embed_dim"),
        ({"embed_dim": 1, "vision_cfg": 1, "text_cfg": {}}, "must be JSON objects"),
        ({"architecture": "hf-hub:timm/vit"}, "knows no architecture"),
        ({"architecture": 7}, "knows no architecture '7'"),
        ([1], "a JSON object is expected"),
    ],
)
def test_what_is_no_configuration_is_refused(tmp_path, content, message) -> None:
    with pytest.raises(SourceError, match=message):
        read_architecture(written(tmp_path, content))


def test_json_that_is_nested_too_deep_or_no_text_is_refused(tmp_path) -> None:
    path = tmp_path / "a.json"
    for content in (b"[" * 100_000, b"\xff\xfe", b"{"):
        path.write_bytes(content)
        with pytest.raises(SourceError, match="no readable JSON configuration"):
            read_architecture(str(path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quick_gelu": "false"}, "quick_gelu must be true or false"),
        ({"text_cfg": {"tokenizer_kwargs": "lower"}}, "tokenizer_kwargs must be a JSON object"),
        ({"text_cfg": {"hf_model_name": "a\x1b[2J"}}, r"hf_model_name is no name \(a\\x1b\[2J\)"),
        ({"text_cfg": {"hf_tokenizer_name": 3}}, "hf_tokenizer_name is no name"),
        ({"architecture": "a\x1b[2J"}, "architecture is no name"),
        ({"preprocess_cfg": None}, "preprocess_cfg must be a JSON object"),
    ],
)
def test_values_of_another_type_are_refused_rather_than_taken_for_true(
    tmp_path, changes, message
) -> None:
    (tmp_path / "net.json").write_text(json.dumps(config() | changes))
    with pytest.raises(SourceError, match=message) as refused:
        read_architecture(str(tmp_path / "net.json"))
    assert str(refused.value).isprintable()


def test_an_endless_image_is_no_size(tmp_path) -> None:
    content = described("vit")
    content["model_cfg"]["vision_cfg"]["image_size"] = [float("inf"), 1]
    (tmp_path / "net.json").write_text(json.dumps(content))
    with pytest.raises(SourceError, match="image_size of a configuration is no size"):
        architecture_spec(str(tmp_path / "net.json"))
