"""Try what the program withstands, and print how much of it held.

    python -m benchmarks.reliability                  # all sections, under 40 minutes on two cores
    python -m benchmarks.reliability --only damage    # one of them; --short tries a few cases
    python -m benchmarks.reliability --page docs/reliability.md

Every section lists the kinds of its cases with tried, held and failed; every failed case is printed
with what was wrong. The exit code is 1 if a case failed.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from benchmarks.reliability.section import Count, Section

SECTIONS: tuple[str, ...] = (
    "crashes",
    "disk_full",
    "damage",
    "hostile",
    "concurrency",
    "soak",
)
_TITLE = """# Reliability

What was tried to break the program, and how much of it held. Made by
`python -m benchmarks.reliability --page docs/reliability.md`; a short form of each section is in
`make test`.
"""


def main(words: list[str] | None = None) -> int:
    """Run sections; 1 if a case failed."""
    arguments = _parse_arguments(words)
    page, failed = [_TITLE], 0
    for name in arguments.only or SECTIONS:
        section = cast("Section", importlib.import_module(f"benchmarks.reliability.{name}"))
        with tempfile.TemporaryDirectory(prefix="rc-reliability-") as folder:
            counts = section.trials(Path(folder), short=arguments.short)
        text = table(section, counts)
        page.append(text)
        print(text, flush=True)
        failed += sum(len(count.failures) for count in counts.values())
    if arguments.page:
        arguments.page.write_text("\n".join(page), "utf-8")
    return int(failed > 0)


def table(section: Section, counts: dict[str, Count]) -> str:
    """A section of the page: title, what it is about, a row for each kind, the failed cases."""
    lines = [f"## {section.TITLE}", "", section.ABOUT, ""]
    lines += ["| | tried | held | failed |", "|---|---|---|---|"]
    for kind, count in counts.items():
        lines.append(f"| {kind} | {count.tried:,} | {count.held:,} | {len(count.failures):,} |")
    tried, held = (sum(getattr(c, name) for c in counts.values()) for name in ("tried", "held"))
    seconds = sum(count.seconds for count in counts.values())
    lines.append(f"| **together** | **{tried:,}** | **{held:,}** | **{tried - held:,}** |")
    lines += ["", f"{seconds:,.0f} seconds.", ""]
    lines += [f"* {failure}" for count in counts.values() for failure in count.failures]
    return "\n".join(lines).rstrip() + "\n"


def _parse_arguments(words: list[str] | None) -> argparse.Namespace:
    assert __doc__
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reliability",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", action="append", choices=SECTIONS, help="sections, default all")
    parser.add_argument("--short", action="store_true", help="a few cases of each kind")
    parser.add_argument("--page", type=Path, help="write the tables to this file")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
