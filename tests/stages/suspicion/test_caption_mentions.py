"""What captions mention: exactly, nearly, or without a region."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from stages.suspicion.caption_mentions import (
    CaptionMentions,
    ids_by_name,
    instead,
    mention,
    ranked_lists,
    unmet,
    wrong_by_mention,
)


def test_mentions_are_ids_of_the_pool_by_image() -> None:
    rows = pa.record_batch(
        {"image_id": ["a", "a", "b", "a", "c"], "concept": ["dog", "cat", "ufo", "dog", "cat"]}
    )
    index = ids_by_name(["cat", "dog"], np.array([0, 5], np.int32))
    mentions = CaptionMentions([rows], index)
    assert [mentions.of(image).tolist() for image in "abcd"] == [[0, 5], [], [0], []]
    some = CaptionMentions([rows], index, {"c"})
    assert [some.of(image).tolist() for image in "ac"] == [[], [0]]


def test_a_near_synonym_counts_half_and_no_mention_at_all_is_not_known() -> None:
    vectors = np.array([[1.0, 0], [0.8, 0.6], [0, 1]], np.float32)
    labels = np.array([0, 1, 2])
    assert mention(labels, np.array([0]), vectors).tolist() == [1.0, 0.5, 0.0]
    assert np.isnan(mention(labels, np.zeros(0, int), vectors)).all()


def test_mentions_are_weighed_by_bayes_rule() -> None:
    rng = np.random.default_rng()
    base, more = rng.uniform(0.01, 0.4, 2)
    expected, labels = base + more, 400_000
    wrong = rng.random(labels) < 0.5
    told = rng.random(labels) < np.where(wrong, base, expected)
    for value in (0.0, 1.0):
        (found,) = wrong_by_mention(np.array([value]), np.array([expected]), np.array([base]))
        assert found == pytest.approx(wrong[told == value].mean(), abs=0.02)


def test_captions_that_are_always_silent_or_unknown_say_nothing() -> None:
    told = np.array([1.0, 0.0, 0.5, 1.0, 0.0, np.nan])
    expected = np.array([0.0, 0.0, 0.0, np.nan, 1.0, 0.5])
    base = np.array([0.0, 0.0, 0.0, 0.1, 1.0, 0.1])
    found = wrong_by_mention(told, expected, base)
    np.testing.assert_array_equal(found, [0.5, 0.5, 0.5, np.nan, 0.5, np.nan])


def test_shares_are_of_images() -> None:
    rows = pa.record_batch({"image_id": ["a", "b", "b"], "concept": ["cat", "cat", "dog"]})
    mentions = CaptionMentions([rows], {"cat": 0, "dog": 2})
    assert mentions.shares(["a", "b", "c", "d"], 3).tolist() == [0.5, 0.0, 0.25]
    assert mentions.shares([], 2).tolist() == [0.0, 0.0]


def test_the_best_candidate_for_a_concept_without_a_region_is_dropped_and_has_it_in_its_list() -> (
    None
):
    ranked = np.array([[0, 1], [2, 1], [3, 1], [1, 2]])
    chances = np.array([[0.9, 0.1], [0.5, 0.4], [0.6, 0.3], [0.2, 0.1]])
    kept = np.array([True, True, False, False])
    ids, missing = unmet(ranked, chances, kept, np.array([0, 1, 4]))
    assert ids.tolist() == [-1, -1, 1, -1]  # 0 has a region; of the dropped the third is best
    assert missing == 2  # 1 and 4
    ids, missing = unmet(ranked, chances, kept, np.array([1, 3]))
    assert ids.tolist() == [-1, -1, 3, -1]  # it is best for both, and likelier to be 3
    none = np.zeros((0, 2), int)
    ids, missing = unmet(none, np.zeros((0, 2)), np.zeros(0, bool), np.array([1]))
    assert (ids.tolist(), missing) == ([], 1)


def test_what_it_may_be_instead_is_mentioned_if_any_is() -> None:
    ranked = np.array([[0, 1, 2], [1, 0, 2], [3, -1, -1]])
    concepts = ranked[:, 0]
    assert instead(ranked, concepts, np.array([2])) == [2, 2, None]
    assert instead(ranked, concepts, np.zeros(0, int)) == [1, 0, None]


@pytest.mark.parametrize("offset", [0, 1])
def test_lists_are_cut_and_filled(offset: int) -> None:
    rows = pa.table({"top": pa.array([[7], [1, 2, 3], [], [4, 5]], pa.list_(pa.int32()))})
    expected = [[7, -1], [1, 2], [-1, -1], [4, 5]]
    assert ranked_lists(rows.slice(offset), "top", 2, -1).tolist() == expected[offset:]
    none = pa.table({"top": pa.array([[]], pa.list_(pa.int32()))})
    assert ranked_lists(none, "top", 2, -1).tolist() == [[-1, -1]]
