"""Activation and preprocessing of others' weights: what was given, then whose names they have."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import open_clip
import pytest
import torch

from schemas.errors import SourceError
from stages.models.clip_creation import create_clip
from stages.models.clip_import import import_clip
from stages.models.clip_spec import architecture_spec
from stages.models.import_keys import MappedClip
from stages.models.imported_spec import imported_spec
from stages.models.network import Clip
from stages.models.preprocessing import CLIPS, Preprocessing
from tests.stages.models import foreign, tiny

if TYPE_CHECKING:
    from pathlib import Path

HALF = (0.5, 0.5, 0.5)
OTHER = Preprocessing(HALF, HALF, "squash", "bilinear")


def mapped(layout: str, architecture: str | None = None) -> MappedClip:
    state = {}
    if architecture:
        with torch.device("meta"):
            state = dict(Clip(architecture_spec(architecture)).network.state_dict())
    return MappedClip(state, {}, layout, "visual.", language=True)


def beside(folder: Path, **changes: object) -> Path:
    content = {"model_cfg": tiny.config() | changes, "preprocess_cfg": OTHER.content()}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    return folder / "w.pt"


@pytest.mark.parametrize("layout", ["OpenAI", "RegionCLIP"])
def test_files_with_clips_names_are_as_clip_whatever_the_name_says(tmp_path, layout) -> None:
    spec = imported_spec(mapped(layout), "ViT-L-14", tmp_path / "w.pt")
    assert spec.config["quick_gelu"] is True
    assert spec.preprocessing == CLIPS


def test_what_is_given_comes_before_whose_names_they_are(tmp_path) -> None:
    config = tmp_path / "own.json"
    plain = tiny.config() | {"quick_gelu": False}
    config.write_text(json.dumps({"model_cfg": plain, "preprocess_cfg": OTHER.content()}))
    spec = imported_spec(mapped("OpenAI"), str(config), tmp_path / "w.pt")
    assert (spec.config["quick_gelu"], spec.preprocessing) == (False, OTHER)


@pytest.mark.parametrize(
    ("architecture", "preprocessing"),
    [
        ("MobileCLIP-S1", Preprocessing((0, 0, 0), (1, 1, 1), "shortest", "bilinear")),
        ("PE-Core-B-16", OTHER),
        ("ViT-L-14:laion2b_s32b_b82k", Preprocessing(HALF, HALF)),
        ("RN50", CLIPS),
    ],
)
def test_a_known_architecture_has_its_published_preprocessing(
    tmp_path, architecture, preprocessing
) -> None:
    spec = imported_spec(mapped("open_clip"), architecture, tmp_path / "w.bin")
    assert spec.preprocessing == preprocessing
    assert not spec.config.get("quick_gelu")


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("ViT-L-14", r"give the architecture as ViT-L-14:TAG \(openai, laion400m_e31, "),
        (
            "ViT-S-32",
            r"w.bin.*: put the open_clip_config.json .*\"preprocess_cfg\": {\"mean\"",
        ),
    ],
)
def test_unknown_preprocessing_must_be_given(tmp_path, architecture, message) -> None:
    with pytest.raises(SourceError, match=message):
        imported_spec(mapped("open_clip"), architecture, tmp_path / "w.bin")


def test_a_configuration_of_your_own_must_say_it_too(tmp_path) -> None:
    bare = tmp_path / "own.json"
    bare.write_text(json.dumps(tiny.config()))
    with pytest.raises(SourceError, match=r"nothing says how images are prepared for w\.pt"):
        imported_spec(mapped("open_clip"), str(bare), tmp_path / "w.pt")


def test_the_example_in_the_refusal_is_what_a_file_may_say(tmp_path) -> None:
    with pytest.raises(SourceError) as caught:
        imported_spec(mapped("open_clip"), "ViT-S-32", tmp_path / "w.bin")
    example = json.loads(str(caught.value).partition('"preprocess_cfg": ')[2])
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"architecture": "ViT-S-32", "preprocess_cfg": example}))
    spec = imported_spec(mapped("open_clip"), str(path), tmp_path / "w.bin")
    assert spec.preprocessing == Preprocessing(HALF, HALF, "squash", "bicubic")


def test_the_description_beside_a_file_says_all(tmp_path) -> None:
    spec = imported_spec(mapped("open_clip"), None, beside(tmp_path, quick_gelu=True))
    assert (spec.config["quick_gelu"], spec.preprocessing) == (True, OTHER)
    assert spec.image_size == 64


def test_the_description_beside_a_file_says_what_a_name_does_not(tmp_path) -> None:
    vision = open_clip.get_model_config("ViT-L-14")["vision_cfg"]
    path = beside(tmp_path, vision_cfg=vision, quick_gelu=True)
    spec = imported_spec(mapped("open_clip"), "ViT-L-14", path)
    assert (spec.config["quick_gelu"], spec.preprocessing) == (True, OTHER)
    tagged = imported_spec(mapped("open_clip"), "ViT-L-14:laion2b_s32b_b82k", path)
    assert not tagged.config.get("quick_gelu")
    assert tagged.preprocessing == Preprocessing(HALF, HALF)


def test_the_description_beside_a_file_of_another_network_is_not_its_own(tmp_path) -> None:
    path = beside(tmp_path)
    other = mapped("open_clip", "ViT-B-32-quickgelu")
    assert imported_spec(other, "ViT-B-32", path).preprocessing == CLIPS
    with pytest.raises(SourceError, match="do not show whether it was trained with QuickGELU"):
        imported_spec(other, None, path)
    mobile = mapped("open_clip")
    vision = {"image_size": 256, "timm_model_name": "vit_base_patch16_siglip_256"}
    path = beside(tmp_path, vision_cfg=vision)
    assert imported_spec(mobile, "MobileCLIP-S1", path).preprocessing.mean == (0, 0, 0)


def test_openais_names_do_not_ask_for_a_description(tmp_path) -> None:
    path = beside(tmp_path)
    spec = imported_spec(mapped("OpenAI", "ViT-B-32"), None, path)
    assert (spec.architecture, spec.preprocessing) == ("ViT-B-32", CLIPS)


@pytest.mark.parametrize("architecture", ["RN50", "ViT-B-16", "ViT-S-32-alt", "ViT-S-16"])
def test_an_architecture_that_a_message_names_exists(tmp_path, architecture) -> None:
    with pytest.raises(SourceError) as caught:
        imported_spec(mapped("open_clip", architecture), None, tmp_path / "w.pt")
    words = str(caught.value).replace('"', " ").replace(",", " ").split()
    names = [word for word in words if word.startswith(("RN", "ViT"))]
    assert architecture in names
    assert set(names) <= set(open_clip.list_models())


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["OpenAI", "open_clip", "RegionCLIP"])
def test_both_doors_open_a_file_alike(tmp_path, layout) -> None:
    original = tiny.tiny_clip(tmp_path)
    state = dict(original.network.state_dict())
    if layout == "OpenAI":
        state["input_resolution"] = torch.tensor(64)
    elif layout == "RegionCLIP":
        state = foreign.renamed(original)
    path, config = foreign.save(state, tmp_path / "f.pt"), foreign.architecture(tmp_path)
    pretrained = create_clip(config, str(path))
    imported, _ = import_clip(path, "teacher", config)
    assert pretrained.spec == imported.spec
    assert bool(pretrained.spec.config.get("quick_gelu")) is (layout != "open_clip")
    tokens, pixels = pretrained.tokenize(["a dog"]), torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        for one, other in (
            (pretrained.encode_tokens(tokens), imported.encode_tokens(tokens)),
            (pretrained.encode_images(pixels), imported.encode_images(pixels)),
        ):
            assert torch.equal(one, other)
        if layout == "open_clip":
            assert torch.equal(imported.encode_tokens(tokens), original.encode_tokens(tokens))
        else:
            differ = imported.encode_tokens(tokens) - original.encode_tokens(tokens)
            assert differ.abs().max() > 1e-3
