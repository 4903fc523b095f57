from __future__ import annotations

import math

import pytest
import torch
from open_clip.modified_resnet import AttentionPool2d
from torchvision.ops import roi_align

from stages.models.resnet_regions import pool_mean_token
from tests.stages.models.tiny import tiny_clip


@pytest.fixture
def clip(tmp_path):
    return tiny_clip(tmp_path).double()


@pytest.mark.parametrize(("side", "heads", "regions"), [(2, 4, 5), (7, 8, 3), (1, 2, 1)])
def test_one_query_gives_the_output_of_the_first_of_all_queries(side, heads, regions) -> None:
    pool = AttentionPool2d(side, 32, heads, 12).double()
    for linear in (pool.q_proj, pool.k_proj, pool.v_proj, pool.c_proj):
        torch.nn.init.normal_(linear.weight)
        torch.nn.init.normal_(linear.bias)
    grid = torch.randn(regions, 32, side, side, dtype=torch.float64)
    torch.testing.assert_close(pool_mean_token(pool, grid), pool(grid), rtol=1e-10, atol=1e-10)


def test_one_query_has_the_gradient_of_all_queries() -> None:
    pool = AttentionPool2d(3, 16, 4, 8).double()
    grid = torch.randn(2, 16, 3, 3, dtype=torch.float64, requires_grad=True)
    names = dict(pool.named_parameters())
    expected = torch.autograd.grad(pool(grid).square().sum(), [grid, *names.values()])
    actual = torch.autograd.grad(
        pool_mean_token(pool, grid).square().sum(), [grid, *names.values()]
    )
    for gradient, reference in zip(actual, expected, strict=True):
        torch.testing.assert_close(gradient, reference, rtol=1e-9, atol=1e-9)


def test_attention_pool_adds_its_position_to_the_mean_token() -> None:
    pool = AttentionPool2d(1, 2, 1, 2).double()
    with torch.no_grad():
        pool.positional_embedding.copy_(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
        for linear in (pool.q_proj, pool.k_proj, pool.v_proj, pool.c_proj):
            linear.weight.copy_(torch.eye(2))
            linear.bias.zero_()
    # tokens: mean (2, 0) + (1, 0) = (3, 0), and (2, 0); scores 9/sqrt 2 and 6/sqrt 2
    share = 1 / (1 + math.exp(-3 / math.sqrt(2)))
    out = pool_mean_token(pool, torch.tensor([2.0, 0.0], dtype=torch.float64).reshape(1, 2, 1, 1))
    assert out[0, 0].item() == pytest.approx(3 * share + 2 * (1 - share))


@pytest.mark.slow
def test_regions_equal_those_of_a_plain_loop(clip) -> None:
    pixels = torch.randn(2, 3, 96, 128, dtype=torch.float64)
    boxes = [torch.tensor([[3.0, 5, 90, 60], [40, 40, 41, 42]]), torch.tensor([[0.0, 0, 128, 96]])]
    boxes = [b.double() for b in boxes]
    visual = clip.network.visual
    slow = []
    for image, of_image in zip(pixels, boxes, strict=True):
        stem = visual.avgpool(
            visual.act3(
                visual.bn3(
                    visual.conv3(
                        visual.act2(
                            visual.bn2(
                                visual.conv2(visual.act1(visual.bn1(visual.conv1(image[None]))))
                            )
                        )
                    )
                )
            )
        )
        feature_map = visual.layer3(visual.layer2(visual.layer1(stem)))
        for box in of_image:
            crop = roi_align(feature_map, [box[None]], 4, 1 / 16, 0, aligned=True)
            slow.append(visual.attnpool(visual.layer4(crop)))
    actual = clip.encode_regions(pixels, boxes)
    torch.testing.assert_close(actual, torch.cat(slow), rtol=1e-9, atol=1e-9)


def test_the_whole_image_at_its_native_size_is_clips_own_feature(clip) -> None:
    pixels = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    whole = [torch.tensor([[0.0, 0, 64, 64]])] * 2
    torch.testing.assert_close(clip.encode_regions(pixels, whole), clip.encode_images(pixels))


def test_a_region_does_not_depend_on_its_batch(clip) -> None:
    pixels = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    boxes = [torch.tensor([[3.0, 5, 60, 60], [10, 0, 50, 40]]), torch.tensor([[0.0, 9, 30, 50]])]
    together = clip.encode_regions(pixels, boxes)
    alone = clip.encode_regions(pixels[1:], boxes[1:])
    torch.testing.assert_close(together[2:], alone)


def test_no_boxes_give_no_features(clip) -> None:
    pixels = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    assert clip.encode_regions(pixels, [torch.zeros(0, 4)]).shape == (0, 32)


@pytest.mark.parametrize(("size", "cells"), [(224, 14), (288, 18), (64, 4)])
def test_the_grid_is_twice_that_of_the_attention_pool(clip, size, cells) -> None:
    clip.network.visual.image_size = size
    assert clip.tower.cells == cells


def test_the_map_has_one_cell_per_sixteen_pixels(clip) -> None:
    assert clip.stride == 16
    assert clip.trunk(torch.zeros(1, 3, 64, 96, dtype=torch.float64)).shape == (1, 128, 4, 6)
