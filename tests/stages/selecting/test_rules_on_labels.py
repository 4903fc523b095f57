"""Rules applied to labels: renamed, left out, or told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from schemas.errors import OptionError
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.selecting.rules_file import LabelRules
from stages.selecting.rules_on_labels import RulesOnLabels
from tests.stages.selecting.test_changed_labels import random_row

if TYPE_CHECKING:
    from stages.selecting.changed_labels import Row

POOL = {"sofa": 0, "couch": 1, "photo": 2, "wolf": 3, "husky": 4, "dog": 5}


def label(top: dict[str, float], **more: Any) -> Row:
    (best, chance), *_ = top.items()
    row, _ = random_row(len(top))
    return row | {
        "concept_id": POOL[best],
        "probability": chance,
        "top_ids": [POOL[name] for name in top],
        "top_probabilities": list(top.values()),
        **more,
    }


def apply(rules: LabelRules, *rows: Row) -> tuple[list[Row], RulesOnLabels]:
    ruled = RulesOnLabels(rules, POOL, exclusive=True)
    batch = pa.RecordBatch.from_pylist(list(rows), schema=PSEUDO_LABELS.arrow)
    after = ruled.of(batch)
    PSEUDO_LABELS.check(after)
    return after.to_pylist(), ruled


def test_each_rule_is_about_its_concepts_alone() -> None:
    rules = LabelRules({"sofa": "couch"}, ("photo",), (("wolf", "husky"),), 0.1)
    rows, ruled = apply(
        rules,
        label({"sofa": 0.5, "couch": 0.25, "dog": 0.125}, region=0),
        label({"photo": 0.9, "dog": 0.05}, region=1),
        label({"wolf": 0.5, "husky": 0.45}, region=2),
        label({"wolf": 0.5, "husky": 0.25}, region=3),
        label({"dog": 0.5, "husky": 0.45}, region=4),
        label({"husky": 0.5, "dog": 0.45, "wolf": 0.01}, region=5),
    )
    assert [row["region"] for row in rows] == [0, 3, 4, 5]
    assert rows[0]["concept_id"] == POOL["couch"]
    assert (rows[0]["probability"], rows[0]["margin"]) == (0.75, 0.625)
    assert ruled.counts() == {"confusable": 1, "never": 1, "renamed": 1}
    assert ruled.unknown == []


def test_a_renamed_label_may_be_confusable_by_its_new_name() -> None:
    rules = LabelRules({"sofa": "wolf"}, (), (("wolf", "husky"),), 0.1)
    rows, ruled = apply(rules, label({"sofa": 0.5, "husky": 0.45}))
    assert rows == []
    assert ruled.counts() == {"confusable": 1}


def test_what_a_person_decided_is_not_ruled() -> None:
    row = label({"photo": 1.0}, reviewed="right")
    rows, ruled = apply(LabelRules(never=("photo",)), row)
    assert [r["reviewed"] for r in rows] == ["right"]
    assert ruled.counts() == {}


def test_names_that_the_pool_does_not_have_are_told() -> None:
    rules = LabelRules({"settee": "bench"}, ("void",), (("wolf", "coyote"),))
    rows, ruled = apply(rules, label({"wolf": 0.5, "husky": 0.49}))
    assert len(rows) == 1
    assert ruled.unknown == ["settee", "void", "coyote"]


def test_a_label_cannot_be_renamed_to_what_is_no_concept() -> None:
    with pytest.raises(OptionError, match="rename to 'couche', which the concept pool does not"):
        RulesOnLabels(LabelRules({"sofa": "couche"}), POOL, exclusive=True)


def test_a_label_is_not_confused_with_its_own_old_name() -> None:
    rules = LabelRules({"sofa": "couch"}, (), (("sofa", "couch"),), 0.1)
    rows, _ = apply(rules, label({"sofa": 0.06, "couch": 0.03, "dog": 0.01}))
    assert [row["concept_id"] for row in rows] == [POOL["couch"]]


def test_labels_that_keep_one_concept_cannot_be_told_apart() -> None:
    rules = LabelRules(confusable=(("wolf", "husky"),))
    rows, ruled = apply(rules, label({"wolf": 0.4}))
    assert (len(rows), ruled.too_short) == (1, True)
