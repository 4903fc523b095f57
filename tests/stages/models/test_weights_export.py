from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from schemas.errors import SourceError
from stages.models.clip import save_clip
from stages.models.clip_import import import_clip
from stages.models.clip_spec import architecture_spec
from stages.models.detector import Detector, HeadSpec, save_detector
from stages.models.import_keys import map_clip
from stages.models.preprocess import prepare
from stages.models.resizing import Size
from stages.models.rpn_creation import save_rpn
from stages.models.weights_export import (
    ModelFiles,
    lost_in_regionclips_layout,
    offline_rpn,
    write_open_clip,
    write_regionclip,
)
from stages.models.weights_files import CONFIG, SAFE_FILE
from tests.stages.models.tiny import tiny_clip
from tests.stages.models.tiny_rpn import tiny_rpn

if TYPE_CHECKING:
    from pathlib import Path

    from stages.models.clip import Clip

pytestmark = pytest.mark.slow


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


def exported(files: ModelFiles, folder: Path) -> Path:
    folder.mkdir()
    write_open_clip(files, folder / SAFE_FILE, folder / CONFIG)
    return folder


@pytest.mark.parametrize("quick_gelu", [True, False])
@pytest.mark.parametrize("tower", ["resnet", "vit", "convnext"])
def test_a_round_trip_through_open_clips_files_loses_nothing(tmp_path, tower, quick_gelu) -> None:
    clip = tiny_clip(tmp_path, tower)
    config_of_clip = {**clip.spec.config, "quick_gelu": quick_gelu}
    clip.spec = dataclasses.replace(
        clip.spec,
        config=config_of_clip,
        mean=(0.1, 0.2, 0.3),
        std=(0.4, 0.5, 0.6),
        resize_mode="squash",
        interpolation="bilinear",
    )
    files = saved(clip, tmp_path / "in")
    folder = exported(files, tmp_path / "out")
    back, report = import_clip(folder / SAFE_FILE, "student")
    assert dataclasses.replace(back.spec, origin="") == dataclasses.replace(clip.spec, origin="")
    assert report.unused == report.missing == []
    for name, value in clip.network.state_dict().items():
        assert torch.equal(back.network.state_dict()[name], value), name


@pytest.mark.parametrize("tower", ["resnet", "vit", "convnext"])
@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
def test_open_clip_loads_an_export_with_the_same_outputs_and_preprocessing(
    tmp_path, tower, mode
) -> None:
    clip = tiny_clip(tmp_path, tower)
    clip.spec = dataclasses.replace(
        clip.spec, mean=(0.1, 0.2, 0.3), resize_mode=mode, interpolation="bilinear"
    )
    folder = exported(saved(clip, tmp_path / "in"), tmp_path / "out")
    theirs, transform = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    pixels, tokens = torch.randn(2, 3, 64, 64), clip.tokenize(["a dog", "two cats"])
    theirs.eval()
    with torch.no_grad():
        assert torch.equal(theirs.encode_image(pixels), clip.encode_images(pixels))
        assert torch.equal(theirs.encode_text(tokens), clip.encode_tokens(tokens))
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    size = Size.parse("native", 64, clip.spec.resize_mode)
    ours = prepare(image, size, clip.spec.interpolation, clip.spec.mean, clip.spec.std).pixels
    expected = transform(Image.fromarray(image))
    height, width = ours.shape[1:]
    top, left = abs(height - 64) // 2, abs(width - 64) // 2
    if mode == "shortest":  # open_clip keeps the middle of what is longer
        ours = ours[:, :, left : left + 64]
    elif mode == "longest":  # and adds black to what is shorter
        expected = expected[:, top : top + height]
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)


def test_the_name_of_an_architecture_survives(tmp_path) -> None:
    spec = architecture_spec("ViT-L-14:laion2b_s32b_b82k")
    clip = tiny_clip(tmp_path, "vit")
    clip.spec = dataclasses.replace(spec, config=clip.spec.config, image_size=64)
    folder = exported(saved(clip, tmp_path / "in"), tmp_path / "out")
    back, _ = import_clip(folder / SAFE_FILE, "teacher")
    assert back.spec.architecture == "ViT-L-14"
    assert back.spec.mean == (0.5, 0.5, 0.5)


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


def test_what_regionclips_layout_does_not_hold_is_known(tmp_path) -> None:
    clip = tiny_clip(tmp_path)
    quick = dataclasses.replace(clip.spec, config={**clip.spec.config, "quick_gelu": True})
    for spec, lost in (
        (quick, []),
        (clip.spec, ["GELU"]),
        (dataclasses.replace(quick, mean=(0.0, 0.0, 0.0)), ["mean"]),
        (dataclasses.replace(quick, interpolation="bilinear"), ["mean"]),
        (dataclasses.replace(clip.spec, language=False), []),
    ):
        clip.spec = spec
        sentences = lost_in_regionclips_layout(saved(clip, tmp_path / "in"))
        assert [sentence.partition(",")[0] for sentence in sentences] == lost


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
    back, _ = import_clip(exported(files, tmp_path / "out") / SAFE_FILE, "teacher")
    pixels = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert torch.equal(back.encode_images(pixels), clip.encode_images(pixels))


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
