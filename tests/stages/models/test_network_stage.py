"""A precision belongs to what identifies an artifact, unless it is the float32 of always."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import torch

from pipeline.execution.notes import Notes
from schemas.errors import OptionError, StageError
from stages.base import Part, option
from stages.detect import Detect
from stages.evaluate import Evaluate
from stages.featurize import Featurize
from stages.label import Label
from stages.models import device
from stages.models.network_stage import NetworkStage
from stages.propose import Propose
from tests.in_memory import InMemory
from tests.pipeline.helpers import make
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

STAGES: list[tuple[type[NetworkStage], dict[str, Any]]] = [
    (Featurize, {}),
    (Label, {"from_images": True}),
    (Propose, {}),
    (Evaluate, {}),
    (Detect, {"names": "cat"}),
]
STAGE = pytest.mark.parametrize(("kind", "options"), STAGES)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this machine had a CUDA device that computes in bfloat16."""
    monkeypatch.setattr(device, "resolve", lambda name: torch.device("cuda"))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **how: True)


@STAGE
def test_float32_leaves_recipe_digests_and_notes_as_they_were(
    kind: type[NetworkStage], options: dict[str, Any]
) -> None:
    stage, asked = kind(**options), kind(**options, precision="float32")
    assert stage.recipe() == asked.recipe()
    assert "precision" not in stage.recipe()
    assert "precision" not in stage.digests()
    part, survey = InMemory({}), Notes()
    assert asked.note_precision(part) == "float32"
    asked.survey(survey)
    assert (part.notes, survey.facts) == ({}, {})


@STAGE
def test_another_precision_is_in_the_recipe_and_noted(
    kind: type[NetworkStage], options: dict[str, Any]
) -> None:
    stage, part = kind(**options, precision="bfloat16", device="cpu"), InMemory({})
    assert stage.recipe() == {**kind(**options).recipe(), "precision": "bfloat16"}
    assert "precision" not in stage.digests()
    assert stage.note_precision(part) == "bfloat16"
    assert part.notes == {"precision": "bfloat16"}


@STAGE
@pytest.mark.usefixtures("card")
def test_what_auto_is_here_is_in_the_fingerprint_and_must_be_so_everywhere(
    kind: type[NetworkStage], options: dict[str, Any]
) -> None:
    stage, part, survey = kind(**options, precision="auto"), InMemory({}), Notes()
    assert stage.recipe()["precision"] == "auto"
    assert stage.digests()["precision"] == "bfloat16"
    assert stage.part_digests(3, stage.digests())["precision"] == "bfloat16"
    stage.survey(survey)
    stage.note_precision(part)
    assert survey.facts == part.notes == {"precision": "bfloat16"}


def test_auto_without_a_card_is_another_fingerprint() -> None:
    stage = Featurize(precision="auto", device="cpu")
    assert stage.digests() == {"precision": "float32"}
    part = InMemory({})
    assert stage.note_precision(part) == "float32"
    assert part.notes == {"precision": "float32"}


@pytest.mark.parametrize("precision", ["tf32", "float16"])
@STAGE
def test_a_precision_that_this_device_lacks_is_refused(
    kind: type[NetworkStage], options: dict[str, Any], precision: Any
) -> None:
    with pytest.raises(OptionError, match=f"--precision {precision} needs a CUDA device"):
        kind(**options, precision=precision, device="cpu").computed_in()


def test_an_unknown_precision_is_refused_with_those_there_are() -> None:
    with pytest.raises(OptionError, match="rc detect: --precision must be one of float32, tf32, b"):
        Detect(names="cat", precision="int8")  # type: ignore[arg-type]


def test_a_precision_is_refused_where_no_network_runs() -> None:
    with pytest.raises(OptionError, match="rc label: --precision is of --from-images"):
        Label(precision="bfloat16")
    with pytest.raises(OptionError, match=r"--precision is for boxes of a network; .* --grid"):
        Propose(grid=True, precision="bfloat16")


@dataclass(frozen=True, kw_only=True)
class OfTwoMachines(NetworkStage, Ingest):
    """Each part is computed on a machine of its own, and the run started on a CPU."""

    found: str = option("", "what auto is on the machine of each part", recipe=False)

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        part.note("precision", self.found.split()[part.number])
        yield from super().run(part)


def of_two(found: str) -> OfTwoMachines:
    return OfTwoMachines(count=8, device="cpu", precision="auto", found=found)


def test_a_machine_that_finds_another_precision_fails_at_once_and_is_told_what_to_do(
    root: Path,
) -> None:
    said = "the start of the run and part 1 disagree on the note 'precision': 'float32' and "
    with pytest.raises(StageError, match=f"{said}'bfloat16'. --precision auto follows from the d"):
        make(of_two("float32 bfloat16"), root)
    assert list(root.glob("images/*/manifest.json")) == []
    assert make(of_two("float32 float32"), root).manifest.notes["precision"] == "float32"


def test_a_store_on_another_machine_never_mixes_what_auto_is(
    root: Path, request: pytest.FixtureRequest
) -> None:
    here = make(of_two("float32 float32"), root).manifest
    request.getfixturevalue("card")
    there = make(of_two("bfloat16 bfloat16"), root).manifest
    found = (here.sources["precision"], there.sources["precision"])
    assert found == ("float32", "bfloat16")
    assert here.fingerprint != there.fingerprint
    assert there.run["reused_parts"] == 0
