"""The time of `rc label --from-images` relative to that of `rc featurize`, for the same images.

Rows of both are discarded: that featurize also writes, hashes and indexes vectors does not count.
Run as `python -m benchmarks.label_from_images`. With --memory, the peak resident size of both is
printed instead, for N and 8 N images.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from benchmarks.featurize import OnDisk, clock, make_part, peak, teacher_files
from benchmarks.label import make_pool
from stages.featurize import Featurize
from stages.label import Label
from stages.models.clip import load_clip

if TYPE_CHECKING:
    from stages.base import Stage

VERBS = ("featurize", "label")


def make_labelled_part(folder: Path, args: argparse.Namespace, images: int) -> OnDisk:
    """Random JPEGs with random boxes, a random teacher, and a random pool in its width."""
    part = make_part(folder, images, args.regions, args.model)
    width = load_clip(*teacher_files(part), args.device).width
    part.tables["embeddings"] = make_pool(args.concepts, width, np.random.default_rng(0))
    part.tables["proposals"] = pq.read_table(part.parquet["proposals"])
    return part


def make_stage(verb: str, args: argparse.Namespace) -> Stage:
    """A verb, as the arguments ask for it."""
    if verb == "featurize":
        return Featurize(resize=args.resize, device=args.device, threads=1)
    return Label(
        from_images=True, resize=args.resize, device=args.device, threads=1, temperature=0.01
    )


def seconds(part: OnDisk, stage: Stage) -> float:
    """Seconds of a whole stage; its rows are discarded."""
    started = clock(stage.device)
    for _ in stage.run(part):
        pass
    return clock(stage.device) - started


def main(words: list[str] | None = None) -> None:
    """Print the ratio of the times, or the peak memory."""
    args = _parse_arguments(words)
    if args.peak_of:
        _print_peak(args)
    elif args.memory:
        _memory(sys.argv[1:] if words is None else words, args.images)
    else:
        _ratio(args)


def _ratio(args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        part = make_labelled_part(Path(folder), args, args.images)
        stages = [make_stage(verb, args) for verb in VERBS]
        seconds(part, stages[1])  # warm-up
        rounds = [[seconds(part, stage) for stage in stages] for _ in range(args.rounds)]
    ratios = [labelled / featurized for featurized, labelled in rounds]
    featurized, labelled = (min(times) for times in zip(*rounds, strict=True))
    print(f"{args.model} {args.resize}, {args.images} images x {args.regions}, ", end="")
    print(f"{args.concepts} concepts, {args.device}")
    print(f"rc featurize {featurized:.2f} s, rc label --from-images {labelled:.2f} s")
    print(f"ratio {statistics.median(ratios):.3f}, of rounds {[round(r, 3) for r in ratios]}")


def _memory(words: list[str], images: int) -> None:
    """Each stage in a process of its own."""
    for count in (images, images * 8):
        for verb in VERBS:
            command = [sys.executable, "-m", "benchmarks.label_from_images", *words]
            command += ["--peak-of", verb, "--images", str(count)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            print(f"{verb}, {count} images: {done.stdout.strip()}")


def _print_peak(args: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        part = make_labelled_part(Path(folder), args, args.images)
        before = peak()
        seconds(part, make_stage(args.peak_of, args))
        print(f"peak {peak()} MB, {before} MB of it before the stage")


def _parse_arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--regions", type=int, default=100, help="per image")
    parser.add_argument("--concepts", type=int, default=4764)
    parser.add_argument("--model", default="RN50", help="open_clip's name, or a JSON file")
    parser.add_argument("--resize", default="320x533")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory", action="store_true", help="peak memory at N and 8 N images")
    parser.add_argument("--peak-of", choices=VERBS, help="print the peak memory of one alone")
    return parser.parse_args(words)


if __name__ == "__main__":
    main()
