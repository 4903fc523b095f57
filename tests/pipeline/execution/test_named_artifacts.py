"""What is said of artifacts that nobody named, and of names that others have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.execution import inputs, named_artifacts, planning
from pipeline.store import catalog
from schemas.errors import OptionError
from stages.audit_draw import AuditDraw
from tests.pipeline.audited import draw, judge
from tests.pipeline.helpers import make, make_all
from tests.pipeline.toys import Featurize, Label, Pretrain, Train

if TYPE_CHECKING:
    from pathlib import Path

    from stages.base import Stage


def told(stage: Stage, pins: dict[str, str], root: Path) -> list[str]:
    chosen = inputs.resolve(stage, pins, root)
    return named_artifacts.taken_unasked(stage, pins, chosen, root)


@pytest.mark.slow
def test_a_model_that_nobody_named_is_told_where_there_are_others(root: Path) -> None:
    made = make_all(root)
    images = made["images"].address
    others = "--teacher teachers@… or students@… takes another"
    beside_a_student = [f"teacher: {made['teachers'].address}; {others}"]
    assert told(Featurize(), {"images": images}, root) == beside_a_student
    newer = make(Pretrain(seed=9), root, {"images": images})
    assert told(Featurize(), {"images": images}, root) == [
        f"teacher: {newer.address}, the newest of 2; {others}"
    ]
    assert told(Featurize(), {"images": images, "teacher": newer.address}, root) == []
    assert told(Train(), {}, root) == []  # it follows from the labels


@pytest.mark.slow
def test_labels_are_told_where_the_result_gets_a_name(root: Path) -> None:
    make_all(root, count=20)
    stage = AuditDraw(called="first", size=24, strata=3)
    assert told(stage, {}, root) == []  # there are no others
    newer = make(Label(temperature=0.5), root)
    assert told(stage, {}, root) == [
        f"pseudo_labels: {newer.address}, the newest of 2; --pseudo-labels pseudo_labels@… takes "
        "another"
    ]
    assert told(stage, {"pseudo_labels": newer.address}, root) == []


def test_who_has_a_name(root: Path) -> None:
    audit = draw(root)
    assert named_artifacts.holder(AuditDraw(called="first"), root) == audit
    assert named_artifacts.holder(AuditDraw(called="second"), root) is None
    assert named_artifacts.holder(Train(), root) is None


def test_an_audit_that_was_judged_may_grow_and_not_become_another(root: Path) -> None:
    audit = draw(root)
    labels = {"pseudo_labels": audit.manifest.inputs["pseudo_labels"]}

    def planned(**options: object) -> planning.Plan:
        asked = {"size": 24, "strata": 3, **options}
        stage = AuditDraw(called="first", **asked)  # type: ignore[arg-type]
        return planning.plan(stage, inputs.resolve(stage, labels, root), root)

    other = make(Label(temperature=0.5), root)
    for options in ({"seed": 1}, {"size": 12}, {"by": "probability"}):
        assert not planned(**options).finished  # nobody has judged it
    judge(audit, {0: "right"})
    assert planned().finished
    assert not planned(size=30).finished
    for options, flag in (({"seed": 1}, "seed"), ({"size": 12}, "size"), ({"strata": 2}, "strata")):
        with pytest.raises(OptionError, match=rf"judged already, .*\(--{flag}\): choose another"):
            planned(**options)
    labels = {"pseudo_labels": other.address}
    with pytest.raises(OptionError, match=r"another sample \(--pseudo-labels\)"):
        planned()
    assert catalog.find(root, "audits@first") == audit
