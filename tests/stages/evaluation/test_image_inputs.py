from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.errors import ArtifactError
from stages.evaluation.image_inputs import (
    ground_truth_categories,
    image_objects,
    read_images,
    read_slice,
)
from stages.evaluation.vocabulary import Vocabulary
from tests.stages.evaluation.image_rows import (
    image_row,
    object_row,
    part_of,
    proposal_row,
    set_proposals,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.in_memory import InMemory

VOCABULARY = Vocabulary(("ant", "cat"), {})
BOX = [1.0, 2.0, 5.0, 9.0]


@pytest.fixture
def part(tmp_path: Path) -> InMemory:
    rows = [
        image_row(tmp_path, "a", [object_row("cat"), object_row("ant")]),
        image_row(tmp_path, "b", []),
        image_row(tmp_path, "c", [object_row("cat"), object_row("owl")]),
    ]
    return part_of(tmp_path, {}, rows)


def test_objects_of_the_vocabulary_keep_their_index_among_all(tmp_path: Path) -> None:
    crowd = object_row("ant", [0.0, 0.0, 50.0, 50.0], is_crowd=True)
    row = image_row(tmp_path, "a", [object_row("owl"), object_row("cat", BOX), crowd])
    objects = image_objects(row, VOCABULARY)
    assert objects.boxes.tolist() == [BOX, [0, 0, 50, 50]]
    assert objects.category.tolist() == [1, 0]
    assert objects.area.tolist() == [28.0, 2500.0]
    assert objects.index.tolist() == [1, 2]
    assert objects.ignored == 1
    singles = objects.without_crowds()
    assert (singles.index.tolist(), singles.is_crowd.tolist()) == ([1], [False])
    assert (singles.category.tolist(), singles.boxes.tolist()) == ([1], [BOX])
    assert singles.ignored == 1


def test_an_image_without_objects_of_the_vocabulary_has_empty_arrays(tmp_path: Path) -> None:
    objects = image_objects(image_row(tmp_path, "a", [object_row("owl")]), VOCABULARY)
    assert objects.boxes.shape == (0, 4)
    assert objects.without_crowds().boxes.shape == (0, 4)
    assert objects.ignored == 1


def test_categories_are_gathered_from_all_slices(part: InMemory, tmp_path: Path) -> None:
    other = part_of(tmp_path, {}, [image_row(tmp_path, "d", [object_row("eel")])])
    part.more = [part_of(tmp_path, {}, part.tables["images"].to_pylist()), other]
    assert ground_truth_categories(part) == {"ant", "cat", "owl", "eel"}


def test_every_image_comes_with_its_own_proposals(part: InMemory) -> None:
    rows = [proposal_row("c", n, [n, 0.0, n + 5.0, 9.0], 0.5 + n / 10) for n in range(3)]
    rows += [proposal_row("a", 0, BOX, 0.25)]  # in another order than the images
    set_proposals(part, rows)
    read = {row["image_id"]: own for row, own in read_slice(part, with_proposals=True)}
    assert list(read) == ["a", "b", "c"]
    assert [len(proposals.boxes) for proposals in read.values()] == [1, 0, 3]
    assert read["a"].boxes.tolist() == [BOX]
    assert read["a"].objectness.tolist() == [0.25]
    assert read["a"].logit.tolist() == pytest.approx([-np.log(3)])
    assert read["c"].boxes[:, 0].tolist() == [0.0, 1.0, 2.0]
    assert read["b"].boxes.shape == (0, 4)


def test_a_proposal_without_a_logit_has_nan(part: InMemory) -> None:
    set_proposals(part, [{**proposal_row("a", 0, BOX, 0.5), "objectness_logit": None}])
    _, proposals = next(iter(read_slice(part, with_proposals=True)))
    assert np.isnan(proposals.logit).all()


def test_without_proposals_their_table_is_not_read(part: InMemory) -> None:
    read = list(read_slice(part, with_proposals=False))
    assert [len(proposals.boxes) for _, proposals in read] == [0, 0, 0]


def test_images_of_all_slices_are_read_in_order(part: InMemory, tmp_path: Path) -> None:
    whole = part.tables["images"].to_pylist()
    part.more = [part_of(tmp_path, {}, rows) for rows in (whole[:1], whole[1:])]
    for number, slice_ in enumerate(part.more):
        set_proposals(slice_, [proposal_row(f"{'ac'[number]}", 0, BOX, 0.5)])
    read = [
        (row["image_id"], len(proposals.boxes))
        for row, proposals in read_images(part, with_proposals=True)
    ]
    assert read == [("a", 1), ("b", 0), ("c", 1)]


def test_proposals_of_an_image_that_are_apart_are_refused(part: InMemory) -> None:
    set_proposals(part, [proposal_row(name, 0, BOX, 0.5) for name in ("a", "c", "a")])
    with pytest.raises(ArtifactError) as refusal:
        list(read_slice(part, with_proposals=True))
    assert str(refusal.value) == (
        "the proposals of an image are not next to each other; run rc propose again"
    )
