from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.errors import OptionError
from stages.detect import Detect
from stages.embed_concepts import EmbedConcepts
from stages.evaluate import Evaluate
from stages.finetune import Finetune

if TYPE_CHECKING:
    from pathlib import Path

    from stages.base import Stage

every_stage_that_embeds_names = pytest.mark.parametrize(
    "stage", [EmbedConcepts, Evaluate, Finetune, Detect], ids=lambda stage: stage.name
)


@every_stage_that_embeds_names
def test_an_unknown_average_is_refused_with_the_choices(stage: type[Stage]) -> None:
    with pytest.raises(OptionError) as refused:
        stage(averaging="median")
    assert str(refused.value) == (
        f"rc {stage.name}: --averaging must be one of reference, openai, got 'median'"
    )


@every_stage_that_embeds_names
def test_the_average_is_in_the_recipe_and_the_templates_are_in_the_digests(
    stage: type[Stage],
) -> None:
    default, plain = stage(), stage(templates="plain")
    assert default.recipe()["averaging"] == "reference"
    assert default.recipe() == plain.recipe()  # a file of templates counts by its content
    assert stage(averaging="openai").recipe() != default.recipe()


def test_the_digest_of_templates_follows_their_text_and_not_their_path(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.txt", "b.txt", "c.txt")]
    for path, text in zip(paths, ["a photo of a {}.\n", "a photo of a {}.", "{}"], strict=True):
        path.write_text(text)
    first, second, third = (EmbedConcepts(templates=str(path)).digests() for path in paths)
    assert first == second == EmbedConcepts(templates="plain").digests()
    assert third != first
