"""Samples of a part: images with captions, or joined with proposals and pseudo-labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.errors import ArtifactError
from stages.seeds import generator
from stages.training.samples import CaptionedImages, SupervisedImages, Supervision
from tests.in_memory import InMemory
from tests.stages.training import tiny

if TYPE_CHECKING:
    import pyarrow as pa

NUMBERS = range(4)


def part(**tables: pa.Table) -> InMemory:
    defaults = {
        "images": tiny.images(NUMBERS),
        "proposals": tiny.proposals(NUMBERS),
        "pseudo_labels": tiny.pseudo_labels(NUMBERS),
        "features": tiny.features(NUMBERS),
    }
    return InMemory(defaults | tables, number=5)


def shuffled(table: pa.Table) -> pa.Table:
    return table.take(generator("rows").permutation(len(table)))


def test_captioned_images_are_those_with_a_caption() -> None:
    samples = CaptionedImages(part(images=tiny.images(NUMBERS, {1: [], 3: ["a", "b"]})))
    assert [s.image["image_id"] for s in samples] == ["tiny/000", "tiny/002", "tiny/003"]
    assert samples[2].image["captions"] == ["a", "b"]
    assert {s.part for s in samples} == {5}


def test_samples_never_contain_the_ground_truth() -> None:
    assert "objects" not in CaptionedImages(part())[0].image
    assert "objects" not in SupervisedImages(part(), Supervision(num_concepts=3))[0].image


def test_rows_in_any_order_give_the_same_regions() -> None:
    mixed = part(
        images=shuffled(tiny.images(NUMBERS)),
        proposals=shuffled(tiny.proposals(NUMBERS)),
        pseudo_labels=shuffled(tiny.pseudo_labels(NUMBERS)),
    )
    samples = list(SupervisedImages(mixed, Supervision(num_concepts=3)))
    assert len(samples) == 4
    for sample in samples:
        _, _, boxes, concepts = tiny.picture(int(sample.image["image_id"][-3:]))
        regions = sample.regions
        assert regions is not None
        pairs = zip(regions.boxes[regions.labelled].tolist(), regions.concept_ids, strict=True)
        assert sorted(pairs) == sorted(zip(boxes, concepts, strict=True))
        assert (regions.top_ids[:, 0] == regions.concept_ids).all()


def test_an_image_without_pseudo_labels_is_left_out_unless_its_caption_is_used() -> None:
    incomplete = part(
        images=tiny.images(NUMBERS, {2: []}),
        pseudo_labels=tiny.pseudo_labels(NUMBERS, leave_out=(1, 2)),
    )
    assert len(SupervisedImages(incomplete, Supervision(num_concepts=3))) == 2
    assert len(SupervisedImages(incomplete, Supervision(num_concepts=3, captions=True))) == 3
    assert len(SupervisedImages(incomplete, Supervision(captions=True))) == 3


def test_only_what_is_learned_from_is_read() -> None:
    tables = {"images": tiny.images(NUMBERS), "proposals": tiny.proposals(NUMBERS)}
    captions = SupervisedImages(InMemory(tables), Supervision(captions=True))
    assert [(s.regions, s.crops) for s in captions] == [(None, None)] * 4
    crops = InMemory({**tables, "features": tiny.features(range(1, 3))})
    samples = list(SupervisedImages(crops, Supervision(crops_width=tiny.WIDTH)))
    assert [s.image["image_id"] for s in samples] == ["tiny/001", "tiny/002"]
    assert all(s.regions is None and s.crops and len(s.crops.boxes) == 3 for s in samples)


def test_an_image_counts_if_it_has_any_of_what_is_learned_from() -> None:
    some = part(
        pseudo_labels=tiny.pseudo_labels(NUMBERS, leave_out=(0, 1, 3)),
        features=tiny.features(range(3, 4)),
    )
    samples = SupervisedImages(some, Supervision(num_concepts=3, crops_width=tiny.WIDTH))
    assert [s.image["image_id"] for s in samples] == ["tiny/002", "tiny/003"]


def test_a_part_without_pseudo_labels_still_gives_captions() -> None:
    empty = part(pseudo_labels=tiny.pseudo_labels(range(0)))
    samples = SupervisedImages(empty, Supervision(num_concepts=3, captions=True))
    assert len(samples) == 4
    assert samples[0].regions is not None
    assert len(samples[0].regions.concept_ids) == 0
    assert len(SupervisedImages(empty, Supervision(num_concepts=3))) == 0


def test_a_part_without_proposals_still_gives_captions() -> None:
    empty = part(pseudo_labels=tiny.pseudo_labels(range(0)), proposals=tiny.proposals(range(0)))
    assert len(SupervisedImages(empty, Supervision(num_concepts=3, captions=True))) == 4


def test_a_pseudo_label_without_its_proposal_is_refused() -> None:
    mismatched = part(proposals=tiny.proposals(NUMBERS).slice(0, 11))
    with pytest.raises(ArtifactError, match="region 2 of image tiny/003 has a pseudo-label but no"):
        list(SupervisedImages(mismatched, Supervision(num_concepts=3)))


def test_a_sample_owns_the_bytes_of_its_image() -> None:
    content = CaptionedImages(part())[0].image["content"]
    assert isinstance(content, bytes)


def test_slices_and_negative_indices_are_those_of_a_list() -> None:
    for samples in (
        CaptionedImages(part()),
        SupervisedImages(part(), Supervision(num_concepts=3)),
    ):
        ids = [sample.image["image_id"] for sample in samples]
        assert [sample.image["image_id"] for sample in samples[1:3]] == ids[1:3]
        assert [sample.image["image_id"] for sample in samples[::-2]] == ids[::-2]
        assert samples[-1].image["image_id"] == ids[-1]


def test_an_index_beyond_the_end_is_an_error() -> None:
    with pytest.raises(IndexError):
        CaptionedImages(part())[4]


def test_a_captioned_image_has_no_regions_even_if_it_has_labels() -> None:
    assert CaptionedImages(part())[0].regions is None
