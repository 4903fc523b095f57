"""How long the published recipes would take here, estimated from the time of one image.

An image of 800 x 1216 pixels (what 800x1333 makes of a photograph of 640 x 420) with random
weights: features of 300 regions without gradients, as `rc featurize` computes them; and 100
regions forwards and backwards with the same frozen layers as in the reference, as a step of
`rc train` or `rc finetune` computes them for each image. Decoding, labels and losses are left out:
they take little time (benchmarks/train.py measures that). The estimate is for one device.

    python -m benchmarks.estimate
    python -m benchmarks.estimate --device cuda
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass

import torch

from stages.models.clip import Clip, create_clip
from stages.models.device import resolve
from stages.training.student_training import make_trainable

HIGH, WIDE = 800, 1216
DAY = 24 * 3600


@dataclass(frozen=True)
class Work:
    """Number of images that a recipe featurizes, and of image views that it trains on."""

    architecture: str
    features: int
    views: int


RECIPES = {
    "pretrain_cc3m_rn50": Work("RN50", 3_000_000, 600_000 * 96),
    "pretrain_cc3m_rn50x4": Work("RN50x4", 3_000_000, 600_000 * 96),
    "pretrain_coco_caption": Work("RN50", 118_287, 40_000 * 48),
    "coco_ovd_rn50": Work("RN50", 0, 90_000 * 16),
    "lvis_ovd_rn50x4": Work("RN50x4", 0, 180_000 * 16),
    "coco_full": Work("RN50", 0, 90_000 * 16),
    "lvis_full": Work("RN50x4", 0, 180_000 * 16),
}


def boxes(count: int, device: torch.device) -> torch.Tensor:
    """Random boxes (count, 4) inside the image."""
    rng = torch.Generator().manual_seed(0)
    corner = torch.rand(count, 2, generator=rng) * torch.tensor([WIDE * 0.6, HIGH * 0.6])
    size = torch.rand(count, 2, generator=rng) * torch.tensor([WIDE * 0.4, HIGH * 0.4])
    return torch.cat([corner, corner + size.clamp(min=8)], dim=1).to(device)


def seconds(clip: Clip, device: torch.device, *, train: bool, repeats: int) -> float:
    """Seconds of one image, the minimum of several runs."""
    pixels = torch.rand(1, 3, HIGH, WIDE, device=device)
    regions = boxes(100 if train else 300, device)
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        with torch.set_grad_enabled(train):
            features = clip.encode_regions(pixels, [regions])
            if train:
                features.square().mean().backward()  # type: ignore[no-untyped-call]
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return min(times)


def main(words: list[str] | None = None) -> int:
    """Measure both architectures, and print the days of each recipe."""
    parser = argparse.ArgumentParser(description="Days the published recipes would take here.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args(words)
    torch.set_num_threads(arguments.threads)
    device = resolve(arguments.device)
    measured = {}
    for name in sorted({work.architecture for work in RECIPES.values()}):
        clip = create_clip(name).to(device)
        featurize = seconds(clip, device, train=False, repeats=arguments.repeats)
        make_trainable(clip, "reference")
        train = seconds(clip, device, train=True, repeats=arguments.repeats)
        measured[name] = (featurize, train)
        print(f"{name:<8} featurize {featurize:8.3f} s an image   train {train:8.3f} s an image")
    for name, work in RECIPES.items():
        featurize, train = measured[work.architecture]
        days = (work.features * featurize + work.views * train) / DAY
        print(f"{name:<24} {work.features + work.views:>12,} images  {days:>12,.1f} days")
    return 0


if __name__ == "__main__":
    sys.exit(main())
