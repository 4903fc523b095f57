"""Rounds of `rc run`: what is said and recorded of each, and when they end."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from pipeline.cli.rounds import RoundHistory
from pipeline.recipes.recipe import Recipe, Step
from pipeline.recipes.recipe_rounds import Rounds
from pipeline.store import catalog
from pipeline.store.artifact import open_artifact
from tests.pipeline.helpers import make, make_all
from tests.pipeline.recipes.test_round_record import Judge
from tests.pipeline.toys import Label, Pretrain, Train

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

CHAIN = """
[rounds]
student = "student"
teaches = ["features"]
labels = "labels"
count = 3
[[step]]
run = "ingest"
as = "pictures"
count = 6
[[step]]
run = "extract-concepts"
as = "concepts"
images = "@pictures"
[[step]]
run = "pretrain"
as = "teacher"
images = "@pictures"
[[step]]
run = "embed-concepts"
as = "embeddings"
concepts = "@concepts"
teacher = "@teacher"
[[step]]
run = "propose"
as = "proposals"
images = "@pictures"
[[step]]
run = "featurize"
as = "features"
teacher = "@teacher"
proposals = "@proposals"
images = "@pictures"
[[step]]
run = "label"
as = "labels"
features = "@features"
proposals = "@proposals"
embeddings = "@embeddings"
[[step]]
run = "train"
as = "student"
images = "@pictures"
pseudo-labels = "@labels"
teacher = "@teacher"
"""


def test_each_round_learns_from_the_student_of_the_round_before(rc, root, tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "chain.toml"
    path.write_text(CHAIN)
    result = rc("run", path, "--rounds", "2")
    assert result.code == 0
    students = [a for a in catalog.everything(root) if a.manifest.artifact == "students"]
    assert len(students) == 2
    for before, after in pairwise(students):
        labels = catalog.parents(after)["pseudo_labels"]
        assert catalog.parents(catalog.parents(labels)["features"])["teacher"] == before
        assert catalog.parents(after)["teacher"].manifest.artifact == "teachers"
    said = [line for line in result.err.splitlines() if line.startswith("== round")]
    assert said == [
        f"== round {n}: 100.0% of the labels are as before (100.0% of those kept in both)"
        for n in (2,)
    ]
    (file,) = (root / "rounds").iterdir()
    assert file.stem == students[0].address.split("-")[-1]
    record = json.loads(file.read_text())
    assert record["best"] == 2
    names = ("student", "student, round 2")
    recorded = [r["artifacts"][name] for r, name in zip(record["rounds"], names, strict=True)]
    assert recorded == [artifact.address for artifact in students]
    (change,) = record["rounds"][1]["labels"]
    assert (change["agreement"], change["shared"]) == (1.0, 18)
    first = file.read_bytes()
    again = rc("run", path, "--rounds", "2")
    assert again.out == result.out
    assert file.read_bytes() == first
    assert len(catalog.committed(root, "students")) == 2


def parts_of(store: Path) -> dict[str, list[str]]:
    artifacts = map(open_artifact, catalog.committed(store))
    return {a.address: [part.sha256 for part in a.parts] for a in artifacts}


def test_rounds_that_were_interrupted_end_as_if_they_were_not(  # type: ignore[no-untyped-def]
    rc, root, tmp_path, monkeypatch
) -> None:
    (tmp_path / "chain.toml").write_text(CHAIN)
    assert rc("run", tmp_path / "chain.toml", "--rounds", 1).code == 0

    def fail(*_: object) -> None:
        raise ZeroDivisionError("a part was told to fail")

    with monkeypatch.context() as broken:
        broken.setattr(Train, "trouble", fail)
        assert rc("run", tmp_path / "chain.toml").code != 0
    assert rc("run", tmp_path / "chain.toml").code == 0
    monkeypatch.setenv("RC_STORE", str(tmp_path / "other"))
    assert rc("run", tmp_path / "chain.toml").code == 0
    assert parts_of(root) == parts_of(tmp_path / "other")
    records = [next((store / "rounds").iterdir()) for store in (root, tmp_path / "other")]
    assert records[0].read_bytes() == records[1].read_bytes()


def test_a_dry_run_judges_nothing(rc, root, tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "chain.toml"
    path.write_text(CHAIN)
    assert rc("run", path, "--dry-run").code == 0
    assert not (root / "rounds").exists()


def test_rounds_end_where_agreement_falls_and_the_one_before_is_the_newest(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_all(root)
    values = {1: 0.5, 2: 0.625, 3: 0.5}
    steps, addresses = [], {}
    for number, value in values.items():
        for name, artifact in (
            ("student", make(Pretrain(seed=number), root)),
            ("labels", make(Label(temperature=number / 10), root, _inputs(made))),
            ("scores", make(Judge(top1=value), root)),
        ):
            step = Step("x", name if number == 1 else f"{name}, round {number}", round=number)
            steps.append(step)
            addresses[step.label] = artifact.address
    rounds = Rounds("student", ("features",), labels="labels", agreement="scores", count=3)
    history = RoundHistory(Recipe(steps, rounds=rounds), root)
    assert catalog.find(root, "teachers").address == addresses["student, round 3"]
    assert [history.add(number, addresses) for number in values] == [True, True, False]
    assert catalog.find(root, "teachers").address == addresses["student, round 2"]
    said = capsys.readouterr().err
    assert "; agreement 50.0% → 62.5%\n" in said
    assert "== round 3 agrees less, so it is the last, and round 2 is the result\n" in said
    (file,) = (root / "rounds").iterdir()
    record = json.loads(file.read_text())
    assert record["best"] == 2
    assert [r["agreement"] for r in record["rounds"]] == [0.5, 0.625, 0.5]
    assert record["rounds"][2]["labels"][0]["agreement"] == 1.0


def _inputs(made) -> dict[str, str]:  # type: ignore[no-untyped-def]
    roles = {"features": "features", "proposals": "proposals", "embeddings": "concept_embeddings"}
    return {role: made[table].address for role, table in roles.items()}
