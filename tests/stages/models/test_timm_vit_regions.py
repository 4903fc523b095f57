from __future__ import annotations

import pytest
import timm
import torch

from schemas.errors import SourceError
from stages.models.clip_spec import ClipSpec
from stages.models.network import Clip
from stages.models.timm_vit_regions import attend_to_itself
from tests.stages.models.tiny import config, tiny_clip, with_large_weights

KINDS = ("siglip", "eva02", "pe", "mobileclip-b")


def large(tmp_path, kind):
    return with_large_weights(tiny_clip(tmp_path, kind)).requires_grad_(False)


def timms_own(clip, *, dynamic):
    """timm's own network, of the native or any input size, with the same weights."""
    vision, trunk = clip.spec.config["vision_cfg"], clip.network.visual.trunk
    built = timm.create_model(
        vision["timm_model_name"],
        global_pool=vision["timm_pool"],
        num_classes=trunk.num_classes,
        dynamic_img_size=dynamic,
    )
    built.double().load_state_dict(trunk.state_dict())
    return built.eval()


def timm_clip(name, pool="", side=64):
    spec_of = config("convnext")
    spec_of["vision_cfg"] = {"image_size": side, "timm_model_name": name, "timm_pool": pool}
    return Clip(_spec(spec_of, side)).eval()


def _spec(description, side):
    return ClipSpec(None, description, side, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "")


@pytest.mark.parametrize("kind", ["siglip", "pe"])
def test_a_pool_that_attends_gives_its_own_feature_for_the_whole_image(tmp_path, kind) -> None:
    clip = large(tmp_path, kind)
    side = clip.spec.image_size
    pixels = torch.randn(2, 3, side, side, dtype=torch.float64)
    whole = [torch.tensor([[0.0, 0, side, side]])] * 2
    expected = timms_own(clip, dynamic=False)(pixels)
    torch.testing.assert_close(clip.encode_images(pixels), expected)
    torch.testing.assert_close(clip.encode_regions(pixels, whole), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["test_vit2", "test_vit3", "test_vit4"])
def test_timms_other_pools_of_patches_give_their_own_feature_for_the_whole_image(name) -> None:
    clip = with_large_weights(timm_clip(name, side=160))
    pixels = torch.randn(1, 3, 160, 160, dtype=torch.float64)
    actual = clip.encode_regions(pixels, [torch.tensor([[0.0, 0, 160, 160]])])
    torch.testing.assert_close(actual, clip.encode_images(pixels))


def test_a_region_in_what_is_left_over_has_the_last_pixel_that_is_seen(tmp_path) -> None:
    clip = large(tmp_path, "siglip")
    pixels = torch.randn(1, 3, 90, 90, dtype=torch.float64)
    boxes = torch.tensor([[86.0, 0, 90, 28], [83, 0, 84, 28], [0, 28, 90, 90], [0, 28, 84, 84]])
    regions = clip.encode_regions(pixels, [boxes.double()])
    torch.testing.assert_close(regions[::2], regions[1::2])


@pytest.mark.parametrize("kind", KINDS)
def test_tokens_of_another_size_are_those_of_timms_own_network_of_any_size(tmp_path, kind) -> None:
    clip = large(tmp_path, kind).with_dense("last-block")
    stride = clip.stride
    pixels = torch.randn(2, 3, 3 * stride, 7 * stride, dtype=torch.float64)
    reference = timms_own(clip, dynamic=True)
    tokens = reference.forward_features(pixels)[:, reference.num_prefix_tokens :]
    dense = clip.trunk(pixels)[:, : tokens.shape[2]]
    assert dense.shape[2:] == (3, 7)
    torch.testing.assert_close(dense.flatten(2).mT, tokens)


@pytest.mark.parametrize("kind", ["siglip", "pe"])
def test_a_region_is_the_pool_over_the_cells_it_covers(tmp_path, kind) -> None:
    clip = large(tmp_path, kind)
    stride, cells = clip.stride, clip.tower.cells
    pixels = torch.randn(1, 3, 8 * stride, 9 * stride, dtype=torch.float64)
    reference = timms_own(clip, dynamic=True)
    tokens = reference.forward_features(pixels)
    leading = reference.num_prefix_tokens
    inside = tokens[:, leading:].unflatten(1, (8, 9))[:, 1 : 1 + cells, 2 : 2 + cells]
    expected = reference.forward_head(torch.cat([tokens[:, :leading], inside.flatten(1, 2)], dim=1))
    corners = [2 * stride, stride, (2 + cells) * stride, (1 + cells) * stride]
    actual = clip.encode_regions(pixels, [torch.tensor([corners], dtype=torch.float64)])
    torch.testing.assert_close(actual, expected)


@pytest.mark.parametrize("kind", ["eva02", "mobileclip-b"])
def test_a_region_of_a_class_token_tower_is_its_mean_dense_token(tmp_path, kind) -> None:
    clip = large(tmp_path, kind)
    pixels = torch.randn(1, 3, 64, 96, dtype=torch.float64)
    tokens = clip.trunk(pixels)[:, :, 2:4, 1:5].flatten(2).mean(dim=2)
    tower = clip.network.visual.trunk
    expected = tower.head(tower.fc_norm(tokens))
    actual = clip.encode_regions(pixels, [torch.tensor([[16.0, 32, 80, 64]])])
    torch.testing.assert_close(actual, expected)


def test_the_value_path_of_a_timm_block_takes_values_alone(tmp_path) -> None:
    clip = large(tmp_path, "mobileclip-b")
    block, tokens = clip.network.visual.trunk.blocks[-1], torch.randn(2, 5, 32).double()
    values = block.attn.qkv(block.norm1(tokens))[..., 64:]
    attended = tokens + block.ls1(block.attn.proj(block.attn.norm(values)))
    expected = attended + block.ls2(block.mlp(block.norm2(attended)))
    actual = block(tokens, attn_mask=attend_to_itself(tokens))
    torch.testing.assert_close(actual, expected)


def test_the_value_path_of_an_eva_block_takes_values_alone(tmp_path) -> None:
    clip = large(tmp_path, "eva02")
    tower = clip.network.visual.trunk
    block, tokens = tower.blocks[-1], torch.randn(2, 7, 32).double()
    values = block.attn.norm(block.attn.v_proj(block.norm1(tokens)))
    attended = tokens + block.attn.proj(values)
    expected = attended + block.mlp(block.norm2(attended))
    rope = tower.rope.get_embed((2, 3))
    actual = block(tokens, rope=rope, attn_mask=attend_to_itself(tokens))
    torch.testing.assert_close(actual, expected)


def test_dense_tokens_follow_the_choice_and_the_default_follows_the_pool(tmp_path) -> None:
    pixels = torch.randn(1, 3, 90, 90, dtype=torch.float64)
    for kind, usual, other in (
        ("siglip", "last-block", "value-path"),
        ("mobileclip-b", "value-path", "last-block"),
    ):
        clip = large(tmp_path, kind)
        assert torch.equal(clip.trunk(pixels), clip.with_dense(usual).trunk(pixels))
        assert not torch.allclose(clip.trunk(pixels), clip.with_dense(other).trunk(pixels))


@pytest.mark.parametrize("name", ["test_vit_relpos", "vit_small_patch16_rope_mixed_224"])
@pytest.mark.slow
def test_a_tower_that_places_its_tokens_in_another_way_is_refused(name) -> None:
    with pytest.raises(SourceError, match="regions cannot be read from a timm tower of type"):
        timm_clip(name, side=224)


@pytest.mark.parametrize("kind", KINDS)
def test_regions_can_be_learned_from_and_early_layers_stay(tmp_path, kind) -> None:
    clip = tiny_clip(tmp_path, kind)
    clip.freeze_as_reference()
    clip.train()
    regions = clip.encode_regions(torch.randn(1, 3, 70, 90), [torch.tensor([[5.0, 5, 60, 60]])])
    regions.sum().backward()
    tower = clip.network.visual.trunk
    frozen = {n for n, p in tower.named_parameters() if p.grad is None}
    stems = ("patch_embed.", "pos_embed", "cls_token", "norm_pre.", "blocks.0.")
    assert {n for n in frozen if n.startswith(stems)} == {
        n for n, _ in tower.named_parameters() if n.startswith(stems)
    }
    learned = {n for n, p in tower.named_parameters() if p.grad is not None}
    assert {n.split(".")[1] for n in learned if n.startswith("blocks.")} == {"1", "2", "3"}
