"""Joining images, proposals and pseudo-labels, and drawing the regions of a step."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.errors import ArtifactError
from stages.seeds import generator
from stages.training.regions import Labels, Regions
from stages.training.samples import CaptionedImages, LabelledImages
from tests.in_memory import InMemory
from tests.stages.training import tiny

if TYPE_CHECKING:
    import pyarrow as pa

NUMBERS = range(4)


def part(**tables: pa.Table) -> InMemory:
    given = {
        "images": tiny.images(NUMBERS),
        "proposals": tiny.proposals(NUMBERS),
        "pseudo_labels": tiny.pseudo_labels(NUMBERS),
    }
    return InMemory(given | tables, number=5)


def shuffled(table: pa.Table) -> pa.Table:
    return table.take(generator("rows").permutation(len(table)))


def test_only_images_with_a_caption_are_captioned() -> None:
    told = CaptionedImages(part(images=tiny.images(NUMBERS, {1: [], 3: ["a", "b"]})))
    assert [s.image["image_id"] for s in told] == ["tiny/000", "tiny/002", "tiny/003"]
    assert told[2].image["captions"] == ["a", "b"]
    assert {s.part for s in told} == {5}


def test_samples_never_carry_the_ground_truth() -> None:
    assert "objects" not in CaptionedImages(part())[0].image
    assert "objects" not in LabelledImages(part(), 3, regions=True, captions=False)[0].image


def test_regions_are_joined_whatever_order_rows_are_in() -> None:
    mixed = part(
        images=shuffled(tiny.images(NUMBERS)),
        proposals=shuffled(tiny.proposals(NUMBERS)),
        pseudo_labels=shuffled(tiny.pseudo_labels(NUMBERS)),
    )
    samples = list(LabelledImages(mixed, 3, regions=True, captions=False))
    assert len(samples) == 4
    for sample in samples:
        _, _, boxes, concepts = tiny.picture(int(sample.image["image_id"][-3:]))
        regions = sample.regions
        assert regions is not None
        pairs = zip(regions.boxes[regions.labelled].tolist(), regions.concept_ids, strict=True)
        assert sorted(pairs) == sorted(zip(boxes, concepts, strict=True))
        assert (regions.top_ids[:, 0] == regions.concept_ids).all()


def test_an_image_without_pseudo_labels_is_left_out_unless_its_caption_is_wanted() -> None:
    some = part(
        images=tiny.images(NUMBERS, {2: []}),
        pseudo_labels=tiny.pseudo_labels(NUMBERS, leave_out=(1, 2)),
    )
    assert len(LabelledImages(some, 3, regions=True, captions=False)) == 2
    assert len(LabelledImages(some, 3, regions=True, captions=True)) == 3
    assert len(LabelledImages(some, 3, regions=False, captions=True)) == 3


def test_no_pseudo_labels_at_all_leave_captions() -> None:
    none = part(pseudo_labels=tiny.pseudo_labels(range(0)))
    samples = LabelledImages(none, 3, regions=True, captions=True)
    assert len(samples) == 4
    assert samples[0].regions is not None
    assert len(samples[0].regions.concept_ids) == 0
    assert len(LabelledImages(none, 3, regions=True, captions=False)) == 0


def test_no_proposals_at_all_leave_captions() -> None:
    none = part(pseudo_labels=tiny.pseudo_labels(range(0)), proposals=tiny.proposals(range(0)))
    assert len(LabelledImages(none, 3, regions=True, captions=True)) == 4


def test_a_pseudo_label_without_its_proposal_is_refused() -> None:
    torn = part(proposals=tiny.proposals(NUMBERS).slice(0, 11))
    with pytest.raises(ArtifactError, match="region 2 of image tiny/003 has a pseudo-label but no"):
        list(LabelledImages(torn, 3, regions=True, captions=False))


def test_a_concept_beyond_the_embeddings_is_refused() -> None:
    with pytest.raises(ArtifactError, match="name concept 2, but only 2 concepts are embedded"):
        Labels(part(), num_concepts=2)


def test_a_sample_does_not_keep_its_part_alive() -> None:
    content = CaptionedImages(part())[0].image["content"]
    assert isinstance(content, bytes)


def regions(proposals: int, labelled: list[int]) -> Regions:
    count = len(labelled)
    corners = np.arange(proposals, dtype=np.float32)[:, None]
    return Regions(
        boxes=corners + np.float32([0, 0, 1, 1]),
        labelled=np.array(labelled, dtype=np.int64),
        concept_ids=np.array(labelled, dtype=np.int64) * 10,
        top_ids=np.array(labelled)[:, None],
        top_probabilities=np.full((count, 1), 0.9, np.float32),
        residual=np.full(count, 0.1, np.float32),
        kept=np.ones(count, np.bool_),
    )


def test_drawn_regions_keep_their_own_box_and_label() -> None:
    for i in range(20):
        drawn = regions(9, [7, 0, 3]).drawn(5, "proposals", generator(i))
        assert (drawn.boxes[:, 0] * 10 == drawn.concept_ids).all()
        assert drawn.labelled.tolist() == list(range(len(drawn.concept_ids)))


def test_drawing_among_proposals_finds_a_label_as_often_as_chance_says() -> None:
    counts: Counter[int] = Counter()
    for i in range(2000):
        drawn = regions(10, [2, 5, 6]).drawn(4, "proposals", generator(i))
        counts.update((drawn.concept_ids // 10).tolist())
    assert set(counts) == {2, 5, 6}
    assert all(c == pytest.approx(800, abs=90) for c in counts.values())


def test_drawing_among_the_labelled_always_takes_as_many_as_asked() -> None:
    counts: Counter[int] = Counter()
    for i in range(900):
        drawn = regions(10, [2, 5, 6]).drawn(2, "labelled", generator(i))
        assert len(drawn.concept_ids) == 2
        counts.update((drawn.concept_ids // 10).tolist())
    assert all(c == pytest.approx(600, abs=70) for c in counts.values())


@pytest.mark.parametrize("among", ["proposals", "labelled"])
def test_fewer_regions_than_asked_are_all_taken(among: str) -> None:
    drawn = regions(6, [1, 4]).drawn(100, among, generator(0))
    assert drawn.concept_ids.tolist() == [10, 40]


@pytest.mark.parametrize("among", ["proposals", "labelled"])
def test_nothing_labelled_means_nothing_drawn(among: str) -> None:
    drawn = regions(6, []).drawn(100, among, generator(0))
    assert drawn.boxes.shape == (0, 4)
