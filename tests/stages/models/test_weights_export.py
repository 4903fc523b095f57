from __future__ import annotations

import json
from typing import TYPE_CHECKING

import open_clip
import pytest
import torch

from schemas.errors import SourceError
from stages.models.clip import create_clip, read_clip, save_clip
from stages.models.clip_spec import architecture_spec
from stages.models.detector import Detector, HeadSpec, save_detector
from stages.models.import_keys import map_clip
from stages.models.rpn_creation import save_rpn
from stages.models.weights_export import (
    ModelFiles,
    offline_rpn,
    published_name,
    write_open_clip,
    write_regionclip,
)
from tests.stages.models.tiny import config, tiny_clip
from tests.stages.models.tiny_rpn import tiny_rpn

if TYPE_CHECKING:
    from pathlib import Path

    from stages.models.clip import Clip

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("own_registry")]


def saved(clip: Clip, folder: Path, dtype: str = "float32") -> ModelFiles:
    folder.mkdir(exist_ok=True)
    files = ModelFiles(folder / "model.json", folder / "weights.safetensors")
    save_clip(clip, files.config, files.weights, dtype)
    return files


def detector_files(clip: Clip, folder: Path, **head: str) -> tuple[Detector, ModelFiles]:
    files = ModelFiles(folder / "detector.json", folder / "detector.safetensors")
    embeddings = torch.randn(2, clip.width)
    detector = Detector(clip, HeadSpec(("cat", "dog"), **head), embeddings)
    save_detector(detector, files.config, files.weights)
    return detector, files


@pytest.mark.parametrize("tower", ["resnet", "vit", "convnext"])
def test_open_clip_loads_an_exported_model_with_the_same_outputs(tmp_path, tower) -> None:
    clip = tiny_clip(tmp_path, tower)
    out = tmp_path / f"exported_{tower}.safetensors"
    name = write_open_clip(saved(clip, tmp_path / "in"), out, out.with_suffix(".json"))
    assert name is None  # nobody else has so small an architecture
    open_clip.add_model_config(out.with_suffix(".json"))
    theirs = open_clip.create_model(out.stem, pretrained=str(out)).eval()
    pixels, tokens = torch.randn(2, 3, 64, 64), clip.tokenize(["a dog", "two cats"])
    with torch.no_grad():
        assert torch.equal(theirs.encode_image(pixels), clip.encode_images(pixels))
        assert torch.equal(theirs.encode_text(tokens), clip.encode_tokens(tokens))


def test_quick_gelu_is_exported(tmp_path) -> None:
    path = tmp_path / "quick.json"
    path.write_text(json.dumps(config() | {"quick_gelu": True}))
    clip = create_clip(str(path))
    out = tmp_path / "exported_quick.safetensors"
    write_open_clip(saved(clip, tmp_path / "in"), out, out.with_suffix(".json"))
    open_clip.add_model_config(out.with_suffix(".json"))
    theirs = open_clip.create_model(out.stem, pretrained=str(out)).eval()
    tokens = clip.tokenize(["a dog"])
    with torch.no_grad():
        expected = clip.encode_tokens(tokens)
        assert torch.equal(theirs.encode_text(tokens), expected)
        plain = read_clip_without_quick_gelu(clip, tmp_path)
        assert not torch.allclose(plain.encode_tokens(tokens), expected)


def read_clip_without_quick_gelu(clip: Clip, folder: Path) -> Clip:
    files = saved(clip, folder / "plain")
    content = files.content()
    content["config"]["quick_gelu"] = False
    files.config.write_text(json.dumps(content))
    return read_clip(files.config, files.weights)


@pytest.mark.parametrize("name", ["RN50", "RN50-quickgelu", "RN50x4-quickgelu", "ViT-B-16"])
def test_a_known_architecture_has_its_name_in_open_clip(name) -> None:
    assert published_name(architecture_spec(name)) == name


def test_quick_gelu_chooses_between_names_of_one_architecture() -> None:
    spec = architecture_spec("RN101")
    spec.config["quick_gelu"] = True  # as weights under a tag demand it
    assert published_name(spec) == "RN101-quickgelu"


def test_regionclips_layout_has_its_names_and_nothing_else(tmp_path) -> None:
    clip = tiny_clip(tmp_path)
    count = write_regionclip(saved(clip, tmp_path / "in"), tmp_path / "out.pth")
    content = torch.load(tmp_path / "out.pth", weights_only=True)
    assert list(content) == ["model"]
    state = content["model"]
    assert len(state) == count
    assert {name.split(".")[0] for name in state} == {"backbone", "lang_encoder"}
    assert not any(name.endswith(("num_batches_tracked", "logit_scale")) for name in state)
    assert not hasattr(state, "_metadata")
    assert {
        "backbone.conv1.weight",
        "backbone.layer1.0.downsample.1.running_var",
        "backbone.attnpool.positional_embedding",
        "lang_encoder.token_embedding.weight",
        "lang_encoder.transformer.resblocks.0.attn.in_proj_weight",
        "lang_encoder.text_projection",
    } <= set(state)
    assert all(type(value) is torch.Tensor for value in state.values())


def test_export_to_regionclips_layout_and_import_is_bit_exact(tmp_path) -> None:
    clip = tiny_clip(tmp_path)
    write_regionclip(saved(clip, tmp_path / "in"), tmp_path / "out.pth")
    raw = torch.load(tmp_path / "out.pth", weights_only=True)["model"]
    back = map_clip(raw, "student", "out.pth")
    assert back.layout == "RegionCLIP"
    assert back.unused(raw) == []
    ours = clip.network.state_dict()
    lacking = {n for n in ours if n.endswith("num_batches_tracked")}
    assert set(back.state) == set(ours) - lacking
    for name in set(back.state) - {"logit_scale"}:
        assert torch.equal(back.state[name], ours[name]), name


def test_a_teacher_is_exported_as_an_image_tower(tmp_path) -> None:
    student, teacher = tiny_clip(tmp_path, seed=1), tiny_clip(tmp_path, seed=2)
    write_regionclip(
        saved(student, tmp_path / "s"), tmp_path / "out.pth", saved(teacher, tmp_path / "t")
    )
    raw = torch.load(tmp_path / "out.pth", weights_only=True)["model"]
    for clip, prefix in ((student, "backbone."), (teacher, "teacher_backbone.")):
        expected = clip.network.visual.layer3[0].conv1.weight
        assert torch.equal(raw[prefix + "layer3.0.conv1.weight"], expected)
    assert not any(name.startswith("teacher_lang") for name in raw)
    assert torch.equal(
        map_clip(raw, "teacher", "out.pth").state["visual.conv1.weight"],
        teacher.network.visual.conv1.weight,
    )


@pytest.mark.parametrize("regression", ["agnostic", "specific", "none"])
def test_a_detector_is_exported_with_its_head(tmp_path, regression) -> None:
    detector, files = detector_files(
        tiny_clip(tmp_path), tmp_path, regression=regression, background="learned"
    )
    write_regionclip(files, tmp_path / "out.pth")
    raw = torch.load(tmp_path / "out.pth", weights_only=True)["model"]
    box = {n.split("box_predictor.")[1]: v for n, v in raw.items() if "box_predictor" in n}
    assert torch.equal(box.pop("cls_score.weight"), detector.embeddings)
    assert torch.equal(box.pop("cls_bg_score.weight"), detector.background[None])
    if detector.bbox_pred is not None:
        assert torch.equal(box.pop("bbox_pred.weight"), detector.bbox_pred.weight)
        assert torch.equal(box.pop("bbox_pred.bias"), detector.bbox_pred.bias)
    assert box == {}
    assert any(name.startswith("backbone.layer4.") for name in raw)


def test_the_clip_of_a_detector_is_exported_to_open_clip(tmp_path) -> None:
    clip = tiny_clip(tmp_path)
    _, files = detector_files(clip, tmp_path)
    out = tmp_path / "exported_detector.safetensors"
    write_open_clip(files, out, out.with_suffix(".json"))
    open_clip.add_model_config(out.with_suffix(".json"))
    theirs = open_clip.create_model(out.stem, pretrained=str(out)).eval()
    pixels = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(theirs.encode_image(pixels), clip.encode_images(pixels))


def test_weights_in_half_precision_are_written_in_single(tmp_path) -> None:
    clip = tiny_clip(tmp_path)
    write_regionclip(saved(clip, tmp_path / "in", "float16"), tmp_path / "out.pth")
    raw = torch.load(tmp_path / "out.pth", weights_only=True)["model"]
    weight = clip.network.visual.layer3[0].conv1.weight
    assert torch.equal(raw["backbone.layer3.0.conv1.weight"], weight.half().float())


def test_the_name_of_the_file_does_not_change_its_bytes(tmp_path) -> None:
    files = saved(tiny_clip(tmp_path), tmp_path / "in")
    for name in ("a.pth", "another_name.pth"):
        write_regionclip(files, tmp_path / name)
    assert (tmp_path / "a.pth").read_bytes() == (tmp_path / "another_name.pth").read_bytes()


def test_regionclips_layout_refuses_towers_that_are_no_resnet(tmp_path) -> None:
    with pytest.raises(SourceError, match="layout is that of CLIP ResNets"):
        write_regionclip(saved(tiny_clip(tmp_path, "vit"), tmp_path / "in"), tmp_path / "out.pth")


def test_a_model_without_a_language_encoder_is_not_exported_to_open_clip(tmp_path) -> None:
    files = saved(tiny_clip(tmp_path), tmp_path / "in")
    files.config.write_text(json.dumps(files.content() | {"language": False}))
    with pytest.raises(SourceError, match="no language encoder"):
        write_open_clip(files, tmp_path / "out.safetensors", tmp_path / "out.json")
    assert not (tmp_path / "out.safetensors").exists()
    assert not (tmp_path / "out.json").exists()


def test_a_damaged_description_is_refused(tmp_path) -> None:
    (tmp_path / "model.json").write_text("{")
    files = ModelFiles(tmp_path / "model.json", tmp_path / "weights.safetensors")
    with pytest.raises(SourceError, match="is not the description of a CLIP model"):
        write_regionclip(files, tmp_path / "out.pth")


def test_an_rpn_with_torchvisions_anchors_is_refused(tmp_path) -> None:
    files = ModelFiles(tmp_path / "model.json", tmp_path / "weights.safetensors")
    save_rpn(tiny_rpn(), files.config, files.weights)
    with pytest.raises(SourceError, match="torchvision's anchors"):
        offline_rpn(files)
