from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.errors import ArtifactError
from stages.evaluation.embedding_checks import (
    check_same_names,
    check_width,
    names_of_embeddings,
    read_embeddings,
)

rng = np.random.default_rng(39)


def test_names_that_differ_only_in_case_spacing_and_punctuation_are_the_same() -> None:
    names = ["bat_(animal)", "Traffic light"], ["bat animal", "traffic  light"]
    assert check_same_names(*names) is None


@pytest.mark.parametrize(
    ("concepts", "message"),
    [
        (["cat", "dog"], "3 categories are evaluated, but there are 2 embeddings"),
        (["cat", "dog", "elk", "fox"], "3 categories are evaluated, but there are 4 embeddings"),
        (["cat", "elk", "dog"], "the same names in another order.*number 1 is 'dog'.*'elk'"),
        (["cat", "dog", "fox"], "other names.*number 2 is 'elk'.*'fox'"),
    ],
)
def test_lists_that_disagree_are_refused_with_the_first_difference(
    concepts: list[str], message: str
) -> None:
    with pytest.raises(ArtifactError, match=message):
        check_same_names(["cat", "dog", "elk"], concepts)


def test_names_of_splits_must_be_those_of_the_embeddings_in_any_order() -> None:
    splits = {"base": ("dog", "elk"), "novel": ("cat",)}
    assert names_of_embeddings(["cat", "dog", "Elk"], None, splits, []) == ["cat", "dog", "elk"]
    with pytest.raises(ArtifactError, match="3 categories are evaluated, but there are 2"):
        names_of_embeddings(["cat", "dog"], None, splits, [])
    with pytest.raises(ArtifactError, match="other names"):
        names_of_embeddings(["cat", "dog", "fox"], None, splits, [])


def test_without_any_list_concepts_are_spelled_as_in_the_images() -> None:
    names = names_of_embeddings(["traffic light", "dog"], None, {}, ["traffic_light", "cat"])
    assert names == ["traffic_light", "dog"]


def test_concepts_come_in_the_order_of_their_ids() -> None:
    vectors = rng.normal(size=(3, 4)).astype("f4")
    rows = {"concept_id": [2, 0, 1], "concept": ["c", "a", "b"], "prompts": [1] * 3}
    table = CONCEPT_EMBEDDINGS.batch({**rows, "embedding": vectors})
    names, matrix = read_embeddings(pa.Table.from_batches([table]))
    assert names == ["a", "b", "c"]
    np.testing.assert_array_equal(matrix, vectors[[1, 2, 0]])


def test_embeddings_of_another_width_than_the_models_are_refused() -> None:
    check_width(np.zeros((2, 8), np.float32), 8)
    with pytest.raises(ArtifactError, match="embeddings are 8 wide, the model's features 16"):
        check_width(np.zeros((2, 8), np.float32), 16)
