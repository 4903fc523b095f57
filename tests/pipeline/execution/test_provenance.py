from __future__ import annotations

import subprocess
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.execution import provenance
from stages.embed_concepts import EmbedConcepts
from stages.import_weights import ImportWeights
from stages.ingest import Ingest
from stages.pretrain import Pretrain

if TYPE_CHECKING:
    import pytest


def test_circumstances_say_when_and_with_what() -> None:
    found = provenance.circumstances()
    assert datetime.fromisoformat(found["created"]).tzinfo is not None
    assert found["libraries"]["pyarrow"]
    assert set(found["code"]) >= {"version"}


def test_a_machine_without_git_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError("git")

    monkeypatch.setattr(subprocess, "run", missing)
    assert set(provenance.circumstances()["code"]) == {"version"}


def test_a_library_that_is_not_there_is_recorded_as_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "_LIBRARIES", ("no-such-library",))
    assert provenance.circumstances()["libraries"] == {"no-such-library": None}


def test_weights_are_found_again_though_the_recipe_has_their_name_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.pt").touch()
    known = provenance.origins(ImportWeights(file="w.pt", kind="teacher", architecture="RN50"))
    assert known == {"file": [str(tmp_path / "w.pt")]}
    begun = provenance.origins(Pretrain(pretrained=str(Path("..", tmp_path.name, "w.pt"))))
    assert begun == {"pretrained": [f"{tmp_path}/../{tmp_path.name}/w.pt"]}
    for tag in ("openai", "o" * 999):
        assert provenance.origins(Pretrain(model="RN50", pretrained=tag)) == {}


def test_a_name_in_the_place_of_a_file_is_found_again_unless_it_is_the_default() -> None:
    assert provenance.origins(EmbedConcepts(templates="plain")) == {"templates": ["plain"]}
    assert provenance.origins(EmbedConcepts(device="cpu")) == {}


def test_a_url_stays_what_it_is() -> None:
    urls = ("s3://bucket/a.tar", "https://host/b.tar")
    assert provenance.origins(Ingest(sources=urls)) == {"sources": list(urls)}
