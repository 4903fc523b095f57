"""Labels as people decided: of each, what it becomes, and what is counted."""

from __future__ import annotations

import pyarrow as pa
import pytest

from schemas.pseudo_labels import PSEUDO_LABELS
from stages.selecting.decisions import Decision, Decisions
from stages.selecting.reviewed_labels import ReviewedLabels
from tests.stages.training import tiny

KEY = ("tiny/000", 1)
BOX = (0.0, 1.0, 8.0, 9.0)


def rows() -> pa.RecordBatch:
    return tiny.pseudo_labels(range(3)).combine_chunks().to_batches()[0]


def judged() -> int:
    found = [r["concept_id"] for r in rows().to_pylist() if (r["image_id"], r["region"]) == KEY]
    return int(found[0])


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (lambda c: Decision(c, c), "right"),
        (lambda c: Decision(c, (c + 1) % 3), "renamed"),
        (lambda c: Decision(c, c, BOX), "moved"),
        (lambda c: Decision(c, (c + 1) % 3, BOX), "renamed and moved"),
        (lambda c: Decision(c, None), "left out"),
        (lambda c: Decision(c, None, nothing_known=True), "left out"),
        # labels made anew, with another concept than the one that was judged
        (lambda c: Decision((c + 1) % 3, c), "right"),
        (lambda c: Decision((c + 1) % 3, (c + 1) % 3), "renamed"),
        (lambda c: Decision((c + 1) % 3, None, nothing_known=True), "left out"),
    ],
)
def test_each_decision_does_to_one_label_what_it_says(decision: object, said: str) -> None:
    made = decision(judged())  # type: ignore[operator]
    reviewed = ReviewedLabels(Decisions({KEY: made}))
    before, after = rows().to_pylist(), reviewed.of(rows())
    PSEUDO_LABELS.check(after)
    assert reviewed.counts() == {said: 1}
    others = [r for r in before if (r["image_id"], r["region"]) != KEY]
    assert [r for r in after.to_pylist() if (r["image_id"], r["region"]) != KEY] == others
    about = [r for r in after.to_pylist() if (r["image_id"], r["region"]) == KEY]
    if said == "left out":
        assert about == []
        return
    (row,) = about
    assert row["reviewed"] == said
    assert row["concept_id"] == made.concept_id
    assert (row["cosine"] is None) == (said != "right")
    if made.box:
        assert (row["x0"], row["y0"], row["x1"], row["y1"]) == BOX


@pytest.mark.parametrize(
    ("key", "decision"),
    [
        (KEY, Decision((judged() + 1) % 3, None)),  # of another concept: not this one, but what?
        (("tiny/000", 77), Decision(0, 0)),
        (("elsewhere", 0), Decision(0, 0)),
    ],
)
def test_what_is_said_of_others_changes_nothing(key: tuple[str, int], decision: Decision) -> None:
    reviewed = ReviewedLabels(Decisions({key: decision}))
    assert reviewed.of(rows()).equals(rows())
    assert reviewed.counts() == {}


def test_no_decisions_change_nothing() -> None:
    assert ReviewedLabels(Decisions()).of(rows()).equals(rows())


def test_what_was_reviewed_before_stays_so() -> None:
    other = (judged() + 1) % 3
    first = ReviewedLabels(Decisions({KEY: Decision(judged(), other, BOX)})).of(rows())
    again = ReviewedLabels(Decisions({KEY: Decision(other, other)}))
    (row,) = [r for r in again.of(first).to_pylist() if (r["image_id"], r["region"]) == KEY]
    assert (row["reviewed"], row["cosine"]) == ("renamed and moved", None)
    moved = ReviewedLabels(Decisions({KEY: Decision(other, other, (0.0, 0.0, 5.0, 5.0))}))
    (row,) = [r for r in moved.of(first).to_pylist() if (r["image_id"], r["region"]) == KEY]
    assert row["reviewed"] == "renamed and moved"


def test_of_rows_that_are_not_kept_only_those_that_people_decided_stay() -> None:
    index = rows().schema.get_field_index("kept")
    nobody = pa.array([False] * rows().num_rows)
    unkept = rows().set_column(index, rows().schema.field(index), nobody)
    decided = ReviewedLabels(Decisions({KEY: Decision(judged(), judged())})).of(unkept).to_pylist()
    assert [(r["image_id"], r["region"], r["kept"]) for r in decided] == [(*KEY, True)]
    other = Decision((judged() + 1) % 3, None)  # says nothing of the label that is here
    assert ReviewedLabels(Decisions({KEY: other})).of(unkept).num_rows == 0
