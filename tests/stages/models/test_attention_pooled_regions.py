from __future__ import annotations

import pytest
import torch

from schemas.errors import SourceError
from stages.models.network import Clip
from tests.stages.models.tiny import config, tiny_clip, with_large_weights


@pytest.fixture
def clip(tmp_path):
    return with_large_weights(tiny_clip(tmp_path, "vit-attention"))


def test_the_whole_image_at_its_native_size_is_clips_own_feature(clip) -> None:
    pixels = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    whole = [torch.tensor([[0.0, 0, 64, 64]])] * 2
    torch.testing.assert_close(clip.encode_regions(pixels, whole), clip.encode_images(pixels))


def test_the_queries_attend_to_the_cells_of_a_region_and_the_class_token(clip) -> None:
    visual, pixels = clip.network.visual, torch.randn(1, 3, 128, 128, dtype=torch.float64)
    tokens = clip.trunk(pixels)  # (1, 2 * 32, 8, 8)
    own = torch.cat([tokens[:, 32:, 0, 0][:, None], tokens[:, :32, 2:6, 1:5].flatten(2).mT], dim=1)
    pool = visual.attn_pool
    query, keys = pool.ln_q(pool.query), pool.ln_k(own)[0]
    names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
    weights = [getattr(pool.attn, name) for name in names]
    if pool.attn.in_proj_weight is not None:
        weights = list(pool.attn.in_proj_weight.chunk(3))
    biases = pool.attn.in_proj_bias.chunk(3)
    q, k, v = (
        (x @ w.T + b).unflatten(1, (8, -1)).transpose(0, 1)
        for x, w, b in zip((query, keys, keys), weights, biases, strict=True)
    )
    mixed = ((q @ k.mT) / q.shape[2] ** 0.5).softmax(dim=2) @ v
    pooled = pool.attn.out_proj(mixed.transpose(0, 1).flatten(1))
    expected = visual.ln_post(pooled)[:1] @ visual.proj
    actual = clip.encode_regions(pixels, [torch.tensor([[16.0, 32, 80, 96]])])
    torch.testing.assert_close(actual, expected)


def test_a_tower_with_two_poolers_is_refused(tmp_path) -> None:
    description = config("vit-attention")
    description["vision_cfg"]["attentional_pool"] = "parallel"
    spec = tiny_clip(tmp_path).spec
    with pytest.raises(SourceError, match="it has two poolers"):
        Clip(type(spec)(None, description, 64, spec.mean, spec.std, ""))


def test_early_layers_are_those_of_any_vision_transformer(clip) -> None:
    visual = clip.network.visual
    assert list(clip.tower.early_layers())[:2] == [visual.conv1, visual.class_embedding]
