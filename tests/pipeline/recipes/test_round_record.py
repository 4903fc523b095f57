"""Agreement of a round, and the file that records all rounds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import pytest

from pipeline.recipes.recipe import Recipe, Step
from pipeline.recipes.recipe_rounds import Rounds
from pipeline.recipes.round_record import agreement, compared_labels, write_record
from schemas.errors import ArtifactError
from schemas.metrics import METRICS
from stages.base import Part, Reads, option
from stages.evaluation.metrics import Metric, metric_rows
from tests.pipeline.helpers import make
from tests.pipeline.toys import Ingest, Toy

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from pipeline.store.artifact import Artifact
    from schemas.table import Table


@dataclass(frozen=True, kw_only=True)
class Judge(Toy):
    """Metrics, or a count of labels that captions mention, as the options say."""

    top1: float = option(0.5, "the metric")
    agree: int = option(0, "labels of ten that agree; 0 notes nothing")

    name: ClassVar[str] = "evaluate"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {}
    writes: ClassVar[Table] = METRICS
    single_task: ClassVar[bool] = True

    def makes(self) -> Table:
        return Ingest.writes if self.agree else METRICS

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        if self.agree:
            part.count("captioned", {"kept": 10, "agree": self.agree})
            yield from Ingest(count=1).run(part)
            return
        yield metric_rows(
            [
                Metric("top1", "all", "dog", 0.9, 1),
                Metric("top1", "base", "", 0.8, 1),
                Metric("top1", "all", "", self.top1, 1),
            ]
        )


def recipe(agreement_of: str | None, metric: str = "top1") -> Recipe:
    rounds = Rounds("student", ("features",), agreement=agreement_of, metric=metric, count=2)
    steps = [
        Step("evaluate", name, swept={"seed": seed}, round=number)
        for number, name in ((1, "scores"), (2, "scores, round 2"))
        for seed in (0, 1)
    ]
    return Recipe(steps, rounds=rounds)


def labelled(*judged: Artifact) -> dict[str, str]:
    labels = [step.label for step in recipe("scores").steps]
    return dict(zip(labels, (artifact.address for artifact in judged), strict=False))


def test_the_agreement_of_a_round_is_the_mean_metric_over_all_categories(root: Path) -> None:
    made = [make(Judge(top1=value), root) for value in (0.25, 0.5, 0.75, 0.25)]
    addresses = labelled(*made)
    assert agreement(recipe("scores"), 1, addresses, root) == pytest.approx(0.375)
    assert agreement(recipe("scores"), 2, addresses, root) == pytest.approx(0.5)
    assert agreement(recipe(None), 1, addresses, root) is None
    assert agreement(recipe("scores"), 3, addresses, root) is None


def test_labels_are_compared_with_those_of_the_same_swept_values() -> None:
    rounds = Rounds("student", ("features",), labels="labels", count=3)
    steps = [Step("label", "labels")] + [
        Step("label", f"labels, round {number}", swept={"seed": seed}, round=number)
        for number in (2, 3)
        for seed in (0, 1)
    ]
    known = Recipe(steps, rounds=rounds)
    addresses = {step.label: f"address of {step.label}" for step in steps}
    first, (a2, b2), (a3, b3) = (
        addresses["labels"],
        [addresses[f"labels, round 2 [seed={seed}]"] for seed in (0, 1)],
        [addresses[f"labels, round 3 [seed={seed}]"] for seed in (0, 1)],
    )
    assert compared_labels(known, 2, addresses) == [(first, a2), (first, b2)]
    assert compared_labels(known, 3, addresses) == [(a2, a3), (b2, b3)]
    assert compared_labels(Recipe(steps), 2, addresses) == []
    del addresses["labels, round 2 [seed=0]"]
    assert compared_labels(known, 2, addresses) == [(first, b2)]


def test_of_labels_it_is_the_share_that_captions_mention(root: Path) -> None:
    addresses = labelled(make(Judge(agree=3), root), make(Judge(agree=8), root))
    assert agreement(recipe("scores"), 1, addresses, root) == pytest.approx(0.55)


def test_an_artifact_without_such_a_number_is_a_sentence(root: Path) -> None:
    metrics, images = make(Judge(), root), make(Ingest(count=2), root)
    with pytest.raises(ArtifactError, match="has no AP50 of all categories"):
        agreement(recipe("scores", "AP50"), 1, labelled(metrics), root)
    with pytest.raises(ArtifactError, match="has no agreement: the agreement of"):
        agreement(recipe("scores"), 1, labelled(images), root)


def test_a_record_says_all_rounds_and_which_is_the_result(tmp_path: Path) -> None:
    rounds = [{"round": 1, "agreement": 0.5}, {"round": 2, "agreement": 0.25}]
    file = write_record(tmp_path, "3f9c2a7e01bd", rounds, 1)
    assert file == tmp_path / "rounds" / "3f9c2a7e01bd.json"
    first = file.read_bytes()
    assert json.loads(first) == {"best": 1, "rounds": rounds}
    assert write_record(tmp_path, "3f9c2a7e01bd", rounds, 1).read_bytes() == first
    assert [path.name for path in file.parent.iterdir()] == [file.name]
