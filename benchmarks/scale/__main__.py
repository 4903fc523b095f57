"""Times commands on stores of 1,000, 10,000 and 100,000 parts, as whole processes.

    python -m benchmarks.scale                             # a table; about half an hour
    python -m benchmarks.scale --page docs/scale.md        # and the page
    python -m benchmarks.scale --parts 1000 --rounds 3

The exit code is 1 if a command grows faster than parts to the power of 1.05, or needs more than
1 GB.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from benchmarks.scale.many_parts import IMAGES, make_many_parts, make_one_part
from benchmarks.scale.measuring import COMMANDS, Cost, cost, slope
from benchmarks.scale.page import page

STEEPEST, MOST_MB = 1.05, 1000.0


def main(words: list[str] | None = None) -> int:
    """Measure, print, write the page; 1 if a goal is missed."""
    arguments = _parse_arguments(words)
    kept = arguments.folder
    with nullcontext(kept) if kept else tempfile.TemporaryDirectory(prefix="rc-scale-") as name:
        folder = Path(name)
        one = folder / "one"
        if not one.exists():
            make_one_part(folder, arguments.images)
        costs: dict[str, dict[int, Cost]] = {command: {} for command in COMMANDS}
        for count in (1, *arguments.parts):
            store = folder / f"parts-{count}"
            if not store.exists():
                make_many_parts(one, store, count)
            for command, command_words in COMMANDS.items():
                costs[command][count] = measured = cost(command_words, store, arguments.rounds)
                print(
                    f"{count:>7,} parts  {command:<20} {measured.cpu_s:8.2f} s CPU "
                    f"{measured.wall_s:8.2f} s {measured.peak_mb:7.0f} MB",
                    flush=True,
                )
        if arguments.page:
            arguments.page.write_text(page(costs, one), "utf-8")
    missed = [name for name, by_parts in costs.items() if not _meets(by_parts)]
    print(f"goals missed by: {', '.join(missed) or 'none'}")
    return int(bool(missed))


def _meets(costs: dict[int, Cost]) -> bool:
    steepness = slope(costs)
    return (steepness or 0) <= STEEPEST and max(one.peak_mb for one in costs.values()) <= MOST_MB


def _parse_arguments(words: list[str] | None) -> argparse.Namespace:
    assert __doc__
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scale",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--parts", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=1, help="of each command; the least counts")
    parser.add_argument("--images", type=int, default=IMAGES, help="of a part")
    parser.add_argument("--folder", type=Path, help="keep the stores here, and use those there")
    parser.add_argument("--page", type=Path, help="write the page to this file")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
