"""What became of every tensor of an imported file: used, unused, or not in it but made up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SHOWN = 6  # prefixes told on the command line


@dataclass(frozen=True)
class KeyReport:
    """Names in the file, and of what the network needs beside it.

    Attributes:
        layout: Whose names the file has.
        used: Names in the file of what was loaded.
        unused: Names in the file of what has no place in the network asked for.
        missing: Names of what the network has, the file lacks, and a constant stands for.
    """

    layout: str
    used: Sequence[str]
    unused: Sequence[str]
    missing: Sequence[str] = ()

    def also_used(self, names: Iterable[str]) -> KeyReport:
        """The same, with some of `unused` used after all."""
        taken = set(names)
        left = [name for name in self.unused if name not in taken]
        return replace(self, used=[*self.used, *sorted(taken)], unused=left)

    def note(self) -> dict[str, Any]:
        """For a manifest: counts, and every name under its prefix."""
        parts = {"used": self.used, "unused": self.unused, "missing": self.missing}
        counts = {word: len(names) for word, names in parts.items()}
        grouped = {word: _by_prefix(names) for word, names in parts.items()}
        return {"layout": self.layout, "counts": counts, **grouped}

    def lines(self) -> list[str]:
        """For people: a sentence each for used, unused and missing."""
        told = [f"{self.layout} names: {len(self.used)} tensors used ({_told(self.used)})"]
        if self.unused:
            told.append(f"{len(self.unused)} not used ({_told(self.unused)})")
        if self.missing:
            counts = Counter(name.rpartition(".")[2] for name in self.missing)
            told.append(
                f"{len(self.missing)} not in the file, constants stand for them ({_list(counts)})"
            )
        return told


def _by_prefix(names: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in sorted(names):
        prefix, dot, rest = name.partition(".")
        found.setdefault(prefix if dot else "", []).append(rest if dot else name)
    return found


def _told(names: Iterable[str]) -> str:
    return _list(Counter(name.partition(".")[0] for name in names))


def _list(counts: Counter[str]) -> str:
    shown = [f"{prefix} {count}" for prefix, count in counts.most_common(_SHOWN)]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} more kinds" if more > 0 else "") or "none"
