"""Items 1 to 4 and 18: where the network is split, how regions are pooled, what is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torchvision import ops

from stages.models.region_tower import roi_align
from stages.models.resnet_regions import pool_mean_token
from tests.parity import nets, plain

if TYPE_CHECKING:
    from pathlib import Path

    from stages.models.clip import Clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return nets.thin(tmp_path_factory.mktemp("thin"))


@pytest.fixture(scope="module")
def weights(clip: Clip) -> dict[str, torch.Tensor]:
    return plain.weights_of(clip.network)


def pixels(height: int, width: int, seed: int = 0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(1, 3, height, width, generator=rng, dtype=torch.float64)


def test_item_01_stem_to_layer3_run_on_the_image_at_a_sixteenth(clip: Clip, weights) -> None:
    images = pixels(96, 160)
    with torch.no_grad():
        actual = clip.trunk(images)
    assert actual.shape == (1, 4 * 16, 6, 10)  # sixteen times the width, a sixteenth of the sides
    torch.testing.assert_close(actual, plain.trunk(weights, images))


@pytest.mark.parametrize(("side", "cells", "grid"), [(224, 14, 7), (288, 18, 9)])
def test_item_01_layer4_halves_the_region_to_the_attention_pools_grid(
    tmp_path: Path, side: int, cells: int, grid: int
) -> None:
    clip = nets.thin(tmp_path, side)
    with torch.no_grad():
        crops = clip.crop_regions(clip.trunk(pixels(64, 64)), [torch.tensor([[3.0, 5, 50, 60]])])
        halved = clip.network.visual.layer4(crops)
    assert crops.shape[2:] == (cells, cells)
    assert halved.shape[2:] == (grid, grid)
    positions = clip.network.visual.attnpool.positional_embedding
    assert len(positions) == grid * grid + 1
    weights = plain.weights_of(clip.network)
    torch.testing.assert_close(halved, plain.layer(weights, 4, crops))


@pytest.mark.slow
@pytest.mark.parametrize("side", [224, 288])
def test_item_01_a_region_feature_equals_that_of_the_plain_network(tmp_path: Path, side) -> None:
    clip = nets.thin(tmp_path, side)
    weights = plain.weights_of(clip.network)
    images = pixels(112, 144, seed=5)
    boxes = torch.tensor([[0.0, 0, 144, 112], [13.3, 20.7, 61.1, 99.9], [130.0, 90.0, 141.5, 95.0]])
    with torch.no_grad():
        actual = clip.encode_regions(images, [boxes])
    dense = plain.trunk(weights, images)[0]
    cells = side // 16
    expected = [plain.region_feature(weights, dense, b, cells, nets.HEADS) for b in boxes]
    torch.testing.assert_close(actual, torch.stack(expected))


def test_item_02_roi_align_equals_the_loop_over_bins_and_samples() -> None:
    rng = np.random.default_rng(3)
    dense = rng.standard_normal((3, 7, 9))
    corners = np.sort(rng.uniform(-20, 160, (12, 2, 2)), axis=1)  # some reach outside the map
    boxes = corners.reshape(12, 4)
    boxes = np.concatenate([boxes, [[8, 8, 8, 8], [0, 0, 144, 112]]])  # empty; the whole map
    actual = roi_align(torch.from_numpy(dense)[None], [torch.from_numpy(boxes)], 4, 16)
    expected = np.stack([plain.roi_align(dense, box, 4, 1 / 16) for box in boxes])
    np.testing.assert_allclose(actual.numpy(), expected, atol=1e-12)


def test_item_02_both_spellings_of_adaptive_sampling_are_equal() -> None:
    dense, boxes = torch.randn(1, 5, 20, 30), torch.tensor([[2.0, 3, 300, 200], [7, 8, 9, 10]])
    spelt = [ops.roi_align(dense, [boxes], 14, 1 / 16, ratio, aligned=True) for ratio in (0, -1)]
    assert torch.equal(*spelt)
    assert torch.equal(roi_align(dense, [boxes], 14, 16), spelt[0])


def test_item_03_a_frozen_batch_norm_is_a_constant_scale_and_shift(clip: Clip) -> None:
    clip.freeze_as_reference()
    norm = clip.train().network.visual.layer2[0].bn1
    x = torch.randn(2, norm.num_features, 3, 3, dtype=torch.float64)
    gain = norm.weight / (norm.running_var + 1e-5).sqrt()
    expected = x * gain[:, None, None] + (norm.bias - norm.running_mean * gain)[:, None, None]
    before = norm.running_mean.clone()
    torch.testing.assert_close(norm(x), expected)
    assert torch.equal(norm.running_mean, before)  # also in training, the batch is not looked at


def test_item_04_attention_pool_returns_the_mean_tokens_output(clip: Clip, weights) -> None:
    channels = clip.network.visual.attnpool.q_proj.in_features
    grids = torch.randn(5, channels, 7, 7, dtype=torch.float64)
    with torch.no_grad():
        actual = pool_mean_token(clip.network.visual.attnpool, grids)
    expected = [plain.attention_pool(weights, grid, nets.HEADS) for grid in grids]
    torch.testing.assert_close(actual, torch.stack(expected))


def test_item_04_the_mean_token_has_a_position_too(clip: Clip, weights) -> None:
    moved = dict(weights)
    name = "visual.attnpool.positional_embedding"
    moved[name] = weights[name].clone()
    moved[name][0] += 1.0
    grid = torch.randn(clip.network.visual.attnpool.q_proj.in_features, 7, 7, dtype=torch.float64)
    first = plain.attention_pool(weights, grid, nets.HEADS)
    assert (plain.attention_pool(moved, grid, nets.HEADS) - first).abs().max() > 1e-3


def test_item_18_layers_2_to_4_and_the_attention_pool_are_trained_and_nothing_else(
    tmp_path: Path,
) -> None:
    clip = nets.thin(tmp_path)
    clip.freeze_as_reference()
    trained = {name for name, p in clip.network.named_parameters() if p.requires_grad}
    convs = {
        f"visual.layer{n}.{block}.conv{c}.weight"
        for n, blocks in ((2, 1), (3, 2), (4, 1))
        for block in range(blocks)
        for c in (1, 2, 3)
    }
    shortcuts = {f"visual.layer{n}.0.downsample.0.weight" for n in (2, 3, 4)}
    pool = {
        f"visual.attnpool.{p}_proj.{kind}"
        for p in ("q", "k", "v", "c")
        for kind in ("weight", "bias")
    }
    assert trained == convs | shortcuts | pool | {"visual.attnpool.positional_embedding"}
    norms = [m for m in clip.train().modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(m.training for m in norms)
