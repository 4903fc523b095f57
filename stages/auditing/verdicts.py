"""What several reviewers say of one label, and how far they agree.

Source: Cohen, "A coefficient of agreement for nominal scales" (1960).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

Label = tuple[str, int]  # image and region


@dataclass(frozen=True)
class Agreement:
    """Of two reviewers, over the labels that both decided.

    Attributes:
        reviewers: Their names.
        labels: How many both decided.
        share: Of these, on which they agree.
        kappa: Agreement beyond chance, at most 1; None where chance alone would be sure.
    """

    reviewers: tuple[str, str]
    labels: int
    share: float
    kappa: float | None

    def text(self) -> str:
        """A sentence.

        >>> Agreement(("", "ann"), 20, 0.9, 0.75).text()
        '(no name) and ann agree on 90% of 20 labels, kappa 0.75'
        """
        first, second = (reviewer or "(no name)" for reviewer in self.reviewers)
        kappa = "" if self.kappa is None else f", kappa {self.kappa:.2f}"
        return f"{first} and {second} agree on {self.share:.0%} of {self.labels} labels{kappa}"


def keys_of(rows: pa.Table) -> list[Label]:
    """Image and region of each row."""
    return list(zip(rows["image_id"].to_pylist(), rows["region"].to_pylist(), strict=True))


def decided(verdicts: Iterable[tuple[Label, str, str]]) -> tuple[dict[Label, bool], int]:
    """Whether each label is right, by the majority of its reviewers, and how many are open.

    Args:
        verdicts: Label, reviewer, and one of `schemas.reviews.VERDICTS`.

    Returns:
        The labels that a majority calls right or wrong, and the number of others: those of equal
        numbers of voices, and those that all are unsure of.
    """
    voices: dict[Label, list[bool]] = {}
    for label, _, verdict in verdicts:
        voices.setdefault(label, []).extend([] if verdict == "unsure" else [verdict == "right"])
    sure = {label: 2 * sum(said) - len(said) for label, said in voices.items()}
    return {label: lead > 0 for label, lead in sure.items() if lead}, list(sure.values()).count(0)


def agreements(verdicts: Iterable[tuple[Label, str, str]]) -> list[Agreement]:
    """Of every two reviewers with a label that both decided, by name."""
    of: dict[str, dict[Label, bool]] = {}
    for label, reviewer, verdict in verdicts:
        if verdict != "unsure":
            of.setdefault(reviewer, {})[label] = verdict == "right"
    pairs = combinations(sorted(of), 2)
    return [
        _agreement((a, b), [(of[a][one], of[b][one]) for one in both])
        for a, b in pairs
        if (both := sorted(of[a].keys() & of[b].keys()))
    ]


def _agreement(reviewers: tuple[str, str], said: list[tuple[bool, bool]]) -> Agreement:
    share = sum(a == b for a, b in said) / len(said)
    first, second = (sum(pair[i] for pair in said) / len(said) for i in (0, 1))
    chance = first * second + (1 - first) * (1 - second)
    kappa = (share - chance) / (1 - chance) if chance < 1 else None
    return Agreement(reviewers, len(said), share, kappa)
