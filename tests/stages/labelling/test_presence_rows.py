"""`rc label --absent` in memory: its rows, what it counts, and what does not change them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from schemas.errors import ArtifactError, OptionError
from schemas.presence import PRESENCE
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.label import Label
from stages.outcome import Result
from tests.in_memory import InMemory
from tests.stages.test_label import CAR, CAT, DOG, features, mentions, pool


def find(
    rows: pa.Table, mentioned: pa.Table, embeddings: pa.Table | None = None, **options: Any
) -> tuple[list[dict[str, Any]], InMemory, Label]:
    tables = {"features": rows, "mentions": mentioned, "embeddings": embeddings or pool()}
    stage, part = Label(**{"absent": 2, "temperature": 0.05, **options}), InMemory(tables)
    batches = list(stage.run(part))
    for batch in batches:
        PRESENCE.check(batch)
    return [row for batch in batches for row in batch.to_pylist()], part, stage


def said(part: InMemory, stage: Label, rows: list[dict[str, Any]]) -> str:
    outcome = stage.outcome(Result(len(rows), {}, part.notes))
    return "\n".join([*outcome.summary, outcome.empty or "", *outcome.losses])


def test_a_mention_without_a_region_is_unmet_and_what_nobody_speaks_of_is_absent() -> None:
    rows, part, stage = find(
        features([("a", 0, DOG), ("a", 1, [1, 0, 0.1])]), mentions(("a", "cat"), ("a", "dog"))
    )
    assert [(row["state"], row["concept_id"], row["region"]) for row in rows] == [
        ("unmet", 1, 0),
        ("absent", 2, 1),
    ]
    assert rows[1]["cosine"] == pytest.approx(0.1 / np.hypot(1, 0.1), rel=1e-3)
    assert rows[1]["probability"] < 0.01
    assert part.advanced == 2
    text = said(part, stage, rows)
    assert "1 absent concept of 1 image, of 1 that no caption and no region speaks of" in text
    assert "1 mentioned and unmet" in text
    assert "1 image with fewer than 2 absent" in text


def test_of_images_whose_captions_say_nothing_nothing_is_said() -> None:
    rows, part, stage = find(
        features([("a", 0, DOG), ("b", 0, DOG)]), mentions(("a", "zebra"), ("c", "dog"))
    )
    assert rows == []
    counts = part.notes["presence"]
    assert (counts["images"], counts["unmentioned"], counts["without_regions"]) == (2, 2, 1)
    text = said(part, stage, rows)
    assert "2 images whose captions mention no concept of the pool" in text
    assert "1 image with captions and without a region" in text
    assert "no concept is absent, and none unmet" in text
    assert "2 of 2 images without mentions" in text


def test_the_hardest_come_first_and_no_more_than_asked_for() -> None:
    vectors = np.eye(6)
    embeddings = pool(vectors, [f"c{n}" for n in range(6)])
    feature = [3, 0, 0.2, 0.3, 0.1, 0.3]
    rows, part, _ = find(features([("a", 0, feature)]), mentions(("a", "c0")), embeddings, absent=3)
    assert [row["concept_id"] for row in rows] == [3, 5, 2]
    assert part.notes["presence"]["lacking"] == 5
    assert part.notes["presence"]["short"] == 0


def test_rows_do_not_depend_on_threads_nor_on_which_images_are_computed_together() -> None:
    rng = np.random.default_rng()
    width, names = 16, [f"c{n}" for n in range(30)]
    embeddings = pool(rng.normal(size=(30, width)), names)
    keys = [(f"i{n:03}", region) for n in range(90) for region in range(int(rng.integers(1, 9)))]
    rows = features([(*key, rng.normal(size=width).tolist()) for key in keys], "float32")
    chosen = [(f"i{n:03}", names[int(rng.integers(30))]) for n in range(80)]
    whole, *_ = find(rows, mentions(*chosen), embeddings, absent=4)
    assert {row["state"] for row in whole} == {"absent", "unmet"}
    threads, *_ = find(rows, mentions(*chosen), embeddings, absent=4, threads=3)
    assert threads == whole
    pieces = []
    for n in range(90):
        one = rows.filter(pa.compute.equal(rows.column("image_id"), f"i{n:03}"))
        pieces += find(one, mentions(*chosen), embeddings, absent=4)[0]
    assert pieces == whole


def test_regions_without_a_direction_say_nothing_and_are_refused() -> None:
    rows, part, _ = find(features([("a", 0, CAR), ("a", 1, [0, 0, 0])]), mentions(("a", "car")))
    assert {row["region"] for row in rows} == {0}
    assert [record for record, *_ in part.refused] == ["a#1"]


def test_without_absent_nothing_of_it_is_in_the_recipe_and_with_it_nothing_of_labels() -> None:
    plain, finder = Label(), Label(absent=3)
    assert not {"absent", "absent_up_to"} & set(plain.recipe())
    assert {"absent", "absent_up_to", "min_probability"} <= set(finder.recipe())
    assert not {"top_k", "among", "keep_all_if_none"} & set(finder.recipe())
    assert (plain.makes(), finder.makes()) == (PSEUDO_LABELS, PRESENCE)
    assert set(finder.requires()) == {"features", "embeddings", "mentions"}
    assert not finder.requires()["mentions"].optional
    assert set(Label(absent=3, from_images=True).requires()) == {
        *("images", "proposals", "teacher", "embeddings", "mentions")
    }


def test_a_number_of_absent_concepts_is_at_least_one() -> None:
    with pytest.raises(OptionError, match="--absent must be at least 1"):
        Label(absent=0)


def test_features_of_another_width_are_one_sentence() -> None:
    with pytest.raises(ArtifactError, match="features have width 2, concept embeddings 3"):
        find(features([("a", 0, [1, 0])]), mentions(("a", "cat")))


def test_cat_regions_pass_for_cats() -> None:
    rows, *_ = find(features([("a", 0, CAT)]), mentions(("a", "cat")), absent=1)
    assert [(row["state"], row["concept_id"]) for row in rows] == [("absent", 0)]
