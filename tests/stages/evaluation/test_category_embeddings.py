from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.errors import ArtifactError
from stages.evaluation.category_embeddings import (
    VocabularyConfig,
    check_box_regression,
    embed_categories,
    read_vocabulary_config,
)
from stages.evaluation.lvis_metadata import LvisMetadata
from stages.evaluation.vocabulary import Vocabulary
from tests.stages.evaluation.image_rows import image_row, object_row, part_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.in_memory import InMemory

WIDTH = 4
CONFIG = VocabularyConfig(None, {}, None, ("a {}.",), "reference")
CLIP: Any = SimpleNamespace(clip=SimpleNamespace(width=WIDTH), categories=(), embeddings=None)


def detector(*categories: str, regression: str = "agnostic") -> Any:
    """A detector whose embedding of category number k is all k."""
    rows = np.repeat(np.arange(len(categories), dtype=np.float32)[:, None], WIDTH, axis=1)
    return SimpleNamespace(
        clip=CLIP.clip, categories=categories, embeddings=rows, regression=regression
    )


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names the language encoder was asked for; its embedding is the length of the name."""
    names: list[str] = []

    def embed(clip: Any, asked: Sequence[str], *_: Any) -> torch.Tensor:
        names.extend(asked)
        return torch.tensor([[float(len(name))] * WIDTH for name in asked])

    monkeypatch.setattr("stages.models.text_embeddings.embed_names", embed)
    return names


@pytest.fixture
def part(tmp_path: Path) -> InMemory:
    """Images with objects of two categories, dog and ant."""
    return part_of(tmp_path, {}, [image_row(tmp_path, "a", [object_row("dog"), object_row("ant")])])


def give_embeddings(part: InMemory, names: Sequence[str], width: int = WIDTH) -> np.ndarray:
    vectors = np.random.default_rng(0).normal(size=(len(names), width)).astype("f4")
    rows = {"concept_id": range(len(names)), "concept": names, "prompts": [1] * len(names)}
    columns = {name: list(values) for name, values in rows.items()}
    batch = CONCEPT_EMBEDDINGS.batch({**columns, "embedding": vectors})
    part.tables["embeddings"] = pa.Table.from_batches([batch])
    return vectors


def written(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_without_any_list_the_categories_of_the_images_are_encoded(
    part: InMemory, encoded: list[str]
) -> None:
    result = embed_categories(part, CONFIG, CLIP, refuse=True)
    assert result.vocabulary.names == ("ant", "dog")
    assert result.embeddings.tolist() == [[3.0] * WIDTH] * 2
    assert encoded == ["ant", "dog"]
    protocol = result.protocol()
    assert protocol["embeddings"] == "by the language encoder"
    assert (protocol["templates"], protocol["averaging"]) == (["a {}."], "reference")


def test_a_detector_is_evaluated_on_its_own_categories_with_its_own_embeddings(
    part: InMemory, encoded: list[str]
) -> None:
    result = embed_categories(part, CONFIG, detector("dog", "cat", "ant"), refuse=True)
    assert result.vocabulary.names == ("dog", "cat", "ant")
    assert result.embeddings[:, 0].tolist() == [0.0, 1.0, 2.0]
    assert result.protocol() == {"embeddings": "the detector's own"}
    assert encoded == []


def test_a_list_of_learned_categories_takes_the_detectors_embeddings_in_its_order(
    part: InMemory, encoded: list[str]
) -> None:
    config = replace(CONFIG, categories=("ant", "dog"))
    result = embed_categories(part, config, detector("dog", "cat", "ant"), refuse=True)
    assert result.embeddings[:, 0].tolist() == [2.0, 0.0]
    assert encoded == []


def test_a_list_with_a_category_the_detector_never_learned_is_encoded_wholly(
    part: InMemory, encoded: list[str]
) -> None:
    config = replace(CONFIG, categories=("ant", "dog", "zebra"))
    result = embed_categories(part, config, detector("dog", "ant"), refuse=True)
    assert encoded == ["ant", "dog", "zebra"]
    assert result.source == "by the language encoder"


def test_given_embeddings_are_the_vocabulary(part: InMemory, encoded: list[str]) -> None:
    vectors = give_embeddings(part, ["Dog", "cow", "ant"])
    result = embed_categories(part, CONFIG, detector("dog", "ant"), refuse=True)
    assert result.vocabulary.names == ("dog", "cow", "ant")  # spelled as in the images
    np.testing.assert_array_equal(result.embeddings, vectors)
    assert result.protocol() == {"embeddings": "given"}
    assert encoded == []


def test_given_embeddings_of_another_width_are_refused(part: InMemory) -> None:
    give_embeddings(part, ["dog", "ant"], width=7)
    with pytest.raises(ArtifactError, match="embeddings are 7 wide, the model's features 4"):
        embed_categories(part, CONFIG, CLIP, refuse=True)


def test_categories_of_the_images_that_the_list_lacks_are_refused_or_remembered(
    part: InMemory, encoded: list[str]
) -> None:
    config = replace(CONFIG, categories=("ant",))
    with pytest.raises(ArtifactError) as refusal:
        embed_categories(part, config, CLIP, refuse=True)
    assert str(refusal.value) == (
        "1 categories of the images are not in the vocabulary ('dog'); "
        "add them to it, or leave their objects out with --unlisted ignore"
    )
    result = embed_categories(part, config, CLIP, refuse=False)
    assert result.unlisted == ("dog",)
    assert result.warnings(5) == [
        "5 objects were left out: the vocabulary lacks their 1 categories ('dog')"
    ]
    assert encoded == ["ant"]


@pytest.mark.usefixtures("encoded")
def test_novel_categories_that_a_detector_was_trained_on_are_warned_of(part: InMemory) -> None:
    config = replace(CONFIG, splits={"base": ("dog",), "novel": ("ant", "cat")})
    result = embed_categories(part, config, detector("cat", "dog"), refuse=True)
    assert result.warnings(0) == [
        "the detector was trained on boxes of 1 novel categories ('cat'): they are not novel to it"
    ]
    assert embed_categories(part, config, CLIP, refuse=True).warnings(0) == []


def test_names_of_lvis_are_encoded_without_underscores_and_brackets(
    part: InMemory, encoded: list[str]
) -> None:
    lvis = LvisMetadata({}, {}, {})
    config = replace(CONFIG, categories=("ant", "dog", "bat_(animal)"), lvis=lvis)
    assert embed_categories(part, config, CLIP, refuse=True).vocabulary.names[2] == "bat_(animal)"
    assert encoded == ["ant", "dog", "bat animal"]


def test_regression_by_category_needs_the_learned_categories_in_their_order() -> None:
    reversed_names = Vocabulary(("b", "a"), {})
    check_box_regression(reversed_names, detector("a", "b"))
    check_box_regression(Vocabulary(("a", "b"), {}), detector("a", "b", regression="specific"))
    with pytest.raises(ArtifactError, match="for each of the 2 categories it learned"):
        check_box_regression(reversed_names, detector("a", "b", regression="specific"))


def test_lists_come_from_their_files(tmp_path: Path) -> None:
    names = written(tmp_path, "names.txt", "dog\ncat\n")
    splits = written(tmp_path, "splits.json", {"novel": ["cat"]})
    config = read_vocabulary_config(names, splits, None, ("{}",), "openai")
    assert config == VocabularyConfig(("dog", "cat"), {"novel": ("cat",)}, None, ("{}",), "openai")


def test_lvis_stands_in_for_lists_that_are_not_given(tmp_path: Path) -> None:
    kinds = {3: ("owl", "f"), 1: ("ant", "r"), 2: ("bee", "c")}
    categories = [{"id": k, "name": n, "frequency": f} for k, (n, f) in kinds.items()]
    path = written(tmp_path, "lvis.json", {"images": [], "categories": categories})
    config = read_vocabulary_config(None, None, path, ("{}",), "openai")
    assert config.categories == ("ant", "bee", "owl")
    assert config.splits == {"base": ("bee", "owl"), "novel": ("ant",)}
    common = written(tmp_path, "names.txt", "bee\nowl")
    without_rare = read_vocabulary_config(common, None, path, ("{}",), "openai")
    assert without_rare.categories == ("bee", "owl")
    assert without_rare.splits == {"base": ("bee", "owl")}  # a split without names is left out
    splits = written(tmp_path, "splits.json", {"birds": ["owl"]})
    assert read_vocabulary_config(None, splits, path, ("{}",), "openai").splits == {
        "birds": ("owl",)
    }
