"""What captions say of two names, by brute force over every caption."""

from __future__ import annotations

from itertools import combinations, permutations
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.analysis.caption_pairs import CaptionPairs, count_captions
from stages.extract_concepts import ExtractConcepts
from tests.pipeline.helpers import make, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact

Captions = dict[str, list[set[str]]]  # words by caption, by image


def pool_of(captions: Captions, root: Path, folder: Path, **options: int) -> Artifact:
    lines = [
        f"{key}\t{' '.join(sorted(words))}" for key, texts in captions.items() for words in texts
    ]
    folder.mkdir(exist_ok=True)
    (folder / "c.tsv").write_text("key\tcaption\n" + "\n".join(lines))
    stage = ExtractConcepts(
        captions=folder / "c.tsv", parser="ngram:1", **{"min_frequency": 1, **options}
    )
    return make(stage, root)


def random_captions(seed: int, most: int) -> Captions:
    rng = np.random.default_rng(seed)
    words = np.array([f"w{n}" for n in range(7)])
    return {
        f"i{n:02}": [
            set(rng.choice(words, rng.integers(1, 5))) for _ in range(rng.integers(1, most + 1))
        ]
        for n in range(40)
    }


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "most"), [(0, 1), (1, 2), (2, 5)])
def test_counts_equal_those_of_brute_force(tmp_path: Path, seed: int, most: int) -> None:
    captions = random_captions(seed, most)
    pool = pool_of(captions, tmp_path / "store", tmp_path, min_frequency=4)
    names = rows_of(pool).column("concept").to_pylist()
    pairs = list(combinations(range(len(names)), 2))
    first, second = (np.array(ids, np.int64) for ids in zip(*pairs, strict=True))
    said = count_captions(pool.root, pool.address, first, second)
    several = [texts for texts in captions.values() if len(texts) > 1]
    assert said.captions == sum(map(len, captions.values()))
    assert said.with_others == sum(map(len, several))
    assert said.caption_pairs == sum(len(texts) * (len(texts) - 1) for texts in several)
    assert said.comparable == (most > 1)
    for k, (i, j) in enumerate(pairs):
        a, b = names[i], names[j]
        assert said.together[k] == sum(
            {a, b} <= text for texts in captions.values() for text in texts
        )
        assert said.mixed_together[k] == sum({a, b} <= text for texts in several for text in texts)
        apart = [sum(a in x and b in y for x, y in permutations(t, 2)) for t in captions.values()]
        assert said.apart[k] == sum(apart)
        assert said.images[k] == sum(map(bool, apart))
        sizes = [max(len(texts) - 1, 1) for texts in captions.values()]
        mixed = sum(n / size for n, size in zip(apart, sizes, strict=True))
        assert said.mixed[k] == pytest.approx(mixed)


def test_a_deal_of_mentions_puts_as_many_into_one_caption_as_mixed_says() -> None:
    rng, together, mixed = np.random.default_rng(0), 0, 0.0
    for _ in range(4000):
        count = int(rng.integers(2, 6))
        a, b = rng.random((2, count)) < 0.5
        together += int((a & b).sum())
        mixed += (a.sum() * b.sum() - (a & b).sum()) / (count - 1)
    assert mixed == pytest.approx(together, rel=0.03)


def said(**counts: int) -> CaptionPairs:
    arrays = ("together", "apart", "images", "mixed", "mixed_together")
    given = {"captions": 100, "with_others": 100, "caption_pairs": 200, "images": 1, **counts}
    given["mixed_together"] = given["together"]
    return CaptionPairs(**{k: np.array([v]) if k in arrays else v for k, v in given.items()})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("together", "apart", "mixed", "expected"),
    [
        (0, 12, 6, True),  # by chance 20 · 10 / 100² · 200 = 4
        (0, 11, 6, False),  # not three times as often as by chance
        (2, 12, 6, True),
        (3, 12, 6, False),  # more than a third of what two things would have
    ],
)
def test_several_captions_of_an_image_are_compared(
    together: int, apart: int, mixed: int, expected: bool
) -> None:
    counts = said(together=together, apart=apart, mixed=mixed)
    assert counts.of_one_thing(np.array([20]), np.array([10])).tolist() == [expected]


def test_fewer_than_three_pairs_of_captions_say_nothing() -> None:
    for apart, expected in ((2, False), (3, True)):
        counts = said(together=0, apart=apart, mixed=apart)
        assert counts.of_one_thing(np.array([1]), np.array([1])).tolist() == [expected]


def test_single_captions_speak_against_what_they_have_together_more_often_than_by_chance() -> None:
    for together, expected in ((2, True), (3, False)):
        counts = said(together=together, apart=0, mixed=0, with_others=49, caption_pairs=60)
        assert not counts.comparable
        assert counts.of_one_thing(np.array([20]), np.array([10])).tolist() == [expected]
