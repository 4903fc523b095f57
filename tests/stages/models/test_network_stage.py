"""A precision belongs to what identifies an artifact, unless it is the float32 of always."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from pipeline.execution.notes import Notes
from schemas.errors import OptionError
from stages.detect import Detect
from stages.evaluate import Evaluate
from stages.featurize import Featurize
from stages.label import Label
from stages.models import device
from stages.propose import Propose
from tests.in_memory import InMemory

if TYPE_CHECKING:
    from stages.models.network_stage import NetworkStage

STAGES: list[tuple[type[NetworkStage], dict[str, Any]]] = [
    (Featurize, {}),
    (Label, {"from_images": True}),
    (Propose, {}),
    (Evaluate, {}),
    (Detect, {"names": "cat"}),
]
STAGE = pytest.mark.parametrize(("kind", "options"), STAGES)


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
