"""Options of `rc label` and what the embeddings carry become a temperature and a bias."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from schemas.errors import ArtifactError
from stages.labelling.label_similarity import LabelSimilarity, described_similarity
from stages.models.similarity import Similarity
from tests.in_memory import InMemory

if TYPE_CHECKING:
    from pathlib import Path


def part_with(folder: Path, similarity: Similarity) -> InMemory:
    similarity.write(folder / "similarity.json")
    return InMemory({}, files={("embeddings", "similarity.json"): folder / "similarity.json"})


def test_a_given_temperature_needs_nothing_of_the_embeddings() -> None:
    scale = LabelSimilarity.of(InMemory({}), 0.2, "softmax")
    assert scale == LabelSimilarity(0.2, None, given=True)
    assert described_similarity(scale.note()) == "temperature 0.2"


def test_the_teachers_numbers_come_from_beside_the_embeddings(tmp_path: Path) -> None:
    part = part_with(tmp_path, Similarity(math.log(50), -12.5))
    softmax = LabelSimilarity.of(part, "teacher", "softmax")
    assert softmax == LabelSimilarity(0.02, None, given=False, by_sigmoid=True)
    sigmoid = LabelSimilarity.of(part, "teacher", "sigmoid")
    assert sigmoid == LabelSimilarity(0.02, -12.5, given=False, by_sigmoid=True)
    told = described_similarity(sigmoid.note())
    assert told == "sigmoid, temperature 0.02, bias -12.5, the teacher's"
    given = LabelSimilarity.of(part, 1, "sigmoid")
    assert given == LabelSimilarity(1.0, -12.5, given=True, by_sigmoid=True)


@pytest.mark.parametrize("temperature", [0.2, "teacher"])
def test_softmax_of_a_teacher_trained_by_sigmoid_is_remarked_on(tmp_path, temperature) -> None:
    (tmp_path / "clip").mkdir()
    by_sigmoid = LabelSimilarity.of(
        part_with(tmp_path, Similarity(1.0, -9.0)), temperature, "softmax"
    )
    assert "with --probability sigmoid none may fit" in described_similarity(by_sigmoid.note())
    of_clip = LabelSimilarity.of(
        part_with(tmp_path / "clip", Similarity(1.0)), temperature, "softmax"
    )
    assert "sigmoid" not in described_similarity(of_clip.note())


def test_a_bias_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="these have no logit bias"):
        LabelSimilarity.of(part_with(tmp_path, Similarity(1.0)), "teacher", "sigmoid")


def test_damage_is_not_taken_for_embeddings_without_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = part_with(tmp_path, Similarity(0.05))

    def damaged(_role: str, name: str) -> Path:
        raise ArtifactError(f"{name} differs from the hash in its manifest")

    monkeypatch.setattr(part, "attachment", damaged)
    with pytest.raises(ArtifactError, match=r"similarity\.json differs from the hash"):
        LabelSimilarity.of(part, "teacher", "softmax")
