"""A report on every tensor of an import: used, unused, or missing in the file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SHOWN = 6  # prefixes printed on the command line


@dataclass(frozen=True)
class KeyReport:
    """Names of tensors in the file, and of those that the network needs and the file lacks.

    Attributes:
        layout: Whose naming the file follows.
        used: Names in the file of tensors that were loaded.
        unused: Names in the file of tensors that the network does not have.
        missing: Names of tensors of the network that are not in the file; constants fill them.
    """

    layout: str
    used: Sequence[str]
    unused: Sequence[str]
    missing: Sequence[str] = ()

    def also_used(self, names: Iterable[str]) -> KeyReport:
        """A report in which some of the `unused` names are used."""
        used = set(names)
        unused = [name for name in self.unused if name not in used]
        return replace(self, used=[*self.used, *sorted(used)], unused=unused)

    def note(self) -> dict[str, Any]:
        """A note for a manifest: counts, and every name under its prefix."""
        parts = {"used": self.used, "unused": self.unused, "missing": self.missing}
        counts = {word: len(names) for word, names in parts.items()}
        grouped = {word: _by_prefix(names) for word, names in parts.items()}
        return {"layout": self.layout, "counts": counts, **grouped}

    def lines(self) -> list[str]:
        """Sentences for people: one each for used, unused and missing."""
        lines = [f"{self.layout} names: {len(self.used)} tensors used ({_prefixes(self.used)})"]
        if self.unused:
            lines.append(f"{len(self.unused)} not used ({_prefixes(self.unused)})")
        if self.missing:
            counts = Counter(name.rpartition(".")[2] for name in self.missing)
            lines.append(
                f"{len(self.missing)} not in the file, constants stand for them "
                f"({_counted(counts)})"
            )
        return lines


def _by_prefix(names: Iterable[str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        prefix, dot, rest = name.partition(".")
        groups.setdefault(prefix if dot else "", []).append(rest if dot else name)
    return groups


def _prefixes(names: Iterable[str]) -> str:
    return _counted(Counter(name.partition(".")[0] for name in names))


def _counted(counts: Counter[str]) -> str:
    shown = [f"{prefix} {count}" for prefix, count in counts.most_common(_SHOWN)]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f" and {more} more kinds" if more > 0 else "") or "none"
