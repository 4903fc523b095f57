"""The line that label ends with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from stages.labelling.label_counts import count_agreement, label_outcome
from stages.outcome import Result
from tests.in_memory import InMemory

if TYPE_CHECKING:
    from pathlib import Path


def result(rows: int, kept: int, dropped: int = 0, **notes: Any) -> Result:
    counts = {"regions": rows, "kept": kept, "unmentioned": notes.pop("unmentioned", 0)}
    similarity = {"probability": "softmax", "temperature": 0.05, "given": True}
    facts = {"regions": counts, "similarity": similarity, **notes}
    return Result(rows, {"nan-feature": dropped} if dropped else {}, facts)


def test_agreement_is_counted_over_kept_labels_of_captioned_images(tmp_path: Path) -> None:
    part = InMemory({}, tmp_path)
    kept, in_caption = [True, True, True, False], [True, False, None, True]
    for _ in range(2):
        count_agreement(part, pa.record_batch({"kept": kept, "in_caption": in_caption}))
    assert part.notes == {"captioned": {"kept": 4, "agree": 2}}


def test_images_without_captions_agree_with_nothing(tmp_path: Path) -> None:
    part = InMemory({}, tmp_path)
    column = pa.array([None], pa.bool_())
    count_agreement(part, pa.record_batch({"kept": [True], "in_caption": column}))
    assert part.notes == {}


def test_the_line_says_kept_and_agreement() -> None:
    told = result(1200, 300, captioned={"kept": 200, "agree": 50}, unmentioned=3)
    assert label_outcome(told).summary == [
        "1,200 regions labelled, 300 (25.0%) kept; of these 50 (25.0%) have a concept that a "
        "caption of their image mentions; 3 regions without a mentioned concept; temperature 0.05"
    ]
    assert label_outcome(result(1, 0)).summary == [
        "1 region labelled, 0 (0.0%) kept; temperature 0.05"
    ]


def test_no_label_is_empty_and_most_refused_a_loss() -> None:
    nothing = label_outcome(result(0, 0, 4))
    assert (
        nothing.empty
        == "no region got a label: 0 regions labelled, 0 kept; 4 refused; temperature 0.05"
    )
    assert label_outcome(result(1, 1, 2)).losses == ["2 of 3 regions were refused"]
    assert label_outcome(result(2, 1, 2)).losses == []


def test_labels_of_which_none_is_kept_are_a_loss() -> None:
    (loss,) = label_outcome(result(20, 0)).losses
    assert loss.startswith("no region is kept: none is as probable as --min-probability asks; ")


def test_images_that_were_read_on_the_way_are_told_and_are_no_regions() -> None:
    images = {"seen": 5, "unreadable": 1, "without_regions": 2}
    told = label_outcome(result(3, 3, 2, images=images))  # one of the two refused is an image
    assert told.summary == [
        "3 regions of 5 images labelled, 3 (100.0%) kept; 1 refused; 2 without proposals; 1 could "
        "not be read; temperature 0.05"
    ]
    assert told.losses == []
    most = {"seen": 5, "unreadable": 3, "without_regions": 0}
    assert label_outcome(result(3, 3, 3, images=most)).losses == ["3 of 5 images unreadable"]
