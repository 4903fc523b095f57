"""Suspicions of invented labels: which are the most suspicious, what is not known, what is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.errors import ArtifactError, OptionError
from schemas.features import FEATURES
from schemas.mentions import MENTIONS
from schemas.pseudo_labels import PSEUDO_LABELS
from schemas.suspicions import SUSPICIONS
from stages.outcome import Result
from stages.suspect import Suspect
from stages.suspicion.signals import SIGNALS
from tests.in_memory import InMemory

CONCEPTS, REGIONS, WIDTH = 4, 6, 16


class Invented:
    """Images whose regions are each of one concept; one label in five has another name.

    Features and captions say what a region is, and probabilities nothing.
    """

    def __init__(self, images: int = 40) -> None:
        rng = np.random.default_rng()
        count = images * REGIONS
        centres = np.eye(CONCEPTS, WIDTH) * 3
        self.truth = rng.integers(0, CONCEPTS, count)
        self.wrong = rng.random(count) < 0.2
        shift = rng.integers(1, CONCEPTS, count)
        self.concepts = np.where(self.wrong, (self.truth + shift) % CONCEPTS, self.truth)
        self.images = np.repeat([f"i{n:03d}" for n in range(images)], REGIONS)
        self.regions = np.tile(np.arange(REGIONS), images)
        self.features = (centres[self.truth] + rng.normal(size=(count, WIDTH))).astype(np.float32)
        self.chances = rng.uniform(0.2, 0.9, count)
        self.kept = rng.random(count) < 0.8
        corners = rng.uniform(0, 200, (count, 2))
        self.boxes = np.concatenate([corners, corners + rng.uniform(20, 60, (count, 2))], axis=1)

    def keys(self) -> dict[str, Any]:
        return {"image_id": self.images.tolist(), "region": self.regions}

    def labels(self, concepts: np.ndarray) -> pa.Table:
        told = {image: set(self.truth[self.images == image]) for image in set(self.images)}
        others = (concepts + 1) % CONCEPTS
        rows = {
            **self.keys(),
            "concept_id": concepts,
            "cosine": self.chances,
            "probability": self.chances,
            "margin": self.chances / 2,
            "entropy": 1 - self.chances,
            "kept": self.kept,
            "in_caption": [c in told[i] for c, i in zip(concepts, self.images, strict=True)],
            "top_ids": np.stack([concepts, others], axis=1),
            "top_probabilities": np.stack([self.chances, 1 - self.chances], axis=1),
            "residual": np.zeros(len(concepts)),
            "objectness": self.chances,
            "reviewed": [None] * len(concepts),
            **{side: self.boxes[:, n] for n, side in enumerate(("x0", "y0", "x1", "y1"))},
        }
        return pa.Table.from_batches([PSEUDO_LABELS.batch(rows)])

    def tables(self) -> dict[str, pa.Table]:
        names = [f"c{n}" for n in range(CONCEPTS)]
        pool = {"concept_id": range(CONCEPTS), "concept": names, "prompts": [1] * CONCEPTS}
        vectors = np.eye(CONCEPTS, WIDTH, dtype=np.float32)
        told = {(i, int(c)) for i, c in zip(self.images, self.truth, strict=True)}
        mentions = [
            {"image_id": i, "caption": 0, "concept": names[c], "mentions": 1, "text": None}
            for i, c in sorted(told)
        ]
        made = {
            "pseudo_labels": self.labels(self.concepts),
            "features": FEATURES.batch({**self.keys(), "feature": self.features}),
            "mentions": pa.Table.from_pylist(mentions, MENTIONS.arrow),
            "embeddings": CONCEPT_EMBEDDINGS.batch({**pool, "embedding": vectors}),
            "against": self.labels(self.truth),
        }
        return {
            role: one if isinstance(one, pa.Table) else pa.Table.from_batches([one])
            for role, one in made.items()
        }


def scored(tables: dict[str, pa.Table], **options: int) -> tuple[pa.Table, InMemory]:
    part = InMemory(tables)
    rows = pa.Table.from_batches(list(Suspect(**options).run(part)))
    SUSPICIONS.check(rows)
    return rows, part


def area(scores: np.ndarray, wrong: np.ndarray) -> float:
    return float(np.mean(scores[wrong][:, None] > scores[~wrong][None, :]))


@pytest.fixture
def invented() -> Invented:
    return Invented()


def test_wrong_names_come_first_by_features_and_captions(invented: Invented) -> None:
    rows, part = scored(invented.tables(), neighbours=8)
    kept = invented.kept
    swapped = rows["swapped"].to_numpy(zero_copy_only=False)
    assert area(swapped[kept], invented.wrong[kept]) > 0.7  # though the teacher's doubts are noise
    differ = rows["neighbours_differ"].to_numpy(zero_copy_only=False)
    assert area(differ[kept], invented.wrong[kept]) > 0.9
    suspicion = rows["suspicion"].to_numpy()
    assert area(suspicion[~kept], ~invented.wrong[~kept]) > 0.6  # right ones were overlooked
    assert rows.num_rows == part.advanced == len(kept)
    faults = np.array(rows["fault"].to_pylist())
    assert set(faults[~kept]) == {"overlooked"}
    assert "overlooked" not in set(faults[kept])
    for column, of in (("swapped", kept), ("misplaced", kept), ("overlooked", ~kept)):
        assert (rows[column].is_valid().to_numpy() == of).all()


def test_labels_are_not_compared_with_themselves(invented: Invented) -> None:
    tables = invented.tables()
    with pytest.raises(OptionError, match="--against names the labels themselves"):
        scored({**tables, "against": tables["pseudo_labels"]})


def test_what_inputs_lack_is_null_and_takes_no_part(invented: Invented) -> None:
    tables = invented.tables()
    everything, _ = scored(tables)
    assert all(everything[s.name].null_count < everything.num_rows for s in SIGNALS)
    few = {role: tables[role] for role in ("pseudo_labels", "embeddings")}
    rows, part = scored(few)
    null = {s.name for s in SIGNALS if rows[s.name].null_count == rows.num_rows}
    assert null == {"neighbours_differ", "neighbours_unmentioned", "others_disagree", "unmet"}
    assert part.notes["without"] == ["features", "mentions", "against"]
    assert rows["suspicion"].null_count == 0
    lines = Suspect().outcome(Result(rows.num_rows, {}, part.notes)).summary
    assert "rc label --from-images stores none" in lines[1]
    assert len(lines) == 4


def test_rows_do_not_depend_on_how_parts_and_batches_were_cut(invented: Invented) -> None:
    tables = invented.tables()
    together, _ = scored(tables)
    half = len(invented.kept) // 2 // REGIONS * REGIONS
    edge = invented.images[half]
    pieces = []
    for low in (True, False):
        cut = {
            role: rows.filter(
                pa.array([(image < edge) == low for image in rows["image_id"].to_pylist()])
            )
            if "image_id" in rows.column_names
            else rows
            for role, rows in tables.items()
        }
        pieces.append(InMemory(cut))
    for piece in pieces:
        piece.siblings = pieces
    rows = [pa.Table.from_batches(list(Suspect().run(piece))) for piece in pieces]
    assert pa.concat_tables(rows).equals(together)


def test_labels_of_another_teacher_are_compared_by_their_probabilities(invented: Invented) -> None:
    tables = invented.tables()
    tables["against"] = tables["against"].slice(0, 50)
    rows, _ = scored(tables)
    found = rows["others_disagree"].to_numpy(zero_copy_only=False)
    for row in range(50):
        concept, truth = invented.concepts[row], invented.truth[row]
        chance = invented.chances[row]
        given = {truth: chance, (truth + 1) % CONCEPTS: 1 - chance}.get(concept, 0.0)
        assert found[row] == pytest.approx(1 - given, abs=1e-6)
    assert np.isnan(found[50:]).all()


def test_the_summary_counts_faults_and_mentions_without_a_region(invented: Invented) -> None:
    rows, part = scored(invented.tables())
    counts = part.notes["labels"]
    assert counts["kept"] == invented.kept.sum()
    sure = rows.filter(pa.compute.greater(rows["suspicion"], 0.5))["fault"].to_pylist()
    assert {f: counts[f] for f in set(sure)} == {f: sure.count(f) for f in set(sure)}
    expected = 0
    for image in set(invented.images):
        here = invented.images == image
        expected += len(set(invented.truth[here]) - set(invented.concepts[here & invented.kept]))
    assert counts["missing"] == expected
    (first, *more) = Suspect().outcome(Result(rows.num_rows, {}, part.notes)).summary
    assert first.startswith(f"{rows.num_rows} labels scored, {counts['kept']} of them kept; ")
    assert more[0].startswith(f"{expected} mention")


def test_one_region_one_concept_and_one_image_have_a_suspicion(invented: Invented) -> None:
    tables = {role: rows.slice(0, 1) for role, rows in invented.tables().items()}
    kept = pa.array([True])
    tables["pseudo_labels"] = tables["pseudo_labels"].set_column(7, "kept", kept)
    zero = pa.array([0], pa.int32())
    for role in ("pseudo_labels", "against"):
        tables[role] = tables[role].set_column(2, "concept_id", zero)
    rows, _ = scored(tables)
    assert rows["suspicion"].null_count == 0
    assert rows["neighbours_differ"].null_count == 1  # no other image


def test_a_label_without_a_feature_and_no_kept_label_are_refused(invented: Invented) -> None:
    tables = invented.tables()
    tables["features"] = tables["features"].filter(
        pa.compute.not_equal(tables["features"]["image_id"], "i003")
    )
    with pytest.raises(ArtifactError, match="no feature"):
        scored(tables)
    none = invented.tables()
    column = pa.array([False] * len(invented.kept))
    none["pseudo_labels"] = none["pseudo_labels"].set_column(7, "kept", column)
    with pytest.raises(ArtifactError, match="no label is kept"):
        scored(none)
