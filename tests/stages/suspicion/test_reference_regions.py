"""Neighbours among references, against every cosine in float64."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch

from schemas.errors import ArtifactError
from schemas.features import FEATURES
from stages.suspicion.caption_mentions import CaptionMentions
from stages.suspicion.reference_regions import ReferenceRegions

CPU = torch.device("cpu")


class World:
    """Twenty images of six regions, some of which are references."""

    def __init__(self) -> None:
        rng = self.rng = np.random.default_rng()
        self.images = np.repeat([f"i{n}" for n in range(20)], 6)
        self.regions = np.tile(np.arange(6), 20)
        self.features = rng.normal(size=(120, 8)).astype(np.float32)
        self.concepts = rng.integers(0, 4, 120)
        self.chosen = rng.permutation(120)[:50]

    def rows(self, which: np.ndarray) -> pa.Table:
        return pa.table(
            {
                "image_id": self.images[which],
                "region": pa.array(self.regions[which], pa.int32()),
                "concept_id": pa.array(self.concepts[which], pa.int32()),
            }
        )

    def batches(self) -> list[pa.RecordBatch]:
        rows = {"image_id": self.images.tolist(), "region": self.regions}
        batch = FEATURES.batch({**rows, "feature": self.features})
        return pa.Table.from_batches([batch]).to_batches(max_chunksize=17)

    def references(self) -> ReferenceRegions:
        return ReferenceRegions(self.rows(self.chosen), self.batches(), CPU)


@pytest.fixture
def world() -> World:
    return World()


def nearest(world: World, row: int, count: int) -> list[int]:
    units = world.features.astype(np.float64)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    others = [n for n in world.chosen if world.images[n] != world.images[row]]
    return sorted(others, key=lambda n: -units[row] @ units[n])[:count]


def test_neighbours_are_the_most_similar_of_other_images(world: World) -> None:
    references, everything = world.references(), np.arange(120)
    rows = world.rows(everything)
    near = references.nearest(world.features * 7, references.codes(rows), 5)
    differ = references.differ(near, world.concepts)
    for row in range(120):
        expected = nearest(world, row, 5)
        assert world.chosen[near.rows[row]].tolist() == expected
        other = world.concepts[expected] != world.concepts[row]
        assert differ[row] == pytest.approx(other.mean())


def test_captions_of_neighbours_count_beyond_the_base(world: World) -> None:
    references = world.references()
    told = {image: world.rng.permutation(4)[:2] for image in references.image_names[:-1]}
    rows = pa.record_batch(
        {
            "image_id": [image for image in told for _ in range(2)],
            "concept": [str(concept) for one in told.values() for concept in one],
        }
    )
    mentions = CaptionMentions([rows], {str(n): n for n in range(4)})
    references.set_mentions(mentions)
    base, expected = mentions.shares(references.image_names, 4), np.array([0.6, 0.9, 1.0, 0.0])
    near = references.nearest(world.features, references.codes(world.rows(np.arange(120))), 5)
    of = world.concepts
    found = references.unmentioned(near, of, expected[of], base[of])
    for row in range(120):
        concept = world.concepts[row]
        share = np.mean([concept in told.get(world.images[n], ()) for n in nearest(world, row, 5)])
        often = sum(concept in one for one in told.values()) / len(references.image_names)
        assert base[concept] == pytest.approx(often)
        if expected[concept] - often <= 0.02:
            assert np.isnan(found[row])
        else:
            value = np.clip(1 - (share - often) / (expected[concept] - often), 0, 1)
            assert found[row] == pytest.approx(value)


def test_what_has_no_direction_or_no_other_image_has_no_neighbours(world: World) -> None:
    only = world.rows(np.array([0, 1]))
    references = ReferenceRegions(only, world.batches(), CPU)
    features = np.zeros((3, 8), np.float32)
    features[0], features[2] = world.features[0], np.nan
    near = references.nearest(features, np.array([0, -1, -1]), 9)
    assert not near.valid.any()
    assert np.isnan(references.differ(near, np.zeros(3, int))).all()
    told = references.unmentioned(near, np.zeros(3, int), np.ones(3), np.zeros(3))
    assert np.isnan(told).all()  # nothing was told
    assert references.nearest(features[:0], np.zeros(0, int), 9).rows.shape == (0, 2)


def test_missing_features_and_other_widths_are_refused(world: World) -> None:
    with pytest.raises(ArtifactError, match="labelled regions have no feature"):
        ReferenceRegions(world.rows(world.chosen), world.batches()[:1], CPU)
    with pytest.raises(ArtifactError, match="features have widths 8 and 3"):
        world.references().nearest(np.ones((1, 3), np.float32), np.array([-1]), 2)
