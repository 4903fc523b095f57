from __future__ import annotations

import gzip
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stages.evaluation.vocabulary import LISTS
from stages.text.parser_training import nouns, other_words
from stages.text.parsing.engines import load_parser
from stages.text.parsing.given_names import GivenNames
from stages.text.parsing.word_lists import LEXICAL_NAMES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.text.parsing.engines import CaptionParser

pytestmark = pytest.mark.slow

CORPUS = Path(__file__).parents[5] / "shared" / "data" / "captions" / "captions.tsv.gz"
AS_WRITTEN = {
    "traffic_light": "a traffic light and a dog",
    "T-shirt": "a man in a t-shirt",
    "x-ray": "an X-Ray of a hand",
    "Wine Glasses": "two wine glasses",
    "hot dogs": "a hot dog",
    "caf\u00e9": "in a cafe\u0301",
    "bow_(weapon)": "a bow in a room",
    "Coca-Cola": "a coca cola",
    "A-frame": "an a-frame house",
    "jack-o'-lantern": "a Jack-o\u2019-lantern",
    "Pen/Pencil": "a pencil on paper",
    "tench, Tinca tinca": "a man holds a tench",
    "gazebo": "the gazebo's roof",
    "background": "trees in the background",
    "4x4": "a 4x4 on a road",
    "red panda": "the red pandas",
    "merry-go-round": "children on a merry go round",
    "dr. pepper": "a can of Dr. Pepper",
    "skis": "a man on skis",
}


@pytest.fixture(scope="module")
def bundled() -> CaptionParser:
    return load_parser()


def counts(names: Sequence[str], parser: CaptionParser, caption: str) -> Counter[str]:
    (mentions,) = GivenNames(names, parser).mentions([caption])
    return Counter(mentions)


@pytest.mark.parametrize("engine", ["bundled", "lexicon", "ngram:4"])
@pytest.mark.parametrize("name", AS_WRITTEN)
def test_a_name_is_found_as_it_is_written(bundled: CaptionParser, engine: str, name: str) -> None:
    names = list(AS_WRITTEN)
    parser = bundled if engine == "bundled" else load_parser(engine, names=names)
    assert counts(names, parser, AS_WRITTEN[name])[name] == 1


def test_every_concept_of_the_bundled_lists_is_found_in_a_sentence(bundled: CaptionParser) -> None:
    training = [
        name
        for value in vars(nouns).values()
        if isinstance(value, tuple)
        for name in value
        if isinstance(name, str) and ":" not in name and name not in other_words.ADJECTIVES
    ]
    hyphened = ["t-shirt", "x-ray", "a-frame", "v-neck sweater", "ice-cream cone", "close-up lens"]
    names = list(dict.fromkeys([*hyphened, *LISTS["coco-80"], *LEXICAL_NAMES, *training]))
    assert len(names) > 1500
    articles = ("an" if name[0] in "aeiou" else "a" for name in names)
    captions = [f"a man with {a} {n} in a room" for a, n in zip(articles, names, strict=True)]
    mentions = GivenNames(names, bundled).mentions(captions)
    missing = [name for name, found in zip(names, mentions, strict=True) if name not in found]
    assert missing == []


def test_a_list_only_adds_to_what_the_parser_finds(bundled: CaptionParser) -> None:
    caption = "a child in a child seat beside a t-shirt and a dog house"
    names = ["child", "t-shirt", "dog house", "dog", "seat"]
    assert counts(names, bundled, caption) == {
        "child": 1, "t-shirt": 1, "dog house": 1,
    }  # fmt: skip


@pytest.mark.parametrize("engine", ["bundled", "lexicon", "ngram:4"])
def test_each_alternative_of_a_name_is_counted_once(bundled: CaptionParser, engine: str) -> None:
    names = ["Cabinet/shelf", "traffic light", "traffic_light"]
    parser = bundled if engine == "bundled" else load_parser(engine, names=names)
    assert counts(names, parser, "a cabinet, two shelves and a traffic light") == {
        "Cabinet/shelf": 2, "traffic light": 1, "traffic_light": 1,
    }  # fmt: skip


@pytest.mark.parametrize("engine", ["bundled", "lexicon", "ngram:4"])
def test_names_are_found_in_the_plural_and_as_owners(bundled: CaptionParser, engine: str) -> None:
    parser = bundled if engine == "bundled" else load_parser(engine, names=["gazebo", "knife"])
    caption = "the gazebo's roof and two knives"
    assert counts(["gazebo", "knife"], parser, caption) == {"gazebo": 1, "knife": 1}


def test_names_of_one_word_are_found_where_they_are_nouns(bundled: CaptionParser) -> None:
    assert counts(["watch", "plant"], bundled, "a boy watches a man plant trees") == {}


def test_adjectives_and_auxiliaries_are_no_names(bundled: CaptionParser) -> None:
    names = ["orange", "can", "high"]
    assert counts(names, bundled, "a man in an orange shirt can jump high") == {}
    assert counts(names, bundled, "an orange beside the can") == {"orange": 1, "can": 1}


def test_captions_are_read_as_a_stream_of_any_length(bundled: CaptionParser) -> None:
    captions = ["a dog"] * 1_001
    assert list(GivenNames(["dog"], bundled).mentions(captions)) == [["dog"]] * 1_001


@pytest.mark.skipif(not CORPUS.exists(), reason="the real captions are not beside the project")
def test_a_pool_given_back_finds_every_mention_again(bundled: CaptionParser) -> None:
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines:
        captions = [line.rstrip().split("\t")[2] for line in islice(lines, 0, None, 75)]
    first = [Counter(concepts) for concepts in bundled.concepts(captions)]
    pool = sorted(set().union(*first))
    assert any("-" in name for name in pool)
    again = [Counter(names) for names in GivenNames(pool, bundled).mentions(captions)]
    assert all(before <= after for before, after in zip(first, again, strict=True))
    added = sum(
        (Counter(after - before) for before, after in zip(first, again, strict=True)), Counter()
    )
    assert added.total() < 0.01 * sum(counter.total() for counter in first)
