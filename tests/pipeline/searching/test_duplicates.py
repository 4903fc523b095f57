"""Groups of images, or regions, that look the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.searching import DuplicateCriteria, FeatureCorpus, find_duplicates, similar_pairs
from schemas.errors import ArtifactError, OptionError, QueryError
from tests.pipeline.helpers import Listener, make_all, rows_of
from tests.pipeline.searching.planted import groups, keys, plant, stored

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.pipeline.searching.planted import Key

COLUMNS = ["group", "size", "cosine", "image_id", "region", "x0", "y0", "x1", "y1"]
COLUMNS += ["objectness", "concept", "probability"]
AXES = np.eye(4)


def directions(*degrees: float) -> NDArray[np.float64]:
    """Unit vectors of the plane, by angle."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def within(degrees: float, **options: Any) -> DuplicateCriteria:
    return DuplicateCriteria(min_cosine=float(np.cos(np.radians(degrees))), regions=True, **options)


def brute_force_groups(
    corpus: FeatureCorpus, criteria: DuplicateCriteria
) -> tuple[list[list[Key]], dict[Key, float]]:
    """Groups, the largest first, and the highest cosine of each member; pair by pair."""
    vectors = stored(corpus)
    leader = {key: key for key in vectors}
    best: dict[Key, float] = {}

    def lead(key: Key) -> Key:
        while leader[key] != key:
            key = leader[key]
        return key

    for a, first in vectors.items():
        for b, second in vectors.items():
            cosine = float(first @ second)
            if a == b or cosine < criteria.min_cosine or (a[0] == b[0] and not criteria.same_image):
                continue
            best[a] = max(cosine, best.get(a, -1))
            leader[lead(a)] = lead(b)
    by_leader: dict[Key, list[Key]] = {}
    for key in best:
        by_leader.setdefault(lead(key), []).append(key)
    position = {key: number for number, key in enumerate(vectors)}
    members = [sorted(group, key=position.__getitem__) for group in by_leader.values()]
    return sorted(members, key=lambda group: (-len(group), position[group[0]])), best


def separating_cosine(corpus: FeatureCorpus) -> float:
    """A threshold that 10 to 60 pairs pass, in the widest gap between their cosines."""
    vectors = np.array(list(stored(corpus).values()))
    highest = np.sort((vectors @ vectors.T)[np.triu_indices(len(vectors), 1)])[-60:-9]
    widest = np.diff(highest).argmax()
    return float(highest[widest : widest + 2].mean())


def test_equal_vectors_form_a_group_and_the_rest_is_left_out(root: Path) -> None:
    corpus = plant(root, AXES[[0, 1, 2]], [], [AXES[3], 3 * AXES[1]], lowest=-1)
    duplicates = find_duplicates(corpus, DuplicateCriteria())
    assert duplicates.column_names == COLUMNS
    rows = [[row[name] for name in COLUMNS[:5]] for row in duplicates.to_pylist()]
    assert rows == [[1, 2, 1.0, "0/1", -1], [1, 2, 1.0, "2/1", -1]]


@pytest.mark.slow
@pytest.mark.parametrize("same_image", [False, True])
@pytest.mark.parametrize(("tile", "held"), [(4096, 256 << 20), (7, 1), (5, 250)])
def test_groups_equal_those_of_a_loop_over_all_pairs(
    root: Path,
    seed: int,
    same_image: bool,
    tile: int,
    held: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(similar_pairs, "_TILE", tile)
    monkeypatch.setattr(similar_pairs, "_HELD_BYTES", held)
    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=(size, 4)) for size in (17, 0, 29, 2, 8)]
    parts[0][3], parts[2][11, 1] = 0, np.nan
    corpus = plant(root, *parts, regions=4)
    criteria = DuplicateCriteria(
        min_cosine=separating_cosine(corpus), regions=True, same_image=same_image
    )
    duplicates = find_duplicates(corpus, criteria)
    expected, best = brute_force_groups(corpus, criteria)
    assert groups(duplicates) == expected
    assert expected
    cosines = dict(zip(keys(duplicates), duplicates["cosine"].to_pylist(), strict=True))
    assert cosines == pytest.approx(best, abs=1e-6)


@pytest.mark.slow
def test_groups_come_by_size_then_by_position(root: Path) -> None:
    duplicates = find_duplicates(plant(root, AXES[[0, 1, 1, 0, 2, 2, 2, 3]]), within(1))
    names = [[image for image, _ in group] for group in groups(duplicates)]
    assert names == [["0/4", "0/5", "0/6"], ["0/0", "0/3"], ["0/1", "0/2"]]
    assert duplicates["group"].to_pylist() == [1, 1, 1, 2, 2, 3, 3]
    assert duplicates["size"].to_pylist() == [3, 3, 3, 2, 2, 2, 2]


def test_a_chain_of_similar_pairs_is_one_group(root: Path) -> None:
    corpus = plant(root, directions(0, 40, 10), directions(20, 90, 30))
    (group,) = groups(find_duplicates(corpus, within(11)))
    assert [image for image, _ in group] == ["0/0", "0/1", "0/2", "1/0", "1/2"]


def test_the_cosine_is_that_of_the_most_similar_other_member(root: Path) -> None:
    duplicates = find_duplicates(plant(root, directions(0, 9, 14)), within(10))
    expected = np.cos(np.radians([9, 5, 5]))
    np.testing.assert_allclose(duplicates["cosine"], expected, atol=1e-6)


@pytest.mark.slow
def test_a_pair_below_the_minimum_cosine_is_no_duplicate(root: Path) -> None:
    corpus = plant(root, directions(0, 10))
    assert find_duplicates(corpus, within(9.99)).num_rows == 0
    assert find_duplicates(corpus, within(10.01)).num_rows == 2


def test_a_pair_exactly_at_the_minimum_cosine_is_a_duplicate(root: Path) -> None:
    corpus = plant(root, [[1, 0], [3, 4]])
    assert find_duplicates(corpus, DuplicateCriteria(min_cosine=0.6, regions=True)).num_rows == 2


@pytest.mark.slow
def test_rounding_never_gives_a_cosine_above_one(root: Path, seed: int) -> None:
    same = np.random.default_rng(seed).normal(size=(40, 97))
    duplicates = find_duplicates(
        plant(root, same, same), DuplicateCriteria(min_cosine=1, regions=True)
    )
    assert [len(group) for group in groups(duplicates)] == [2] * 40
    assert duplicates["cosine"].to_pylist() == pytest.approx([1] * 80, abs=1e-6)
    assert max(duplicates["cosine"].to_pylist()) <= 1


@pytest.mark.slow
def test_a_minimum_cosine_of_minus_one_gives_one_group(root: Path) -> None:
    corpus = plant(root, directions(0, 180, 90), directions(270))
    assert find_duplicates(corpus, DuplicateCriteria(min_cosine=-1, regions=True)).num_rows == 4


@pytest.mark.parametrize("cosine", [1.0001, -1.5, float("nan"), float("inf")])
def test_a_minimum_cosine_outside_its_range_is_refused(cosine: float) -> None:
    with pytest.raises(OptionError, match=rf"--min-cosine is in \[-1, 1\], got {cosine}"):
        DuplicateCriteria(min_cosine=cosine)


@pytest.mark.slow
def test_regions_of_one_image_are_a_pair_only_with_same_image(root: Path) -> None:
    corpus = plant(root, AXES[[0, 0, 1, 2]], regions=2)
    assert find_duplicates(corpus, within(1)).num_rows == 0
    (group,) = groups(find_duplicates(corpus, within(1, same_image=True)))
    assert group == [("0/0", 0), ("0/0", 1)]


@pytest.mark.slow
def test_a_region_of_another_image_can_join_two_regions_of_one_image(root: Path) -> None:
    corpus = plant(root, AXES[[0, 0, 0, 1]], regions=2)
    (group,) = groups(find_duplicates(corpus, within(1)))
    assert group == [("0/0", 0), ("0/0", 1), ("0/1", 0)]


@pytest.mark.slow
def test_whole_images_and_regions_are_not_compared_with_each_other(root: Path) -> None:
    corpus = plant(root, AXES[[0, 1, 1, 0, 0, 1]], regions=2, lowest=-1)
    assert groups(find_duplicates(corpus, DuplicateCriteria())) == [[("0/0", -1), ("0/2", -1)]]
    assert groups(find_duplicates(corpus, within(1))) == [[("0/0", 0), ("0/2", 0)]]


@pytest.mark.slow
def test_only_rows_that_pass_the_predicate_are_compared(root: Path) -> None:
    corpus = plant(root, directions(0, 10, 20), directions(1))
    everything = groups(find_duplicates(corpus, within(11)))
    assert [len(group) for group in everything] == [4]
    narrowed = find_duplicates(corpus, within(11, where="image_id <> '0/1'"))
    assert groups(narrowed) == [[("0/0", 0), ("1/0", 0)]]
    assert find_duplicates(corpus, within(11, where="image_id LIKE '1/%'")).num_rows == 0


@pytest.mark.slow
def test_a_predicate_may_use_the_pseudo_labels(root: Path) -> None:
    make_all(root, count=9)
    corpus = FeatureCorpus.find(root)
    assert corpus.labels is not None
    labels = rows_of(corpus.labels).to_pylist()
    unsure = {(row["image_id"], row["region"]) for row in labels if row["probability"] < 0.4}
    duplicates = find_duplicates(
        corpus, DuplicateCriteria(min_cosine=0, regions=True, where="probability < 0.4")
    )
    assert set(keys(duplicates)) == unsure
    assert None not in duplicates["concept"].to_pylist() + duplicates["x0"].to_pylist()


@pytest.mark.slow
def test_an_invalid_predicate_is_refused(root: Path) -> None:
    corpus = plant(root, AXES)
    for where in ("concept =", "true; DROP VIEW features", "random() > 0.5", "nosuch = 1"):
        with pytest.raises(QueryError):
            find_duplicates(corpus, within(1, where=where))


def test_a_vector_without_direction_is_no_duplicate(root: Path) -> None:
    corpus = plant(root, np.zeros((3, 2)), np.full((2, 2), np.nan), directions(5, 5))
    assert groups(find_duplicates(corpus, within(179))) == [[("2/0", 0), ("2/1", 0)]]


@pytest.mark.slow
@pytest.mark.parametrize("parts", [[[]], [[[1, 0]]], [[], [[1, 0]], []]])
def test_fewer_than_two_rows_have_no_duplicates(root: Path, parts: list[list[list[float]]]) -> None:
    corpus = plant(root, *parts, lowest=-1)
    for regions in (False, True):
        duplicates = find_duplicates(corpus, DuplicateCriteria(regions=regions, min_cosine=-1))
        assert (duplicates.column_names, duplicates.num_rows) == (COLUMNS, 0)


def test_features_without_whole_images_are_refused_unless_regions_are_compared(root: Path) -> None:
    with pytest.raises(ArtifactError, match=r"has no whole images \(region -1\), which rc featuri"):
        find_duplicates(plant(root, AXES), DuplicateCriteria())


@pytest.mark.slow
def test_a_predicate_that_no_whole_image_passes_gives_an_empty_table(root: Path) -> None:
    assert (
        find_duplicates(plant(root, AXES, lowest=-1), DuplicateCriteria(where="false")).num_rows
        == 0
    )


@pytest.mark.slow
def test_every_compared_pair_is_reported_as_progress(root: Path) -> None:
    listener = Listener()
    find_duplicates(plant(root, AXES, [], AXES[:2]), within(1), listener)
    assert listener.started == [("duplicates", 18, "pairs")]
    assert (listener.count, listener.stopped) == (18, 1)
