from __future__ import annotations

import pytest
import torch

from stages.models.token_maps import crop_tokens, map_of_tokens, pad_to_multiple


@pytest.mark.parametrize("leading", [0, 2])
def test_the_tokens_of_a_region_are_the_leading_ones_and_its_cells(leading) -> None:
    tokens = torch.randn(2, leading + 12, 5, dtype=torch.float64)
    dense = map_of_tokens(tokens, (3, 4), leading, keep=True)
    assert dense.shape == (2, 5 * (1 + leading), 3, 4)
    boxes = [torch.tensor([[14.0, 14, 42, 42]]), torch.tensor([[0.0, 0, 28, 28], [28, 0, 56, 28]])]
    regions = crop_tokens(dense, boxes, 2, 14, leading)
    cells = tokens[:, leading:].unflatten(1, (3, 4))
    expected = [
        torch.cat([tokens[b, :leading], cells[b, y : y + 2, x : x + 2].flatten(0, 1)])
        for b, y, x in ((0, 1, 1), (1, 0, 0), (1, 0, 2))
    ]
    torch.testing.assert_close(regions, torch.stack(expected))


def test_leading_tokens_that_no_pool_needs_are_left_out() -> None:
    tokens = torch.randn(1, 7, 3)
    dense = map_of_tokens(tokens, (2, 3), 1, keep=False)
    assert torch.equal(dense.flatten(2).transpose(1, 2), tokens[:, 1:])


def test_images_without_regions_have_no_tokens() -> None:
    dense = map_of_tokens(torch.randn(2, 5, 3), (2, 2), 1, keep=True)
    assert crop_tokens(dense, [torch.zeros(0, 4)] * 2, 2, 16, 1).shape == (0, 5, 3)


def test_padding_goes_up_to_the_next_multiple() -> None:
    pixels = torch.ones(1, 3, 28, 30)
    padded = pad_to_multiple(pixels, 14)
    assert padded.shape == (1, 3, 28, 42)
    assert padded.sum() == pixels.sum()
