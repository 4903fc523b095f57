"""What looks the same, in groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.searching import Alike, FeatureCorpus, duplicates, pairs
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


def turned(*degrees: float) -> NDArray[np.float64]:
    """Vectors of a plane, by angle."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def within(degrees: float, **how: Any) -> Alike:
    return Alike(min_cosine=float(np.cos(np.radians(degrees))), regions=True, **how)


def by_hand(corpus: FeatureCorpus, alike: Alike) -> tuple[list[list[Key]], dict[Key, float]]:
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
            if a == b or cosine < alike.min_cosine or (a[0] == b[0] and not alike.same_image):
                continue
            best[a] = max(cosine, best.get(a, -1))
            leader[lead(a)] = lead(b)
    found: dict[Key, list[Key]] = {}
    for key in best:
        found.setdefault(lead(key), []).append(key)
    place = {key: number for number, key in enumerate(vectors)}
    members = [sorted(group, key=place.__getitem__) for group in found.values()]
    return sorted(members, key=lambda group: (-len(group), place[group[0]])), best


def clear(corpus: FeatureCorpus) -> float:
    """A cosine that 10 to 60 pairs have, far from that of any: rounding decides nothing."""
    vectors = np.array(list(stored(corpus).values()))
    some = np.sort((vectors @ vectors.T)[np.triu_indices(len(vectors), 1)])[-60:-9]
    widest = np.diff(some).argmax()
    return float(some[widest : widest + 2].mean())


def test_what_is_the_same_is_a_group_and_the_rest_in_none(root: Path) -> None:
    corpus = plant(root, AXES[[0, 1, 2]], [], [AXES[3], 3 * AXES[1]], lowest=-1)
    found = duplicates(corpus, Alike())
    assert found.column_names == COLUMNS
    told = [[row[name] for name in COLUMNS[:5]] for row in found.to_pylist()]
    assert told == [[1, 2, 1.0, "0/1", -1], [1, 2, 1.0, "2/1", -1]]


@pytest.mark.parametrize("same_image", [False, True])
@pytest.mark.parametrize(("tile", "held"), [(4096, 256 << 20), (7, 1), (5, 250)])
def test_groups_are_those_of_a_loop_over_all_pairs(
    root: Path,
    seed: int,
    same_image: bool,
    tile: int,
    held: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pairs, "_TILE", tile)
    monkeypatch.setattr(pairs, "_HELD_BYTES", held)
    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=(size, 4)) for size in (17, 0, 29, 2, 8)]
    parts[0][3], parts[2][11, 1] = 0, np.nan
    corpus = plant(root, *parts, regions=4)
    alike = Alike(min_cosine=clear(corpus), regions=True, same_image=same_image)
    found = duplicates(corpus, alike)
    expected, best = by_hand(corpus, alike)
    assert groups(found) == expected
    assert expected
    told = dict(zip(keys(found), found["cosine"].to_pylist(), strict=True))
    assert told == pytest.approx(best, abs=1e-6)


def test_the_largest_group_is_the_first_and_of_equals_the_earlier(root: Path) -> None:
    found = duplicates(plant(root, AXES[[0, 1, 1, 0, 2, 2, 2, 3]]), within(1))
    names = [[image for image, _ in group] for group in groups(found)]
    assert names == [["0/4", "0/5", "0/6"], ["0/0", "0/3"], ["0/1", "0/2"]]
    assert found["group"].to_pylist() == [1, 1, 1, 2, 2, 3, 3]
    assert found["size"].to_pylist() == [3, 3, 3, 2, 2, 2, 2]


def test_a_chain_of_near_pairs_is_one_group(root: Path) -> None:
    corpus = plant(root, turned(0, 40, 10), turned(20, 90, 30))
    (group,) = groups(duplicates(corpus, within(11)))
    assert [image for image, _ in group] == ["0/0", "0/1", "0/2", "1/0", "1/2"]


def test_the_cosine_is_that_of_the_most_similar_other(root: Path) -> None:
    found = duplicates(plant(root, turned(0, 9, 14)), within(10))
    expected = np.cos(np.radians([9, 5, 5]))
    np.testing.assert_allclose(found["cosine"], expected, atol=1e-6)


def test_no_pair_is_further_apart_than_the_least_cosine(root: Path) -> None:
    corpus = plant(root, turned(0, 10))
    assert duplicates(corpus, within(9.99)).num_rows == 0
    assert duplicates(corpus, within(10.01)).num_rows == 2


def test_a_pair_exactly_at_the_least_cosine_is_one(root: Path) -> None:
    corpus = plant(root, [[1, 0], [3, 4]])
    assert duplicates(corpus, Alike(min_cosine=0.6, regions=True)).num_rows == 2


def test_no_cosine_is_above_one_however_it_was_rounded(root: Path, seed: int) -> None:
    same = np.random.default_rng(seed).normal(size=(40, 97))
    found = duplicates(plant(root, same, same), Alike(min_cosine=1, regions=True))
    assert [len(group) for group in groups(found)] == [2] * 40
    assert found["cosine"].to_pylist() == pytest.approx([1] * 80, abs=1e-6)
    assert max(found["cosine"].to_pylist()) <= 1


def test_at_the_lowest_cosine_everything_is_one_group(root: Path) -> None:
    corpus = plant(root, turned(0, 180, 90), turned(270))
    assert duplicates(corpus, Alike(min_cosine=-1, regions=True)).num_rows == 4


@pytest.mark.parametrize("cosine", [1.0001, -1.5, float("nan"), float("inf")])
def test_a_cosine_that_is_none_is_refused(cosine: float) -> None:
    with pytest.raises(OptionError, match=rf"--min-cosine is in \[-1, 1\], got {cosine}"):
        Alike(min_cosine=cosine)


def test_regions_of_one_image_are_a_pair_only_if_they_may_be(root: Path) -> None:
    corpus = plant(root, AXES[[0, 0, 1, 2]], regions=2)
    assert duplicates(corpus, within(1)).num_rows == 0
    (group,) = groups(duplicates(corpus, within(1, same_image=True)))
    assert group == [("0/0", 0), ("0/0", 1)]


def test_regions_of_one_image_meet_in_what_another_has(root: Path) -> None:
    corpus = plant(root, AXES[[0, 0, 0, 1]], regions=2)
    (group,) = groups(duplicates(corpus, within(1)))
    assert group == [("0/0", 0), ("0/0", 1), ("0/1", 0)]


def test_whole_images_and_regions_are_not_compared_with_each_other(root: Path) -> None:
    corpus = plant(root, AXES[[0, 1, 1, 0, 0, 1]], regions=2, lowest=-1)
    assert groups(duplicates(corpus, Alike())) == [[("0/0", -1), ("0/2", -1)]]
    assert groups(duplicates(corpus, within(1))) == [[("0/0", 0), ("0/2", 0)]]


def test_only_what_a_predicate_allows_is_compared(root: Path) -> None:
    corpus = plant(root, turned(0, 10, 20), turned(1))
    everything = groups(duplicates(corpus, within(11)))
    assert [len(group) for group in everything] == [4]
    apart = duplicates(corpus, within(11, where="image_id <> '0/1'"))
    assert groups(apart) == [[("0/0", 0), ("1/0", 0)]]
    assert duplicates(corpus, within(11, where="image_id LIKE '1/%'")).num_rows == 0


def test_a_predicate_may_use_what_a_region_is_called(root: Path) -> None:
    make_all(root, count=9)
    corpus = FeatureCorpus.find(root)
    assert corpus.labels is not None
    labels = rows_of(corpus.labels).to_pylist()
    unsure = {(row["image_id"], row["region"]) for row in labels if row["probability"] < 0.4}
    found = duplicates(corpus, Alike(min_cosine=0, regions=True, where="probability < 0.4"))
    assert set(keys(found)) == unsure
    assert None not in found["concept"].to_pylist() + found["x0"].to_pylist()


def test_what_is_no_predicate_is_refused(root: Path) -> None:
    corpus = plant(root, AXES)
    for where in ("concept =", "true; DROP VIEW features", "random() > 0.5", "nosuch = 1"):
        with pytest.raises(QueryError):
            duplicates(corpus, within(1, where=where))


def test_what_has_no_direction_is_no_duplicate(root: Path) -> None:
    corpus = plant(root, np.zeros((3, 2)), np.full((2, 2), np.nan), turned(5, 5))
    assert groups(duplicates(corpus, within(179))) == [[("2/0", 0), ("2/1", 0)]]


@pytest.mark.parametrize("parts", [[[]], [[[1, 0]]], [[], [[1, 0]], []]])
def test_fewer_than_two_have_no_duplicate(root: Path, parts: list[list[list[float]]]) -> None:
    corpus = plant(root, *parts, lowest=-1)
    for regions in (False, True):
        found = duplicates(corpus, Alike(regions=regions, min_cosine=-1))
        assert (found.column_names, found.num_rows) == (COLUMNS, 0)


def test_without_whole_images_regions_are_what_can_be_compared(root: Path) -> None:
    with pytest.raises(ArtifactError, match=r"has no whole images \(region -1\), which rc featuri"):
        duplicates(plant(root, AXES), Alike())


def test_a_predicate_that_allows_no_whole_image_is_no_lack_of_them(root: Path) -> None:
    assert duplicates(plant(root, AXES, lowest=-1), Alike(where="false")).num_rows == 0


def test_the_pairs_compared_are_told_as_they_are(root: Path) -> None:
    listener = Listener()
    duplicates(plant(root, AXES, [], AXES[:2]), within(1), listener)
    assert listener.started == [("duplicates", 18, "pairs")]
    assert (listener.count, listener.stopped) == (18, 1)
