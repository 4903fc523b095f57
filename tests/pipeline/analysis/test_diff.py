"""Comparing two sets of pseudo-labels: counts against a loop, examples, and what is refused."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
import pytest

from pipeline import sql
from pipeline.analysis import diff
from schemas.errors import ArtifactError, OptionError
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.base import Part, Reads, Stage, each
from stages.select import Select
from tests.pipeline.helpers import make, make_all

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipeline.store.artifact import Artifact
    from schemas.table import Table


@dataclass(frozen=True, kw_only=True)
class ChangedLabels(Stage):
    """The labels, with another concept for every other region."""

    name: ClassVar[str] = "label"
    version: ClassVar[int] = 99
    reads: ClassVar[Mapping[str, Reads]] = {"pseudo_labels": each(PSEUDO_LABELS)}
    writes: ClassVar[Table] = PSEUDO_LABELS

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        for rows in part.batches("pseudo_labels"):
            ids = (rows.column("concept_id").to_numpy() + rows.column("region").to_numpy() % 2) % 2
            yield rows.set_column(2, "concept_id", pa.array(ids, pa.int32()))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    return make_all(tmp_path_factory.mktemp("diff") / "store", count=12)


@pytest.mark.slow
def test_a_difference_equals_a_loop_over_the_labels(tmp_path: Path) -> None:
    first = make_all(tmp_path, count=6)["pseudo_labels"]
    second = make(ChangedLabels(), tmp_path)
    names = [a.address.replace("/v3-", "@") for a in (first, second)]
    difference = diff.diff_labels(tmp_path, *names)
    rows = []
    for name in names:
        with sql.connect(tmp_path, names=[name]) as connection:
            result = sql.query(connection, f"SELECT image_id, region, concept, kept FROM {name}")
            labels = sql.batches(result).read_all().to_pylist()
        rows.append({(r["image_id"], r["region"]): r for r in labels})
    same = [rows[0][key]["concept"] == rows[1][key]["concept"] for key in rows[0]]
    (summary,) = difference.summary.to_pylist()
    assert summary["shared"] == summary["first_labels"] == len(same)
    assert summary["second_labels"] == len(same)
    assert summary["agreement"] == pytest.approx(sum(same) / len(same))
    assert sum(row["regions"] for row in difference.moved.to_pylist()) == len(same) - sum(same)
    assert json.loads(json.dumps(diff.as_json(difference)))["first"] == first.address


@pytest.mark.slow
def test_labels_compared_with_themselves_agree_everywhere(made: dict[str, Artifact]) -> None:
    name = made["pseudo_labels"].manifest.fingerprint[:8]
    difference = diff.diff_labels(made["images"].root, name, f"pseudo_labels@{name}")
    assert difference.summary.to_pylist()[0]["agreement"] == 1
    assert (
        difference.moved.num_rows,
        difference.examples.num_rows,
        difference.concepts.num_rows,
    ) == (0, 0, 0)


@pytest.mark.slow
def test_artifacts_that_cannot_be_compared_are_refused(made: dict[str, Artifact]) -> None:
    root = made["images"].root
    with pytest.raises(OptionError, match="is no pseudo_labels"):
        diff.diff_labels(root, "images@00", "pseudo_labels")
    make(
        Select(called="here", where="region = 0"),
        root,
        {"pseudo_labels": made["pseudo_labels"].address},
    )
    make(
        Select(called="there", where="region = 1"),
        root,
        {"pseudo_labels": made["pseudo_labels"].address},
    )
    with pytest.raises(ArtifactError, match="no region in common"):
        diff.diff_labels(root, "here", "there")


def labels_of(root: Path, name: str) -> dict[tuple[str, int], dict[str, Any]]:
    with sql.connect(root, names=[name]) as connection:
        rows = sql.batches(sql.query(connection, f"FROM {name}")).read_all().to_pylist()
    return {(row["image_id"], row["region"]): row for row in rows}


@pytest.mark.slow
def test_moves_examples_and_concepts_equal_a_loop_over_the_labels(tmp_path: Path) -> None:
    first = make_all(tmp_path, count=6)["pseudo_labels"]
    second = make(ChangedLabels(), tmp_path)
    names = [artifact.address.replace("/v3-", "@") for artifact in (first, second)]
    difference = diff.diff_labels(tmp_path, *names)
    before, after = (labels_of(tmp_path, name) for name in names)
    changes = Counter(
        (before[key]["concept"], after[key]["concept"])
        for key in before
        if before[key]["concept"] != after[key]["concept"]
    )
    assert changes
    moved = difference.moved.to_pylist()
    assert {(r["from_concept"], r["to_concept"]): r["regions"] for r in moved} == changes
    assert [r["regions"] for r in moved] == sorted(changes.values(), reverse=True)
    examples = {(r["from_concept"], r["to_concept"]): r for r in difference.examples.to_pylist()}
    assert set(examples) == set(changes)
    for (old, new), example in examples.items():
        surest = max(
            min(before[key]["probability"], after[key]["probability"])
            for key in before
            if (before[key]["concept"], after[key]["concept"]) == (old, new)
        )
        assert min(example["from_probability"], example["to_probability"]) == surest
    counts = [Counter(row["concept"] for row in labels.values()) for labels in (before, after)]
    for row in difference.concepts.to_pylist():
        assert (row["first_regions"], row["second_regions"]) == tuple(
            count[row["concept"]] for count in counts
        )


@pytest.mark.slow
def test_regions_are_paired_by_box_so_a_selection_shares_its_labels(
    made: dict[str, Artifact],
) -> None:
    root, whole = made["images"].root, made["pseudo_labels"]
    some = make(Select(called="odd", where="region = 1"), root, {"pseudo_labels": whole.address})
    (summary,) = diff.diff_labels(root, whole.address, "odd").summary.to_pylist()
    assert summary["shared"] == summary["second_labels"] == some.manifest.rows
    assert summary["first_labels"] == whole.manifest.rows
    assert (summary["agreement"], summary["mean_change"]) == (1, 0)
