"""How many concepts a distillation target must keep to act like the full distribution.

    python -m benchmarks.topk --out topk

Makes synthetic scenes, computes the bundled teacher's features of their proposals, and compares
loss and gradient of `distillation` (K concepts and a residual) with `full_distillation`, for
two students: the teacher itself with another image size, as at the first step, and a
student after a few steps. Every distribution is computed in float64 from stored features; the error
of storing K probabilities in float32 is not measured.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from pipeline.demo import render_demo_scenes
from pipeline.sql import connect, query
from stages.training.losses import distillation

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT = (1, 2, 4, 8, 16, 32, 64)
TEMPERATURES = (0.01, 0.05)


def main() -> None:
    """Make the features, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("topk"))
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--steps", type=int, default=40, help="of the student")
    arguments = parser.parse_args()
    world = render_demo_scenes(arguments.out, arguments.scenes, 10, arguments.seed)
    store = arguments.out / "store"
    addresses = make(store, world, arguments.steps)
    concepts = matrix(store, addresses["embeddings"], "embedding", "concept_id")
    teacher, *students = (
        matrix(store, addresses[name], "feature", "image_id, region")
        for name in ("teacher", "another size", "a student")
    )
    print(f"{len(teacher)} regions, {len(concepts)} concepts\n")
    for name, student in zip(("teacher, another size", "student"), students, strict=True):
        for temperature in TEMPERATURES:
            print(f"{name}, temperature {temperature}")
            print(table(teacher, student, concepts, temperature), end="\n\n")


def make(store: Path, world: dict[str, str], steps: int) -> dict[str, str]:
    """Make the artifacts to compare with the demo's options; return their addresses."""
    program = Path(sys.executable).with_name("rc")

    def rc(verb: str, *options: str) -> str:
        command = [str(program), verb, "--store", str(store), "-q", *options]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout.split()[0]

    rc("ingest", world["scenes"])
    rc("extract-concepts", "--min-frequency", "3")
    model, weights = f"{world['data']}/teacher_model.json", f"{world['data']}/teacher.safetensors"
    rc("pretrain", "--model", model, "--pretrained", weights, "--steps", "0")
    addresses = {"embeddings": rc("embed-concepts")}
    sizes = [option for side in (24, 40, 64, 112) for option in ("--anchor-sizes", str(side))]
    resized = ["--resize", "256x320", "--weights", f"{world['data']}/rpn.safetensors"]
    rc("train-rpn", *resized, *sizes, "--steps", "0")
    rc("propose", "--top-k", "50", "--min-size", "12")
    features = ["--no-whole-image", "--dtype", "float32"]
    addresses["teacher"] = rc("featurize", *features, "--resize", "192x400")
    addresses["another size"] = rc("featurize", *features, "--resize", "224x400")
    rc("label", "--features", addresses["teacher"], "--temperature", "0.01")
    train = ["--freeze", "none", "--optimiser", "adamw", "--learning-rate", "0.0005"]
    train += ["--resize", "192x400", "--images-per-batch", "8", "--steps", str(steps)]
    student = rc("train", *train, "--temperature", "0.05", "--schedule", "cosine")
    addresses["a student"] = rc("featurize", *features, "--resize", "192x400", "--teacher", student)
    return addresses


def matrix(store: Path, address: str, column: str, order: str) -> torch.Tensor:
    """A column of vectors as (N, D) float64 unit rows."""
    with connect(store, [address]) as connection:
        name = address.split("/")[0].split("@")[0]
        rows = query(connection, f"SELECT {column} FROM {name} ORDER BY {order}").fetchall()
    vectors = torch.from_numpy(np.array([row[0] for row in rows], dtype=np.float64))
    return torch.nn.functional.normalize(vectors, dim=1)


def full_distillation(
    regions: torch.Tensor, embeddings: torch.Tensor, teacher: torch.Tensor, temperature: float
) -> torch.Tensor:
    """KL(teacher, student) from all probabilities (N, C) of the teacher; mean over regions."""
    log_student = (regions @ embeddings.T / temperature).log_softmax(dim=1)  # (N, C)
    divergence = torch.special.xlogy(teacher, teacher) - teacher * log_student
    loss: torch.Tensor = divergence.sum(dim=1).mean()
    return loss


def table(
    teacher: torch.Tensor, student: torch.Tensor, concepts: torch.Tensor, temperature: float
) -> str:
    """One line for each K: the loss relative to the full loss, and the error of the gradient.

    The mean error over regions is relative to the mean length of a gradient: a region with a
    certain and correct target has a gradient near zero, so its own relative error is large.
    """
    targets = (teacher @ concepts.T / temperature).softmax(dim=1)
    full, expected = gradient(
        student, lambda rows: full_distillation(rows, concepts, targets, temperature)
    )
    lines = [
        "| K | mass kept | loss, of the full | gradient error, mean | median of relative errors |",
        "|---|---|---|---|---|",
    ]
    for k in (*[k for k in KEPT if k < len(concepts)], len(concepts)):
        top = targets.topk(k, dim=1)
        mass = top.values.sum(dim=1)
        stored = (top.indices, top.values, (1 - mass).clamp(min=0))
        loss, actual = gradient(student, partial(_kept, concepts, stored, temperature))
        error, length = (actual - expected).norm(dim=1), expected.norm(dim=1)
        lines.append(
            f"| {k} | {mass.mean():.4f} | {loss / full:.4f} | {error.mean() / length.mean():.1e} "
            f"| {(error / length).median():.1e} |"
        )
    return "\n".join(lines)


def _kept(
    concepts: torch.Tensor,
    stored: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    temperature: float,
    rows: torch.Tensor,
) -> torch.Tensor:
    return distillation(rows, concepts, stored, temperature)


def gradient(
    student: torch.Tensor, loss: Callable[[torch.Tensor], torch.Tensor]
) -> tuple[float, torch.Tensor]:
    """A loss and its gradient to the regions (N, D)."""
    rows = student.clone().requires_grad_()
    value = loss(rows)
    return float(value.detach()), torch.autograd.grad(value, rows)[0]


if __name__ == "__main__":
    main()
