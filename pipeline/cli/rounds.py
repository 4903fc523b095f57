"""Rounds of `rc run`: how each differs from the one before, and whether it is the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from pipeline.recipes.round_record import agreement, compared_labels, steps_of, write_record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.recipes.recipe import Recipe


class RoundHistory:
    """What came out of the rounds of a recipe so far."""

    def __init__(self, recipe: Recipe, root: Path) -> None:
        self._recipe = recipe
        self._root = root
        self._rounds: list[dict[str, Any]] = []

    def add(self, number: int, addresses: Mapping[str, str]) -> bool:
        """Judge a finished round, say and record how it differs; whether to go on.

        If it is worse than the round before, the artifacts of that one are made the newest again.
        """
        spec, previous = self._recipe.rounds, self._rounds[-1] if self._rounds else None
        if spec is None:
            return True
        value = agreement(self._recipe, number, addresses, self._root)
        artifacts = {s.label: addresses[s.label] for s in self._recipe.of_round(number, addresses)}
        changes = [] if previous is None else self._changes(number, addresses)
        this = {"round": number, "agreement": value, "artifacts": artifacts, "labels": changes}
        self._rounds.append(this)
        before = previous["agreement"] if previous else None
        fell = value is not None and before is not None and value < before
        if previous:
            typer.echo(f"== round {number}: {_sentence(changes, before, value)}", err=True)
        self._record(addresses, number - 1 if fell else number)
        if fell and previous:
            typer.echo(
                f"== round {number} agrees less, so it is the last, and round {number - 1} is the "
                f"result",
                err=True,
            )
            self._make_newest(previous["artifacts"])
        return not fell

    def _changes(self, number: int, addresses: Mapping[str, str]) -> list[dict[str, Any]]:
        """How the labels of a round differ from those of the round before."""
        from pipeline.analysis import diff

        pairs = compared_labels(self._recipe, number, addresses)
        return [diff.as_json(diff.diff_labels(self._root, *pair)) for pair in pairs]

    def _record(self, addresses: Mapping[str, str], best: int) -> None:
        spec = self._recipe.rounds
        students = steps_of(self._recipe, spec.student if spec else None, 1, addresses)
        if students:
            name = addresses[students[0].label].split("-")[-1]
            file = write_record(self._root, name, self._rounds, best)
            if len(self._rounds) > 1:
                typer.echo(f"rounds: {file}", err=True)

    def _make_newest(self, artifacts: Mapping[str, str]) -> None:
        from pipeline.store import recency

        for address in artifacts.values():
            recency.record(self._root / address)


def _sentence(changes: list[dict[str, Any]], before: float | None, value: float | None) -> str:
    """How much the labels of this round are those of the one before, and how well they agree."""
    words = []
    for change in changes:
        kept = change["agreement_of_kept"]
        of_kept = "" if kept is None else f" ({kept:.1%} of those kept in both)"
        words.append(f"{change['agreement']:.1%} of the labels are as before{of_kept}")
    if before is not None and value is not None:
        words.append(f"agreement {before:.1%} → {value:.1%}")
    return "; ".join(words) or "finished"
