"""The gradient of RoIAlign on a CPU equals torchvision's, and finite differences."""

import pytest
import torch
from torchvision import ops

from stages.models.region_tower import roi_align
from stages.models.roialign_gradient import RoIAlignOnCPU

ODD = [  # in cells of a map of 6 x 9
    [[2.0, 1.0, 2.0, 1.0], [3.3, 2.2, 3.3, 5.0]],  # no area
    [[-30.0, -30.0, -20.0, -20.0], [40.0, 40.0, 41.0, 47.0]],  # far outside
    [[-2.5, -1.5, 4.0, 3.0], [7.0, 4.0, 12.5, 9.5]],  # over an edge
    [[0.0, 0.0, 9.0, 6.0], [0.0, 0.0, 90.0, 60.0]],  # the map, and far beyond
    [[0.5, 0.5, 1.5, 1.5], [-0.5, -0.5, 9.5, 6.5], [8.5, 5.5, 9.5, 6.5]],  # exact borders
    [[1e-3, 1e-3, 2e-3, 2e-3], [8.9999, 5.9999, 9.0, 6.0]],  # tiny
]


def gradients(maps, boxes, cells):
    """Ours and torchvision's, of the same random weighting of the crops."""
    maps = maps.requires_grad_()
    crops = RoIAlignOnCPU.apply(maps, cells, *boxes)
    theirs = ops.roi_align(maps, list(boxes), cells, 1.0, -1, aligned=True)
    assert torch.equal(crops, theirs)
    weighting = torch.randn(crops.shape, dtype=crops.dtype)
    ours = torch.autograd.grad(crops, maps, weighting)[0]
    return ours, torch.autograd.grad(theirs, maps, weighting)[0]


@pytest.mark.parametrize("cells", [1, 2, 7])
@pytest.mark.parametrize("seed", range(4))
def test_equals_torchvision_on_random_boxes(seed, cells) -> None:
    torch.manual_seed(seed)
    height, width = torch.randint(1, 20, (2,)).tolist()
    boxes = []
    for count in (5, 0, 1):
        corner = torch.rand(count, 2, dtype=torch.float64) * torch.tensor([width, height]) * 1.2 - 1
        side = torch.rand(count, 2, dtype=torch.float64) * torch.tensor([width, height])
        boxes.append(torch.cat([corner, corner + side], dim=1))
    maps = torch.randn(3, 4, height, width, dtype=torch.float64)
    ours, theirs = gradients(maps, boxes, cells)
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("boxes", ODD)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_equals_torchvision_on_odd_boxes(boxes, dtype) -> None:
    torch.manual_seed(1)
    ours, theirs = gradients(
        torch.randn(1, 3, 6, 9, dtype=dtype), [torch.tensor(boxes, dtype=dtype)], 4
    )
    torch.testing.assert_close(ours, theirs)


def test_without_boxes_the_gradient_is_zero() -> None:
    maps = torch.randn(2, 3, 4, 5, requires_grad=True)
    roi_align(maps, [torch.zeros(0, 4), torch.zeros(0, 4)], 7, 16).sum().backward()
    assert torch.equal(maps.grad, torch.zeros_like(maps))


def test_equals_finite_differences() -> None:
    torch.manual_seed(2)
    maps = torch.randn(2, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    boxes = [torch.tensor([[0.3, 0.7, 3.1, 4.9]]), torch.tensor([[1.0, 0.0, 2.2, 1.4]])]
    boxes = [b.double() * 16 for b in boxes]
    assert torch.autograd.gradcheck(lambda m: roi_align(m, boxes, 3, 16), (maps,))


def test_learning_and_looking_see_the_same_crops() -> None:
    torch.manual_seed(3)
    maps = torch.randn(1, 8, 12, 16)
    boxes = [torch.tensor([[3.0, 5.0, 88.0, 131.0], [0.0, 0.0, 256.0, 192.0]])]
    with torch.no_grad():
        looked = roi_align(maps, boxes, 4, 16)
    assert torch.equal(roi_align(maps.requires_grad_(), boxes, 4, 16), looked)
    assert roi_align(maps, boxes, 4, 16).requires_grad
    assert not looked.requires_grad


def test_a_half_precision_map_gets_a_gradient_of_its_own_type() -> None:
    torch.manual_seed(4)
    maps = torch.randn(1, 4, 6, 6).bfloat16().requires_grad_()
    boxes = [torch.tensor([[10.0, 20.0, 70.0, 90.0]])]
    with torch.autocast("cpu", torch.bfloat16):
        roi_align(maps, boxes, 3, 16).sum().backward()
    assert maps.grad.dtype == torch.bfloat16
    exact = maps.detach().float().requires_grad_()
    roi_align(exact, boxes, 3, 16).sum().backward()
    torch.testing.assert_close(maps.grad.float(), exact.grad, rtol=1e-2, atol=1e-2)
