"""Regions of an image: joined from proposals and pseudo-labels, and sampled."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from schemas.errors import ArtifactError
from stages.seeds import generator
from stages.training.regions import PartRegions, Regions, no_regions, positions_of
from tests.in_memory import InMemory
from tests.stages.training import tiny

NUMBERS = range(4)


def part(proposals: range = NUMBERS, labels: range = NUMBERS) -> InMemory:
    return InMemory(
        {"proposals": tiny.proposals(proposals), "pseudo_labels": tiny.pseudo_labels(labels)}
    )


def regions(proposals: int, labelled: list[int]) -> Regions:
    count = len(labelled)
    corners = np.arange(proposals, dtype=np.float32)[:, None]
    return Regions(
        boxes=corners + np.float32([0, 0, 1, 1]),
        labelled=np.array(labelled, dtype=np.int64),
        labelled_boxes=(corners + np.float32([0, 0, 1, 1]))[labelled],
        concept_ids=np.array(labelled, dtype=np.int64) * 10,
        top_ids=np.array(labelled)[:, None],
        top_probabilities=np.full((count, 1), 0.9, np.float32),
        residual=np.full(count, 0.1, np.float32),
        kept=np.ones(count, np.bool_),
    )


def test_sampled_regions_keep_their_own_box_and_label() -> None:
    for i in range(20):
        sample = regions(9, [7, 0, 3]).sampled(5, "proposals", generator(i))
        assert (sample.boxes[:, 0] * 10 == sample.concept_ids).all()
        assert sample.labelled.tolist() == list(range(len(sample.concept_ids)))


@pytest.mark.slow
def test_sampling_among_proposals_takes_each_label_with_the_chance_of_its_proposal() -> None:
    counts: Counter[int] = Counter()
    for i in range(2000):
        sample = regions(10, [2, 5, 6]).sampled(4, "proposals", generator(i))
        counts.update((sample.concept_ids // 10).tolist())
    assert set(counts) == {2, 5, 6}
    assert all(c == pytest.approx(800, abs=90) for c in counts.values())


def test_sampling_among_the_labelled_takes_exactly_the_count() -> None:
    counts: Counter[int] = Counter()
    for i in range(900):
        sample = regions(10, [2, 5, 6]).sampled(2, "labelled", generator(i))
        assert len(sample.concept_ids) == 2
        counts.update((sample.concept_ids // 10).tolist())
    assert all(c == pytest.approx(600, abs=70) for c in counts.values())


@pytest.mark.parametrize("among", ["proposals", "labelled"])
def test_fewer_regions_than_the_count_are_all_taken(among: str) -> None:
    sample = regions(6, [1, 4]).sampled(100, among, generator(0))
    assert sample.concept_ids.tolist() == [10, 40]


@pytest.mark.parametrize("among", ["proposals", "labelled"])
def test_an_image_without_labels_gives_an_empty_sample(among: str) -> None:
    sample = regions(6, []).sampled(100, among, generator(0))
    assert sample.boxes.shape == (0, 4)


def test_a_sample_is_without_repetition_and_in_the_order_of_the_labels() -> None:
    for among in ("proposals", "labelled"):
        sample = regions(40, list(range(0, 40, 2))).sampled(12, among, generator(1))
        ids = sample.concept_ids.tolist()
        assert ids == sorted(set(ids))


def test_among_the_labelled_only_kept_regions_are_sampled_if_there_are_any() -> None:
    kept = np.array([True, False, True, False])
    some = replace(regions(9, [1, 3, 5, 7]), kept=kept)
    for i in range(10):
        sample = some.sampled(3, "labelled", generator(i))
        assert sample.concept_ids.tolist() == [10, 50]
        assert sample.kept.all()
    none = replace(some, kept=np.zeros(4, np.bool_))
    assert len(none.sampled(3, "labelled", generator(0)).concept_ids) == 3


def test_certain_regions_are_the_kept_ones_with_their_boxes() -> None:
    kept = np.array([False, True, True])
    certain = replace(regions(9, [7, 0, 3]), kept=kept).certain()
    assert certain.concept_ids.tolist() == [0, 30]
    assert certain.boxes[:, 0].tolist() == [0, 3]
    assert certain.labelled.tolist() == [0, 1]
    assert certain.top_ids.shape == (2, 1)


def test_the_regions_of_an_image_are_all_its_proposals_and_its_labels() -> None:
    part_regions = PartRegions(part(), 3)
    for number in NUMBERS:
        _, _, boxes, concepts = tiny.picture(number)
        image = part_regions.of(f"tiny/{number:03d}")
        assert image.boxes.tolist() == boxes
        assert image.concept_ids.tolist() == concepts
        assert image.boxes[image.labelled].tolist() == boxes
        assert image.top_ids.shape == image.top_probabilities.shape == (3, 2)


def test_an_image_without_labels_has_its_proposals_and_no_labels() -> None:
    image = PartRegions(part(labels=range(2)), 3).of("tiny/003")
    assert image.boxes.shape == (3, 4)
    assert len(image.concept_ids) == len(image.labelled) == len(image.kept) == 0


def test_an_unknown_image_has_no_regions() -> None:
    assert PartRegions(part(), 3).of("elsewhere").boxes.shape == (0, 4)


def test_probabilities_exclude_each_other_where_each_row_sums_to_one() -> None:
    of_softmax = PartRegions(part(), 3)
    assert of_softmax.exclusive
    of_softmax.residual = of_softmax.residual + np.float32(0.1)
    assert not of_softmax.exclusive
    assert PartRegions(part(labels=range(0)), 3).exclusive  # nothing says otherwise


def test_a_part_without_labels_is_read_too() -> None:
    image = PartRegions(part(labels=range(0)), 3).of("tiny/000")
    assert image.boxes.shape == (3, 4)
    assert image.top_ids.shape == (0, 1)


def test_a_label_of_a_region_that_was_not_proposed_is_refused() -> None:
    regions_of_part = PartRegions(part(proposals=range(1)), 3)
    assert len(regions_of_part.of("tiny/000").concept_ids) == 3
    with pytest.raises(ArtifactError) as error:
        regions_of_part.of("tiny/001")
    assert str(error.value) == (
        "region 0 of image tiny/001 has a pseudo-label but no proposal: the pseudo-labels were "
        "made from other proposals; name those"
    )


def test_a_concept_beyond_the_embeddings_is_refused() -> None:
    with pytest.raises(ArtifactError, match="name concept 2, but only 2 concepts are embedded"):
        PartRegions(part(), num_concepts=2)


def test_positions_are_of_the_wanted_numbers_and_missing_ones_have_none() -> None:
    regions = np.array([7, 3, 11, 0])
    assert positions_of(np.array([0, 7, 5, 11, 12]), regions).tolist() == [3, 0, -1, 2, -1]
    assert positions_of(np.array([1]), regions[:0]).tolist() == [-1]


def test_no_regions_can_be_sampled_and_joined_with_others() -> None:
    sample = no_regions().sampled(5, "proposals", generator(0))
    assert (sample.boxes.shape, sample.top_ids.shape) == ((0, 4), (0, 1))


def test_a_label_has_its_own_box_where_a_person_moved_it() -> None:
    labels = tiny.pseudo_labels(NUMBERS)
    moved = pa.array([-1.0, *labels["x0"].to_pylist()[1:]], pa.float32())
    labels = labels.set_column(
        labels.schema.get_field_index("x0"), labels.schema.field("x0"), moved
    )
    tables = {"proposals": tiny.proposals(NUMBERS), "pseudo_labels": labels}
    found = PartRegions(InMemory(tables), 3).of("tiny/000")
    proposed = PartRegions(part(), 3).of("tiny/000")
    assert found.boxes.tolist() == proposed.boxes.tolist() == proposed.certain().boxes.tolist()
    assert found.certain().boxes[0].tolist() == [-1.0, *proposed.boxes[0, 1:].tolist()]
    assert found.certain().boxes[1:].tolist() == proposed.boxes[1:].tolist()
