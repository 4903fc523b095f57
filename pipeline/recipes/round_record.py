"""The record of a recipe's rounds: artifacts, agreement, and how labels changed, as JSON.

It lies in the store, as rounds/<digits of the first student>.json. Equal runs write equal records.
"""

from __future__ import annotations

import json
from statistics import fmean
from typing import TYPE_CHECKING, Any

from pipeline.recipes.recipe_rounds import round_name
from pipeline.store import catalog
from pipeline.store.artifact import stream
from pipeline.store.atomic import make_folder, sweep_drafts, whole_or_absent
from schemas.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from pipeline.recipes.recipe import Recipe, Step
    from pipeline.store.artifact import Artifact


def steps_of(recipe: Recipe, name: str | None, number: int, labels: Collection[str]) -> list[Step]:
    """A step in a round, for each combination of swept values; only those with these labels."""
    if name is None:
        return []
    named = round_name(name, number)
    return [step for step in recipe.steps if step.name == named and step.label in labels]


def compared_labels(
    recipe: Recipe, number: int, addresses: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Addresses of labels of the round before, and of those of a round, for the same swept values.

    Of the first round there may be fewer: a student's seed decides the labels of the next one only.
    """
    name = recipe.rounds.labels if recipe.rounds else None
    return [
        (addresses[before.label], addresses[step.label])
        for step in steps_of(recipe, name, number, addresses)
        for before in steps_of(recipe, name, number - 1, addresses)
        if before.swept.items() <= step.swept.items()
    ]


def agreement(
    recipe: Recipe, number: int, addresses: Mapping[str, str], root: Path
) -> float | None:
    """What must not fall from one round to the next, in [0, 1]; the mean over swept values.

    Returns:
        Of labels, the share of the kept whose concept a caption of their image mentions; of an
        evaluation, its metric over all categories; None if the recipe does not say.

    Raises:
        ArtifactError: If the step has no such number.
    """
    rounds = recipe.rounds
    if rounds is None:
        return None
    values = [
        _agreement_of(catalog.find(root, addresses[step.label]), rounds.metric)
        for step in steps_of(recipe, rounds.agreement, number, addresses)
    ]
    return fmean(values) if values else None


def write_record(root: Path, name: str, rounds: Sequence[Mapping[str, Any]], best: int) -> Path:
    """Write the record under a name; return its file.

    Args:
        root: The store.
        name: Of the file, without its end.
        rounds: What is known of each round.
        best: Number of the round whose student is the result.
    """
    file = root / "rounds" / f"{name}.json"
    make_folder(file.parent)
    sweep_drafts(file.parent, file.name)
    content = {"best": best, "rounds": list(rounds)}
    with whole_or_absent(file) as draft:
        draft.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return file


def _agreement_of(artifact: Artifact, metric: str) -> float:
    if artifact.manifest.artifact == "metrics":
        rows = (row for batch in stream(artifact.files()) for row in batch.to_pylist())
        for row in rows:
            if (row["metric"], row["split"], row["category"]) == (metric, "all", ""):
                return float(row["value"])
        raise ArtifactError(f"{artifact.address} has no {metric} of all categories; [rounds] asks")
    captioned = artifact.manifest.notes.get("captioned")
    if not captioned:
        raise ArtifactError(
            f"{artifact.address} has no agreement: the agreement of [rounds] is an evaluation, or "
            f"labels that know what captions mention (--mentions)"
        )
    return float(captioned["agree"] / captioned["kept"])
