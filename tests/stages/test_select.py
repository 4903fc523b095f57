from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.duplicates import DUPLICATES
from schemas.errors import ArtifactError, OptionError
from schemas.pseudo_labels import PSEUDO_LABELS
from schemas.reviews import REVIEWS
from stages.outcome import Result
from stages.select import Select
from tests.in_memory import InMemory
from tests.stages.training import tiny
from tests.stages.training.tiny import pseudo_labels

if TYPE_CHECKING:
    from pathlib import Path


def test_rows_are_passed_on_as_they_are_read() -> None:
    rows = pseudo_labels(range(4))
    part = InMemory({"pseudo_labels": rows})
    selected = list(Select(called="all").run(part))
    assert pa.Table.from_batches(selected).equals(rows)
    assert part.notes == {"regions": {"regions": rows.num_rows, "kept": rows.num_rows}}
    assert part.advanced == rows.num_rows


def test_an_empty_selection_has_no_rows() -> None:
    part = InMemory({"pseudo_labels": pa.Table.from_batches([PSEUDO_LABELS.empty()])})
    assert sum(batch.num_rows for batch in Select(called="none").run(part)) == 0
    assert part.notes == {"regions": {"regions": 0, "kept": 0}}


@pytest.mark.parametrize("name", ["", "Sure", "a b", "../up", "1st", "cafe", "x@y", "a'b"])
def test_an_ambiguous_name_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="is no name for a selection"):
        Select(called=name)


@pytest.mark.parametrize("name", ["sure", "sure-ones_2", "g"])
def test_a_name_of_small_letters_digits_and_marks_is_accepted(name: str) -> None:
    assert Select(called=name).recipe()["called"] == name


def test_the_outcome_names_the_selection() -> None:
    stage = Select(called="sure", where="probability > 0.9")
    assert stage.outcome(Result(3, {}, {})).summary == ["3 labels selected as sure"]
    empty = stage.outcome(Result(0, {}, {})).empty
    assert empty == "no label was selected: --where probability > 0.9"


def test_a_selection_says_how_its_labels_were_made() -> None:
    similarity = {"probability": "sigmoid", "temperature": 0.1}
    facts = {("pseudo_labels", "similarity"): similarity}
    part = InMemory({"pseudo_labels": pseudo_labels(range(4))}, facts=facts)
    list(Select(called="all").run(part))
    assert part.notes["similarity"] == similarity


def duplicates_of(*images: str) -> pa.Table:
    n = len(images)
    columns = {
        "image_id": list(images),
        "other_id": [f"other {number}" for number in range(n)],
        "kind": ["near"] * n,
        "similarity": [0.9] * n,
        "mirrored": [False] * n,
        "cropped": [None] * n,
    }
    return pa.Table.from_batches([DUPLICATES.batch(columns)])


def test_labels_of_duplicate_images_are_left_out_and_counted() -> None:
    rows = pseudo_labels(range(4))
    names = sorted(set(rows["image_id"].to_pylist()))
    twice = duplicates_of(names[0], names[0], names[2])
    part = InMemory({"pseudo_labels": rows, "without": twice})
    selected = pa.Table.from_batches(list(Select(called="clean").run(part)))
    kept = pc.is_in(rows["image_id"], pa.array([names[1], *names[3:]]))
    assert selected.equals(rows.filter(kept))
    assert part.notes["left_out"] == {"labels": rows.num_rows - selected.num_rows, "images": 2}
    assert part.notes["regions"]["regions"] == selected.num_rows
    assert part.advanced == rows.num_rows


def test_without_duplicates_that_are_none_everything_stays() -> None:
    rows = pseudo_labels(range(4))
    part = InMemory({"pseudo_labels": rows, "without": duplicates_of()})
    assert pa.Table.from_batches(list(Select(called="clean").run(part))).equals(rows)
    assert part.notes["left_out"] == {"labels": 0, "images": 0}


def test_the_outcome_says_what_was_left_out() -> None:
    notes = {"left_out": {"labels": 12, "images": 1}}
    stage = Select(called="clean", where="kept")
    said = "12 labels of 1 image left out as duplicates"
    assert stage.outcome(Result(3, {}, notes)).summary == [f"3 labels selected as clean; {said}"]
    empty = stage.outcome(Result(0, {}, notes)).empty
    assert empty == f"no label was selected: --where kept; {said}"


def pool() -> pa.Table:
    columns = {
        "concept_id": [0, 1, 2],
        "concept": tiny.NAMES,
        "prompts": [1] * 3,
        "embedding": np.eye(3, 4, dtype=np.float32),
    }
    return pa.Table.from_batches([CONCEPT_EMBEDDINGS.batch(columns)])


def reviews_of(rows: pa.Table, **verdicts: list[tuple[int, str | None]]) -> pa.Table:
    """By verdict, which rows it is about, and what they are."""
    said = [
        {
            **{name: rows[name][row].as_py() for name in ("image_id", "region", "concept_id")},
            "verdict": verdict.replace("_", "-"),
            "concept": concept,
            "reviewer": "ann",
        }
        for verdict, about in verdicts.items()
        for row, concept in about
    ]
    return pa.Table.from_pylist(said, schema=REVIEWS.arrow)


def test_what_people_decided_and_rules_about_the_rest_are_counted(tmp_path: Path) -> None:
    rows = pseudo_labels(range(4))
    kinds = rows["concept_id"].to_pylist()
    other = tiny.NAMES[(kinds[1] + 1) % 3]
    reviews = reviews_of(
        rows,
        right=[(0, None)],
        wrong=[(1, other), (2, None), (3, "a yeti")],
        unsure=[(4, None)],
    )
    (tmp_path / "rules.toml").write_text(f'never = ["{tiny.NAMES[0]}", "void"]')
    part = InMemory({"pseudo_labels": rows, "reviews": reviews, "embeddings": pool()})
    stage = Select(called="mended", rules=tmp_path / "rules.toml")
    selected = pa.Table.from_batches(list(stage.run(part))).to_pylist()
    places = [n for n, kind in enumerate(kinds) if n < 2 or (n > 3 and kind != 0)]
    keys = [(r["image_id"], r["region"]) for r in rows.take(places).to_pylist()]
    assert [(r["image_id"], r["region"]) for r in selected] == keys
    assert [r["reviewed"] for r in selected] == ["right", "renamed"] + [None] * (len(places) - 2)
    assert selected[1]["concept_id"] == (kinds[1] + 1) % 3
    never = sum(kind == 0 for kind in kinds[4:])
    assert part.notes["regions"] == {"regions": len(places), "kept": len(places)}
    assert part.notes["ruled"] == {"never": never, "too short": 0}
    assert stage.outcome(Result(len(places), {}, part.notes)).summary == [
        f"{len(places)} labels selected as mended",
        "of 5 reviewed regions: 2 left out, 1 renamed, 1 right, 1 open",
        "reviewers gave names that the pool does not have: 'a yeti'",
        f"by rules: {never} left out as never kept",
        "rules are about names that the pool does not have: 'void'",
    ]


def test_reviews_of_labels_that_are_not_here_are_said() -> None:
    rows = pseudo_labels(range(4))
    part = InMemory(
        {
            "pseudo_labels": rows.slice(3),
            "reviews": reviews_of(rows, right=[(0, None), (5, None)]),
            "embeddings": pool(),
        }
    )
    stage = Select(called="mended")
    list(stage.run(part))
    assert stage.outcome(Result(9, {}, part.notes)).summary[1] == (
        "of 2 reviewed regions: 1 right, 1 about labels that are not among these"
    )


def test_rules_need_the_names_of_concepts(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text('never = ["void"]')
    part = InMemory({"pseudo_labels": pseudo_labels(range(4))})
    with pytest.raises(ArtifactError, match="make them again with 'rc embed-concepts'"):
        list(Select(called="x", rules=tmp_path / "rules.toml").run(part))


def test_what_rules_say_decides_the_rows_and_where_they_are_does_not(tmp_path: Path) -> None:
    digests = []
    for name, text in (("a", 'never = ["x"]'), ("b", 'never = [ "x" ] #'), ("c", 'never = ["y"]')):
        (tmp_path / name).write_text(text)
        stage = Select(called="x", rules=tmp_path / name)
        assert "rules" not in stage.recipe()
        digests.append(stage.digests())
    assert digests[0] == digests[1] != digests[2]
    assert Select(called="x").digests() == {}
