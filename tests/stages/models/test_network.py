from __future__ import annotations

import copy
import dataclasses

import pytest
import torch

from schemas.errors import SourceError
from stages.models.attention_pooled_regions import AttentionPooledRegions
from stages.models.convnext_regions import ConvNeXtRegions
from stages.models.fastvit_regions import FastViTRegions
from stages.models.network import Clip
from stages.models.resnet_regions import ResNetRegions
from stages.models.timm_vit_regions import TimmViTRegions
from stages.models.vit_regions import ViTRegions
from tests.stages.models.texts import encode_texts
from tests.stages.models.tiny import TOWERS, config, tiny_clip

pytestmark = pytest.mark.slow


def test_texts_too_long_keep_their_end_token(tmp_path) -> None:
    clip = tiny_clip(tmp_path)
    tokens = clip.tokenize(["dog " * 500, "dog"])
    assert tokens.shape == (2, 16)
    assert tokens[:, 0].tolist() == [49406, 49406]
    assert tokens[0, -1] == 49407
    assert tokens[1].tolist() == [49406, 1929, 49407] + [0] * 13
    assert torch.isfinite(encode_texts(clip, ["dog " * 500])).all()


def test_a_text_does_not_depend_on_its_batch(tmp_path) -> None:
    clip = tiny_clip(tmp_path)
    together = encode_texts(clip, ["a dog", "two red cats on a mat"])
    assert together.shape == (2, clip.width)
    torch.testing.assert_close(together[1:], encode_texts(clip, ["two red cats on a mat"]))


def test_tokens_that_the_text_tower_does_not_have_are_refused(tmp_path) -> None:
    small = config()
    small["text_cfg"] |= {"vocab_size": 1000}
    clip = Clip(dataclasses.replace(tiny_clip(tmp_path).spec, config=small))
    with pytest.raises(SourceError, match="makes token 49407, and its text tower has 1000 tokens"):
        clip.tokenize(["a dog"])


@pytest.mark.parametrize("tower", ["resnet", "convnext", "fastvit"])
def test_a_convolutional_tower_has_no_choice_of_dense_tokens(tmp_path, tower) -> None:
    clip = tiny_clip(tmp_path, tower)
    assert clip.with_dense("auto") is clip
    with pytest.raises(SourceError, match="value-path is for vision transformers, so leave --dens"):
        clip.with_dense("value-path")


def test_another_way_of_reading_is_described_and_shares_the_tensors(tmp_path) -> None:
    clip = tiny_clip(tmp_path, "vit")
    changed = clip.with_dense("last-block")
    assert (clip.spec.dense, changed.spec.dense) == ("auto", "last-block")
    assert changed.network is clip.network
    assert Clip(changed.spec).tower.dense == "last-block"
    assert changed.with_dense("auto") is changed.with_dense("last-block") is changed


def test_an_unknown_way_of_reading_is_refused(tmp_path) -> None:
    spec = dataclasses.replace(tiny_clip(tmp_path, "vit").spec, dense="sideways")
    with pytest.raises(SourceError, match="regions read as 'sideways' are unknown"):
        Clip(spec)


def test_the_image_side_of_a_multimodal_model_can_be_built_alone(tmp_path) -> None:
    spec = tiny_clip(tmp_path).spec
    described = config("vit-attention") | {"multimodal_cfg": {"width": 32}, "custom_text": True}
    described["vision_cfg"]["output_tokens"] = True
    clip = Clip(dataclasses.replace(spec, config=described, language=False)).eval()
    pixels = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(clip.encode_images(pixels), clip.network.visual(pixels)[0])


@pytest.mark.parametrize("custom_text", [False, True])
def test_a_model_without_language_has_only_an_image_tower_and_refuses_texts(
    tmp_path, custom_text
) -> None:
    clip = tiny_clip(tmp_path)
    settings = config() | {"custom_text": custom_text}
    mute = Clip(dataclasses.replace(clip.spec, config=settings, language=False))
    visual = {n for n in clip.network.state_dict() if n.startswith("visual.")}
    assert set(mute.network.state_dict()) == visual | {"logit_scale"}
    assert mute.spec.config == settings
    for call in (lambda: mute.tokenize(["a dog"]), lambda: mute.encode_tokens(torch.ones(1, 16))):
        with pytest.raises(SourceError, match=r"\(random, seed 0\) has no language encoder"):
            call()


@pytest.mark.parametrize("tower", TOWERS)
def test_the_kind_of_tower_follows_from_the_configuration(tmp_path, tower) -> None:
    kinds = {"resnet": ResNetRegions, "convnext": ConvNeXtRegions, "fastvit": FastViTRegions}
    kinds |= {"vit": ViTRegions, "vit-average": ViTRegions, "vit-attention": AttentionPooledRegions}
    clip = tiny_clip(tmp_path, tower)
    assert type(clip.tower) is kinds.get(tower, TimmViTRegions)
    assert clip.tower.visual is clip.network.visual
    assert clip.width == 32


@pytest.mark.parametrize("tower", TOWERS)
def test_regions_are_pooled_from_one_map_and_embedded_in_the_order_of_images(
    tmp_path, tower
) -> None:
    clip = tiny_clip(tmp_path, tower)
    pixels = torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    boxes = [torch.tensor([[0.0, 0, 64, 64], [32, 0, 96, 64]]), torch.tensor([[0.0, 0, 32, 32]])]
    with torch.no_grad():
        feature_map = clip.trunk(pixels)
        expected = [
            clip.embed_crops(clip.crop_regions(feature_map[b : b + 1], [box[None]]))
            for b, of_image in enumerate(boxes)
            for box in of_image
        ]
        actual = clip.encode_regions(pixels, boxes)
        assert torch.equal(clip.pool_regions(feature_map, boxes), actual)
    sides = zip(feature_map.shape[2:], (64, 96), strict=True)
    assert all(abs(cells - pixels / clip.stride) < 1 for cells, pixels in sides)
    torch.testing.assert_close(actual, torch.cat(expected), rtol=1e-4, atol=1e-5)


def test_freezing_leaves_trainable_what_the_reference_trains(tmp_path) -> None:
    clip = tiny_clip(tmp_path)
    clip.freeze_as_reference()
    trainable = {n.removeprefix("network.") for n, p in clip.named_parameters() if p.requires_grad}
    groups = {".".join(n.split(".")[:2]) for n in trainable}
    assert groups == {"visual.layer2", "visual.layer3", "visual.layer4", "visual.attnpool"}
    assert not any(".bn" in n or "downsample.1" in n for n in trainable)


def test_frozen_statistics_stay_while_training(tmp_path) -> None:
    clip = tiny_clip(tmp_path)
    clip.freeze_as_reference()
    before = copy.deepcopy(dict(clip.network.named_buffers()))
    pixels = torch.randn(1, 3, 64, 64)
    whole = [torch.tensor([[0.0, 0, 64, 64]])]
    quiet = clip.eval().encode_regions(pixels, whole)
    training = clip.train().encode_regions(pixels, whole)
    assert clip.training
    torch.testing.assert_close(training, quiet)
    training.sum().backward()
    assert clip.network.visual.layer3[0].conv1.weight.grad is not None
    assert clip.network.visual.layer1[0].conv1.weight.grad is None
    for name, value in clip.network.named_buffers():
        assert torch.equal(value, before[name]), name


def test_a_frozen_norm_is_the_formula_of_constants(tmp_path) -> None:
    norm = tiny_clip(tmp_path).double().network.visual.bn1.eval()
    x = torch.randn(2, 4, 3, 3, dtype=torch.float64)
    slope = norm.weight / (norm.running_var + 1e-5).sqrt()
    expected = x * slope[:, None, None] + (norm.bias - norm.running_mean * slope)[:, None, None]
    torch.testing.assert_close(norm(x), expected)


@pytest.mark.parametrize("tower", ["vit", "convnext"])
def test_freezing_any_tower_leaves_later_stages_and_no_language(tmp_path, tower) -> None:
    clip = tiny_clip(tmp_path, tower)
    clip.freeze_as_reference()
    trainable = [n for n, p in clip.named_parameters() if p.requires_grad]
    assert trainable
    assert all(n.startswith("network.visual.") for n in trainable)
    stem = {"vit": "visual.conv1.weight", "convnext": "visual.trunk.stem.0.weight"}[tower]
    assert not clip.network.get_parameter(stem).requires_grad
