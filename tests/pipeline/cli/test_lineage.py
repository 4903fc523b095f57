"""`rc lineage`: what an artifact was made from."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from pipeline.cli.lineage import given_options
from stages.featurize import Featurize
from stages.label import Label
from stages.select import Select
from stages.train import Train
from tests.pipeline.helpers import make, make_all
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact
    from stages.base import Stage


@pytest.mark.slow
def test_it_goes_back_to_the_source_and_tells_each_artifact_fully_once(rc, root) -> None:  # type: ignore[no-untyped-def]
    made = make_all(root)
    lines = rc("lineage", "pseudo_labels").out.splitlines()
    assert lines[0] == made["pseudo_labels"].address
    assert lines[1] == "    rc label"
    assert f"    images: {made['images'].address}" in "\n".join(lines)
    for table in set(made) - {"students"}:
        told = [line for line in lines if made[table].address in line]
        assert len([line for line in told if not line.endswith("(see above)")]) == 1, table


@pytest.mark.slow
def test_it_says_where_files_lay(rc, root: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(sources=(str(tmp_path / "a.tar"), str(tmp_path / "b.tar"))), root)
    lines = rc("lineage", "images").out.splitlines()
    assert lines[2:] == [f"    sources: {tmp_path / name}" for name in ("a.tar", "b.tar")]


def made_by(stage: Stage) -> Artifact:
    recorded = SimpleNamespace(name=stage.name, options=json.loads(json.dumps(stage.recipe())))
    return cast("Artifact", SimpleNamespace(manifest=SimpleNamespace(stage=recorded)))


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (Label(), []),
        (Label(temperature=0.2), ["--temperature", "0.2"]),
        (Featurize(whole_image=False, resize="64x120"), ["--resize", "64x120", "--no-whole-image"]),
        (Train(resize=("32x64", "48x64")), ["--resize", "32x64", "--resize", "48x64"]),
        (Select(called="sure", where="x < 1"), ["sure", "--where", "'x < 1'"]),
    ],
)
def test_only_options_that_were_given_are_told(stage: Stage, words: list[str]) -> None:
    assert given_options(made_by(stage)) == words


@pytest.mark.slow
def test_commands_are_wrapped_at_spaces(rc, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("COLUMNS", "44")
    inputs = {"pseudo_labels": make_all(root)["pseudo_labels"].address}
    where = "region = 0 AND cosine > -1 AND probability > 0"
    made = make(Select(called="sure", where=where), root, inputs)
    lines = rc("lineage", made.address).out.splitlines()
    assert max(map(len, lines[1:4])) <= 44
    told = " ".join(line.strip() for line in lines[1:4])
    assert told.startswith(f"rc select --called sure --where '{where}'")
