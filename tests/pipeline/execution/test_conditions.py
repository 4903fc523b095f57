from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import pytest

from pipeline import sql
from pipeline.execution.conditions import check_condition, rows_taking_part
from pipeline.store.artifact import stream
from schemas.errors import QueryError
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.base import Reads, each, option
from stages.train import Train
from tests.pipeline.helpers import make, make_all
from tests.pipeline.toys import Label
from tests.pipeline.toys import Train as ToyTrain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from pipeline.store.artifact import Artifact
    from stages.base import Part

pytestmark = pytest.mark.slow

LABELS = each(PSEUDO_LABELS, where="where", beside="suspicions")
FALLBACK = replace(LABELS, fallback=True)
SPELLINGS = (
    "kept",
    "pseudo_labels.kept",
    "kept = true",
    "kept IS TRUE",
    "NOT NOT kept",
    '"kept"',
    "(kept) AND true",
)


@dataclass(frozen=True, kw_only=True)
class Reading(ToyTrain):
    """A stage that reads pseudo-labels under a condition, and the others too if it needs them."""

    where: str | None = option("kept", "SQL condition on pseudo_labels")
    fall_back: bool = option(True, "on the other rows")

    reads: ClassVar[Mapping[str, Reads]] = {**ToyTrain.reads, "pseudo_labels": LABELS}

    def requires(self) -> Mapping[str, Reads]:
        labels = replace(LABELS, fallback=self.fall_back)
        return {**self.reads, "pseudo_labels": labels}


@dataclass(frozen=True, kw_only=True)
class Unsure(Label):
    """A stage that keeps no label."""

    temperature: float = option(1.0, "divides cosine similarity")

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        for rows in super().run(part):
            columns = {name: rows.column(name) for name in rows.schema.names}
            yield PSEUDO_LABELS.batch({**columns, "kept": [False] * rows.num_rows})


@pytest.fixture
def labels(root: Path) -> Artifact:
    return make_all(root)["pseudo_labels"]


def rows(labels: Artifact, condition: str | None, reads: Reads) -> list[tuple[str, int, bool]]:
    """Image, region and `kept` of each row that a stage reads."""
    stage = Train(where=condition)
    batches = (
        batch
        for number in labels.numbers
        for batch in rows_taking_part(stage, reads, labels, number, {})
    )
    return [(r["image_id"], r["region"], r["kept"]) for b in batches for r in b.to_pylist()]


def stored(labels: Artifact) -> list[tuple[str, int, bool]]:
    batches = stream(labels.files())
    return [(r["image_id"], r["region"], r["kept"]) for b in batches for r in b.to_pylist()]


@pytest.mark.parametrize("condition", SPELLINGS)
def test_however_it_is_spelled_a_condition_that_means_kept_falls_back(
    labels: Artifact, condition: str
) -> None:
    assert {kept for _, _, kept in stored(labels)} == {True, False}
    assert sql.means_kept(condition)
    assert rows(labels, condition, FALLBACK) == stored(labels)


@pytest.mark.parametrize("condition", SPELLINGS)
def test_without_a_fallback_only_rows_that_are_kept_are_read(
    labels: Artifact, condition: str
) -> None:
    expected = [row for row in stored(labels) if row[2]]
    assert rows(labels, condition, LABELS) == expected


@pytest.mark.parametrize(
    "condition",
    ["NOT kept", "kept = false", "true", "kept OR NOT kept", "kept AND region = 0", "region < 1"],
)
@pytest.mark.parametrize("reads", [LABELS, FALLBACK], ids=["strict", "fallback"])
def test_of_another_condition_the_rows_are_those_it_holds_for_and_all_are_kept(
    labels: Artifact, condition: str, reads: Reads
) -> None:
    holds = {
        "NOT kept": lambda region, kept: not kept,
        "kept = false": lambda region, kept: not kept,
        "kept AND region = 0": lambda region, kept: kept and region == 0,
        "region < 1": lambda region, kept: region < 1,
    }.get(condition, lambda region, kept: True)
    expected = [
        (image, region, True) for image, region, kept in stored(labels) if holds(region, kept)
    ]
    assert expected
    assert not sql.means_kept(condition)
    assert rows(labels, condition, reads) == expected


def test_no_condition_holds_for_every_row(labels: Artifact) -> None:
    assert rows(labels, None, FALLBACK) == [(*row[:2], True) for row in stored(labels)]


def test_an_empty_condition_is_refused(labels: Artifact) -> None:
    with pytest.raises(QueryError, match="--where is empty"):
        rows(labels, "", FALLBACK)


def test_a_condition_that_leaves_nothing_is_refused_unless_there_is_a_fallback(
    labels: Artifact,
) -> None:
    with pytest.raises(QueryError, match="holds for no row of"):
        check_condition(Train(where="region = 77"), FALLBACK, labels, {})
    assert check_condition(Train(where="kept = true"), FALLBACK, labels, {}) is None
    assert check_condition(Train(where=None), LABELS, labels, {}) is None


def test_that_no_label_is_kept_and_so_all_take_part_is_said(
    root: Path, labels: Artifact, caplog: pytest.LogCaptureFixture
) -> None:
    check_condition(Train(), FALLBACK, labels, {})
    assert caplog.text == ""
    unsure = make(Unsure(), root)
    assert {kept for _, _, kept in stored(unsure)} == {False}
    check_condition(Train(), FALLBACK, unsure, {})
    assert f"no row of {unsure.address} is kept, so rc train takes all of them" in caplog.text
    with pytest.raises(QueryError, match="holds for no row of"):
        check_condition(Train(if_none_kept="none"), LABELS, unsure, {})


def test_what_is_not_a_condition_is_refused_with_and_without_a_fallback(labels: Artifact) -> None:
    for reads in (LABELS, FALLBACK):
        with pytest.raises(QueryError, match="one SQL predicate"):
            check_condition(Train(where="kept; DROP TABLE x"), reads, labels, {})


def test_both_spellings_make_the_same_rows(root: Path, labels: Artifact) -> None:
    first, second = (make(Reading(where=text), root).manifest for text in ("kept", "kept = true"))
    assert first.notes == second.notes
    assert first.parts == second.parts
    strict = make(Reading(where="kept", fall_back=False), root).manifest
    assert strict.notes != first.notes


def test_the_trainer_asks_for_a_fallback_only_where_its_option_says_so() -> None:
    assert Train().requires()["pseudo_labels"] == FALLBACK
    assert Train(if_none_kept="none").requires()["pseudo_labels"] == LABELS


@pytest.mark.parametrize(
    "condition",
    ["cases.kept", "row_number() OVER () = 1", "1", "count(*) = 1", "NULL", "objectness"],
)
def test_what_is_not_about_kept_alone_does_not_mean_kept(condition: str) -> None:
    assert not sql.means_kept(condition)
