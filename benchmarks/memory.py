"""Peak memory of the stages that see all images, at 1 and 8 times the images.

    python benchmarks/memory.py [--images 60] [--times 8] [--part-images N]

Uses synthetic scenes and the command line, one process per stage; the table shows the peak resident
memory of each process. By default all images are in one part, so that the part grows with them. The
exit code is 1 if a stage needs more than 10 % and 30 MB above its need for the smaller number.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

DATA = Path(__file__).parents[1] / "data" / "demo"
MEASURED = ("ingest", "extract-concepts", "featurize", "label", "label --from-images")
# The kernel also counts the memory of the parent at the start: the parent must be small.
_SMALL_PARENT = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
SHARE, MEGABYTES = 0.10, 30.0  # allowed growth


def main(words: list[str] | None = None) -> int:
    """Measure and print; 1 if memory grows with the number of images."""
    arguments = _parse_arguments(words)
    with tempfile.TemporaryDirectory(prefix="rc-memory-") as folder:
        small = measure(Path(folder) / "small", arguments.images, arguments)
        large = measure(Path(folder) / "large", arguments.images * arguments.times, arguments)
    counts = f"{arguments.images:>6} im. {arguments.images * arguments.times:>6} im."
    print(f"{'peak resident MB':<18} {counts} {'growth':>8} {'allowed':>8}  result")
    bad = 0
    for verb in MEASURED:
        growth, allowed = large[verb] - small[verb], SHARE * small[verb] + MEGABYTES
        bad += growth > allowed
        print(
            f"{verb:<18} {small[verb]:>10.0f} {large[verb]:>10.0f} {growth:>8.0f} "
            f"{allowed:>8.0f}  {'GROWS' if growth > allowed else 'ok'}"
        )
    return int(bad > 0)


def measure(folder: Path, images: int, arguments: argparse.Namespace) -> dict[str, float]:
    """Peak memory of each stage in megabytes, by verb."""
    rc, store = shlex.split(arguments.rc), ["--store", str(folder / "store"), "--quiet"]
    peak([*rc, "draw", "scenes", str(folder / "scenes"), "--count", str(images)])
    cut = ["--part-images", str(arguments.part_images)] if arguments.part_images else []
    teacher = [
        f"--model={DATA / 'teacher_model.json'}",
        f"--pretrained={DATA / 'teacher.safetensors'}",
        "--steps=0",
    ]
    commands = {
        "ingest": [str(folder / "scenes"), *cut],
        "extract-concepts": ["--min-frequency", "2"],
        "pretrain": teacher,
        "embed-concepts": [],
        "propose": ["--grid", "--regions", "20"],
        "featurize": ["--resize", "192x400"],
        "label": [],
        "label --from-images": ["--resize", "192x400"],
    }
    return {verb: peak([*rc, *verb.split(), *words, *store]) for verb, words in commands.items()}


def peak(command: list[str]) -> float:
    """Run a command to its end; return the peak memory of its process in megabytes."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", _SMALL_PARENT, *command], stdout=subprocess.PIPE, check=False
    )
    if done.returncode:
        raise SystemExit(f"{shlex.join(command)} ended with code {done.returncode}")
    return int(done.stdout) / 1024  # kilobytes on Linux


def _parse_arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Peak memory at two numbers of images.")
    parser.add_argument("--images", type=int, default=60, help="the smaller number")
    parser.add_argument("--times", type=int, default=8, help="factor between the two numbers")
    parser.add_argument("--part-images", type=int, help="images of a part; default: all in one")
    rc = str(Path(sys.executable).with_name("rc"))  # of the same environment
    parser.add_argument("--rc", default=rc, help="the command to run")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
