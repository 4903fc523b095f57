"""The time of RoIAlign's gradient relative to torchvision's, on the same maps and boxes.

The two alternate, so that other processes slow both; processor time is compared.
Run as `python -m benchmarks.roialign`.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import torch
from torchvision import ops

from stages.models.roialign_gradient import RoIAlignOnCPU

if TYPE_CHECKING:
    from collections.abc import Callable


class Case(NamedTuple):
    """Sizes of a comparison."""

    name: str
    images: int
    channels: int
    size: tuple[int, int]
    cells: int
    regions: int


CASES = [
    Case("scale model, ResNet", 16, 384, (12, 16), 4, 50),
    Case("ResNet-50 at 800 pixels", 2, 1024, (50, 67), 14, 100),
    Case("ConvNeXt at 800 pixels", 2, 768, (50, 67), 7, 100),
    Case("ViT-B/16 at 800 pixels", 2, 768, (50, 67), 1, 100),
]


def random_boxes(case: Case) -> list[torch.Tensor]:
    """Boxes of up to half of the map's sides, in cells."""
    height, width = case.size
    sides = torch.tensor([width, height])
    corner = torch.rand(case.images, case.regions, 2) * sides * 0.75
    far = torch.minimum(corner + torch.rand_like(corner) * sides / 2 + 0.5, sides)
    return list(torch.cat([corner, far], dim=2))


def seconds(work: Callable[[], object]) -> float:
    """Of the processor, for one call."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def compare(case: Case, rounds: int) -> None:
    """Print the best time of each, in milliseconds, and their ratio."""
    maps = torch.randn(case.images, case.channels, *case.size)
    maps = maps.contiguous(memory_format=torch.channels_last).requires_grad_()
    boxes = random_boxes(case)
    ours = RoIAlignOnCPU.apply(maps, case.cells, *boxes)
    theirs = ops.roi_align(maps, boxes, case.cells, 1.0, -1, aligned=True)
    gradient = torch.randn(ours.shape).contiguous(memory_format=torch.channels_last)
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        for name, crops in (("ours", ours), ("theirs", theirs)):
            backward = partial(torch.autograd.grad, crops, maps, gradient, retain_graph=True)
            times[name].append(seconds(backward))
    a, b = (1000 * min(times[name]) for name in ("ours", "theirs"))
    print(f"{case.name:24s}  ours {a:8.1f} ms   torchvision {b:8.1f} ms   ratio {b / a:.1f}")


def main() -> None:
    """Compare each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for case in CASES:
        compare(case, arguments.rounds)


if __name__ == "__main__":
    main()
