from __future__ import annotations

import numpy as np
import pytest

from schemas.errors import OptionError
from stages.text.parsing.engines import load_parser
from stages.text.parsing.model_free_parsers import lexicon_identity, names_digest
from stages.text.parsing.word_lists import CLOSED_CLASS


def lexicon(*names: str, caption: str) -> list[str]:
    (concepts,) = load_parser("lexicon", names=names).concepts([caption])
    return concepts


def ngrams(engine: str, caption: str) -> list[str]:
    (concepts,) = load_parser(engine).concepts([caption])
    return concepts


def test_a_lexicon_finds_its_names_in_singular_and_plural() -> None:
    concepts = lexicon("dog", "Wine Glasses", caption="Dogs beside a wine glass and a dog.")
    assert concepts == ["dog", "Wine Glasses", "dog"]


def test_a_lexicon_takes_the_longest_name_and_none_inside_it() -> None:
    names = ("dog", "hot dog", "hot dog bun", "bun")
    assert lexicon(*names, caption="a hot-dog bun, a hot dog, a bun") == [
        "hot dog bun",
        "hot dog",
        "bun",
    ]


def test_a_lexicon_matches_whole_words() -> None:
    assert lexicon("cat", caption="a caterpillar, concatenated") == []


def test_of_two_spellings_the_one_in_the_caption_is_reported_else_the_first() -> None:
    assert lexicon("Dogs", "dog", caption="a dog and dogs") == ["dog", "Dogs"]
    assert lexicon("oxen", "Oxen", caption="an ox") == ["oxen"]


def test_names_are_found_without_their_sense_and_under_their_alternatives() -> None:
    names = ("bow_(weapon)", "bow_(ribbon)", "Monitor/TV", "(x)", "mouse_(device) computer_mouse")
    assert lexicon(*names, caption="a bow") == ["bow_(weapon)", "bow_(ribbon)"]
    assert lexicon(*names, caption="a TV, two monitors") == ["Monitor/TV", "Monitor/TV"]
    assert lexicon(*names, caption="a mouse, a computer mouse") == [names[4], names[4]]
    assert lexicon(*names, caption="an x") == ["(x)"]


def test_names_are_found_in_scripts_without_spaces() -> None:
    assert lexicon("狗", "公共汽车", caption="街上有一辆红色的公共汽车和狗") == ["公共汽车", "狗"]
    assert lexicon("犬", caption="犬がソファの上に寝ている") == ["犬"]
    assert lexicon("สุนัข", caption="สุนัขนอนอยู่บนโซฟา") == ["สุนัข"]


@pytest.mark.parametrize("names", [(), ("", "?!")])
def test_a_lexicon_without_names_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(OptionError, match="needs names to look for"):
        load_parser("lexicon", names=names)


def test_ngrams_are_all_runs_of_words_except_stop_words_alone() -> None:
    assert ngrams("ngram:2", "A dog on the hill") == [
        "a dog", "dog", "dog on", "the hill", "hill",
    ]  # fmt: skip


def test_ngrams_have_at_most_ten_words_by_default() -> None:
    caption = " ".join(f"w{i}" for i in range(15))
    lengths = [len(gram.split()) for gram in ngrams("ngram", caption)]
    assert max(lengths) == 10
    assert len(lengths) == sum(15 - length + 1 for length in range(1, 11))


def test_a_caption_of_stop_words_has_no_ngrams() -> None:
    assert {"the", "of", "on"} <= CLOSED_CLASS
    assert ngrams("ngram", "On the of") == []


def test_a_length_of_zero_words_is_refused() -> None:
    with pytest.raises(OptionError, match="at least 1 word, got 0"):
        load_parser("ngram:0")


def test_eyeglasses_do_not_match_glass_but_wine_glasses_do() -> None:
    assert lexicon("glass", caption="a man with glasses") == []
    assert lexicon("ski", "wine glass", caption="skis and wine glasses") == ["ski", "wine glass"]


def test_ngrams_equal_those_of_a_simple_double_loop() -> None:
    rng = np.random.default_rng(0)
    vocabulary = ["dog", "of", "the", "cat", "on"]
    for length in (1, 2, 5):
        words = [str(word) for word in rng.choice(vocabulary, 12)]
        expected = [
            " ".join(words[start:end])
            for start in range(12)
            for end in range(start + 1, 13)
            if end - start <= length and {"dog", "cat"} & set(words[start:end])
        ]
        assert ngrams(f"ngram:{length}", " ".join(words)) == expected


def test_a_lexicon_finds_what_a_greedy_search_over_all_names_finds() -> None:
    rng = np.random.default_rng(1)
    names = ["red", "red car", "car park", "red car park", "park bench", "bench"]
    vocabulary = ["red", "car", "park", "bench", "x"]
    for _ in range(100):
        words = [str(word) for word in rng.choice(vocabulary, 10)]
        expected, start = [], 0
        while start < len(words):
            here = [n for n in names if words[start : start + len(n.split())] == n.split()]
            longest = max(here, key=lambda name: len(name.split()), default="")
            expected += [longest] if longest else []
            start += len(longest.split()) or 1
        assert lexicon(*names, caption=" ".join(words)) == expected


def test_the_identity_of_a_lexicon_depends_on_the_order_of_its_names() -> None:
    first, second = lexicon_identity(["Dog", "dogs"]), lexicon_identity(["dogs", "Dog"])
    assert first != second
    assert first == lexicon_identity(("Dog", "dogs"))


def test_digests_of_names_keep_boundaries_between_names() -> None:
    assert len({names_digest(names) for names in (["ab", "c"], ["a", "bc"], ["abc"], [])}) == 4


def test_captions_without_words_have_no_names_and_no_ngrams() -> None:
    assert lexicon("dog", caption="?! ...") == []
    assert ngrams("ngram", "?! ...") == []
