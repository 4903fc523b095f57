"""Rounds: which steps are repeated, what they read, and what `[rounds]` may not say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.recipes import recipe
from pipeline.recipes.recipe_rounds import Rounds, entries_by_round, read_rounds
from schemas.errors import OptionError, SourceError

if TYPE_CHECKING:
    from pathlib import Path

STEPS: list[dict[str, Any]] = [
    {"run": "pretrain", "as": "teacher", "steps": 0},
    {"run": "embed-concepts", "as": "embeddings", "teacher": "@teacher"},
    {"run": "featurize", "as": "features", "teacher": "@teacher"},
    {"run": "label", "as": "labels", "features": "@features", "embeddings": "@embeddings"},
    {"run": "train", "as": "student", "pseudo-labels": "@labels", "teacher": "@teacher"},
    {"run": "evaluate", "model": "@student"},
    {"run": "evaluate", "as": "scores of the teacher", "model": "@teacher"},
]
ENTRIES = [(f"step {n} of a.toml", entry) for n, entry in enumerate(STEPS, 1)]
ROUNDS = Rounds(student="student", teaches=("features",), labels="labels", count=3)


def test_the_first_round_is_what_is_written() -> None:
    first, *_ = entries_by_round(ENTRIES, ROUNDS, "a.toml")
    assert first == ENTRIES
    assert entries_by_round(ENTRIES, None, "a.toml") == [ENTRIES]


def test_a_later_round_repeats_what_the_student_before_teaches() -> None:
    _, second, third = entries_by_round(ENTRIES, ROUNDS, "a.toml")
    assert [where for where, _ in third] == [f"step {n} of a.toml" for n in (3, 4, 5, 6)]
    assert [entry for _, entry in second] == [
        {"run": "featurize", "as": "features, round 2", "teacher": "@student"},
        {
            "run": "label",
            "as": "labels, round 2",
            "features": "@features, round 2",
            "embeddings": "@embeddings",
        },
        {
            "run": "train",
            "as": "student, round 2",
            "pseudo-labels": "@labels, round 2",
            "teacher": "@teacher",
        },
        {"run": "evaluate", "as": "6 evaluate, round 2", "model": "@student, round 2"},
    ]
    assert third[0][1]["teacher"] == "@student, round 2"
    assert third[3][1]["model"] == "@student, round 3"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"student": "pupil"}, r"\[rounds\] of a.toml: student: no step is called 'pupil'"),
        ({"labels": "names"}, "labels: no step is called 'names'"),
        ({"student": "scores of the teacher"}, "is the student, but does not depend on 'features"),
        ({"labels": "embeddings"}, "'embeddings' is the labels, but does not depend on"),
        ({"teaches": ["regions"]}, "teaches: no step is called 'regions'"),
        ({"agreement": "student"}, "'student' is the agreement, but does not depend on 'student'"),
        ({"agreement": "labels"}, "'labels' is the agreement, but does not depend on 'student'"),
    ],
)
def test_names_that_no_round_would_change_are_refused(changes: dict[str, Any], said: str) -> None:
    written = {"student": "student", "teaches": ["features"], **changes}
    rounds = read_rounds(written, None, "a.toml")
    with pytest.raises(SourceError, match=said):
        entries_by_round(ENTRIES, rounds, "a.toml")


def test_the_number_asked_for_replaces_the_number_written() -> None:
    written = {"student": "a", "teaches": ["b"], "count": 4}
    assert [read_rounds(written, n, "a.toml").count for n in (None, 2)] == [4, 2]  # type: ignore[union-attr]
    assert read_rounds({}, None, "a.toml") is None


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"student": "a"}, r"\[rounds\] of a.toml: teaches: Field required"),
        ({"student": "a", "teaches": ["b"], "coutn": 2}, "coutn: Unexpected keyword argument"),
        (
            {"student": "a", "teaches": ["b"], "count": "two"},
            "count: Input should be a valid integer",
        ),
        ({"student": "a", "teaches": ["b"], "count": 0}, "there must be at least one round"),
    ],
)
def test_a_wrong_table_is_a_sentence(written: dict[str, Any], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read_rounds(written, None, "a.toml")


def test_rounds_of_a_recipe_without_any_are_refused() -> None:
    with pytest.raises(OptionError, match=r"--rounds needs a recipe with \[rounds\]"):
        read_rounds({}, 2, "a.toml")


RECIPE = """
[defaults]
known = "features"
[sweep]
seed = [0, 1]
[rounds]
student = "student"
teaches = ["{known}"]
count = 2
[[step]]
run = "pretrain"
as = "teacher"
images = "images@0"
[[step]]
run = "featurize"
as = "features"
teacher = "@teacher"
[[step]]
run = "label"
as = "labels"
features = "@features"
[[step]]
run = "train"
as = "student"
pseudo-labels = "@labels"
where = "{seed}"
"""


@pytest.mark.usefixtures("toy_verbs")
def test_each_swept_value_has_rounds_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(RECIPE)
    loaded = recipe.load(path, {})
    by_label = {step.label: step for step in loaded.steps}
    assert list(by_label) == [
        *("teacher", "features", "labels", "student [seed=0]", "student [seed=1]"),
        *("features, round 2 [seed=0]", "features, round 2 [seed=1]"),
        *("labels, round 2 [seed=0]", "labels, round 2 [seed=1]"),
        *("student, round 2 [seed=0]", "student, round 2 [seed=1]"),
    ]
    assert by_label["features, round 2 [seed=1]"].inputs == {"teacher": "@student [seed=1]"}
    assert by_label["labels, round 2 [seed=0]"].inputs == {
        "features": "@features, round 2 [seed=0]"
    }
    assert [len(loaded.of_round(n)) for n in (1, 2)] == [5, 6]
    assert [s.label for s in recipe.load(path, {}, rounds=1).steps] == list(by_label)[:5]


@pytest.mark.usefixtures("toy_verbs")
def test_one_step_of_a_later_round_needs_what_it_was_made_from(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(RECIPE)
    only = recipe.load(path, {}).only(["labels, round 2 [seed=1]"])
    assert [step.label for step in only.steps] == [
        *("teacher", "features", "labels", "student [seed=1]"),
        *("features, round 2 [seed=1]", "labels, round 2 [seed=1]"),
    ]
