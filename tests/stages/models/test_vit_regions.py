from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from schemas.errors import SourceError
from stages.models.network import Clip
from stages.models.vit_regions import resample_positions, value_path
from tests.stages.models.tiny import config, tiny_clip

WHOLE = [torch.tensor([[0.0, 0, 64, 64]])]


@pytest.fixture(params=["vit", "vit-average"])
def clip(request, tmp_path):
    return tiny_clip(tmp_path, request.param).double()


def test_the_whole_image_is_the_mean_of_the_dense_tokens(clip) -> None:
    pixels = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    dense = clip.trunk(pixels)
    assert dense.shape == (1, 32, 4, 4)
    expected = clip.embed_crops(dense.flatten(2).mean(dim=2))
    torch.testing.assert_close(clip.encode_regions(pixels, WHOLE), expected)


def test_a_region_is_the_mean_of_the_tokens_it_covers(clip) -> None:
    pixels = torch.randn(1, 3, 64, 96, dtype=torch.float64)
    box = [torch.tensor([[16.0, 32, 80, 64]])]
    expected = clip.embed_crops(clip.trunk(pixels)[:, :, 2:4, 1:5].flatten(2).mean(dim=2))
    torch.testing.assert_close(clip.encode_regions(pixels, box), expected)


def test_an_averaging_tower_gives_its_own_feature_for_the_whole_image(tmp_path) -> None:
    clip = tiny_clip(tmp_path, "vit-average").double()
    pixels = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    torch.testing.assert_close(clip.encode_regions(pixels, WHOLE * 2), clip.encode_images(pixels))


def test_the_value_path_is_attention_of_each_token_to_itself(tmp_path) -> None:
    block = tiny_clip(tmp_path, "vit").double().network.visual.transformer.resblocks[-1]
    tokens = torch.randn(2, 5, 32, dtype=torch.float64)
    alone = block(tokens, attn_mask=torch.full((5, 5), -torch.inf).fill_diagonal_(0).double())
    torch.testing.assert_close(value_path(block, tokens), alone)


@pytest.mark.parametrize("dense", ["value-path", "last-block"])
def test_the_last_block_is_passed_as_asked_whatever_the_pool(clip, dense) -> None:
    visual, pixels = clip.network.visual, torch.randn(1, 3, 64, 64, dtype=torch.float64)
    before = visual.transformer.resblocks[0](visual._embeds(pixels))
    last = visual.transformer.resblocks[1]
    tokens = value_path(last, before) if dense == "value-path" else last(before)
    tokens = tokens if visual.final_ln_after_pool else visual.ln_post(tokens)
    actual = clip.with_dense(dense).trunk(pixels).flatten(2).transpose(1, 2)
    torch.testing.assert_close(actual, tokens[:, 1:])


def test_tokens_before_the_last_block_are_open_clips_own(tmp_path) -> None:
    clip = tiny_clip(tmp_path, "vit").double()
    visual, pixels = clip.network.visual, torch.randn(1, 3, 64, 64, dtype=torch.float64)
    before = visual.transformer.resblocks[0](visual._embeds(pixels))
    expected = visual.ln_post(value_path(visual.transformer.resblocks[1], before))[:, 1:]
    torch.testing.assert_close(clip.trunk(pixels).flatten(2).transpose(1, 2), expected)


def test_positions_of_the_native_grid_and_of_the_class_token_are_unchanged() -> None:
    positions = torch.randn(1 + 12, 8)
    assert resample_positions(positions, (3, 4), (3, 4)) is positions
    larger = resample_positions(positions, (3, 4), (6, 8))
    assert larger.shape == (49, 8)
    assert torch.equal(larger[0], positions[0])


def test_positions_are_resampled_row_by_row_and_column_by_column() -> None:
    ramp = torch.arange(4.0)[:, None].expand(4, 4).reshape(16, 1)  # grows downwards only
    larger = resample_positions(torch.cat([torch.zeros(1, 1), ramp]), (4, 4), (8, 8))[1:]
    plane = larger.reshape(8, 8)
    torch.testing.assert_close(plane, plane[:, :1].expand(8, 8))
    assert (plane[1:, 0] >= plane[:-1, 0]).all()


def test_an_input_that_is_not_a_multiple_of_the_patch_is_padded(clip) -> None:
    pixels = torch.randn(1, 3, 60, 70, dtype=torch.float64)
    padded = F.pad(pixels, (0, 10, 0, 4))
    torch.testing.assert_close(clip.trunk(pixels), clip.trunk(padded))


@pytest.mark.parametrize("change", [{"pool_type": "none"}, {"qk_norm": True}])
def test_a_tower_that_cannot_be_read_densely_is_refused(tmp_path, change) -> None:
    description = config("vit")
    description["vision_cfg"] |= change
    spec = tiny_clip(tmp_path).spec
    with pytest.raises(SourceError, match="regions cannot be read from"):
        Clip(type(spec)(None, description, 64, spec.mean, spec.std, ""))


def test_early_layers_are_all_before_the_blocks_and_a_quarter_of_them(clip) -> None:
    visual = clip.network.visual
    blocks = visual.transformer.resblocks
    for count, early in ((2, 0), (4, 1), (7, 1), (12, 3)):
        visual.transformer.resblocks = torch.nn.ModuleList([blocks[0]] * count)
        stem, rest = list(clip.tower.early_layers())[:4], list(clip.tower.early_layers())[4:]
        assert [id(layer) for layer in stem] == [
            id(getattr(visual, n))
            for n in ("conv1", "class_embedding", "positional_embedding", "ln_pre")
        ]
        assert rest == [blocks[0]] * early
