"""How long the published recipes would take here, from the time of one image of each kind.

An image of 800 x 1216 pixels (what 800x1333 makes of a photograph of 640 x 420) with random
weights: features of 300 regions without gradients, as `rc featurize` computes them; and 100
regions forwards and backwards with what the reference freezes frozen, as a step of `rc train` or
`rc finetune` computes them for each of its images. Decoding, labels and losses are left out: they
are small beside the network (benchmarks/train.py measures that). A device computes one recipe's
images one after another; n of them, n times as many.

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
    """Images a recipe featurizes, and image views it trains on."""

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


def boxes(count: int, place: torch.device) -> torch.Tensor:
    """Random boxes (count, 4) inside the image."""
    draw = torch.Generator().manual_seed(0)
    corner = torch.rand(count, 2, generator=draw) * torch.tensor([WIDE * 0.6, HIGH * 0.6])
    size = torch.rand(count, 2, generator=draw) * torch.tensor([WIDE * 0.4, HIGH * 0.4])
    return torch.cat([corner, corner + size.clamp(min=8)], dim=1).to(place)


def seconds(clip: Clip, place: torch.device, *, train: bool, repeats: int) -> float:
    """Of one image, the least of several."""
    pixels = torch.rand(1, 3, HIGH, WIDE, device=place)
    found = boxes(100 if train else 300, place)
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        with torch.set_grad_enabled(train):
            features = clip.encode_regions(pixels, [found])
            if train:
                features.square().mean().backward()  # type: ignore[no-untyped-call]
        if place.type == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - started)
    return min(taken)


def main(words: list[str] | None = None) -> int:
    """Measure both architectures, and print days for each recipe."""
    parser = argparse.ArgumentParser(description="Days the published recipes would take here.")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    asked = parser.parse_args(words)
    torch.set_num_threads(asked.threads)
    place = resolve(asked.device)
    measured = {}
    for name in sorted({work.architecture for work in RECIPES.values()}):
        clip = create_clip(name).to(place)
        look = seconds(clip, place, train=False, repeats=asked.repeats)
        make_trainable(clip, "reference")
        learn = seconds(clip, place, train=True, repeats=asked.repeats)
        measured[name] = (look, learn)
        print(f"{name:<8} featurize {look:8.3f} s an image   train {learn:8.3f} s an image")
    for name, work in RECIPES.items():
        look, learn = measured[work.architecture]
        days = (work.features * look + work.views * learn) / DAY
        print(f"{name:<24} {work.features + work.views:>12,} images  {days:>12,.1f} days")
    return 0


if __name__ == "__main__":
    sys.exit(main())
