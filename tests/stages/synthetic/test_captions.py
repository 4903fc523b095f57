from __future__ import annotations

import re

import numpy as np
import pytest

from stages.synthetic.captions import (
    PLACE_TEMPLATES,
    QUALITIES,
    SCENE_TEMPLATES,
    WEB_TEMPLATES,
    ObjectDescription,
    _attributes,
    _list_phrase,
    _noun_phrase,
    plural,
    scene_captions,
    web_captions,
)
from stages.synthetic.categories import CATEGORIES, Category

POSITION_WORDS = {
    "left", "right", "above", "below", "behind", "beside", "under", "over", "between", "near",
    "next", "top", "bottom", "middle", "corner", "background", "foreground", "front", "center",
    "inside", "around", "upper", "lower", "beneath", "against",
}  # fmt: skip


def category_named(name: str) -> Category:
    return next(c for c in CATEGORIES if c.name == name)


def random_objects(rng: np.random.Generator, count: int) -> list[ObjectDescription]:
    chosen = [CATEGORIES[int(i)] for i in rng.integers(0, len(CATEGORIES), count)]
    return [
        ObjectDescription(c, str(rng.choice(c.colours)), float(rng.uniform(0.1, 0.9)))
        for c in chosen
    ]


def mentions(caption: str, category: Category) -> bool:
    words = [category.name, *category.synonyms]
    forms = [form for word in words for form in (word, plural(word))]
    return any(re.search(rf"\b{re.escape(form)}\b", caption) for form in forms)


@pytest.mark.slow
def test_no_caption_mentions_a_position() -> None:
    rng = np.random.default_rng(4)
    captions = list(WEB_TEMPLATES + SCENE_TEMPLATES + PLACE_TEMPLATES)
    for count in range(1, 11):
        for _ in range(30):
            captions += web_captions(random_objects(rng, min(count, 2)), rng)
            captions += scene_captions(random_objects(rng, count), "beach", rng)
    words = {word for caption in captions for word in re.findall(r"[a-z]+", caption)}
    assert not words & POSITION_WORDS


def test_a_web_image_of_one_object_always_mentions_its_category() -> None:
    rng = np.random.default_rng(5)
    for category in CATEGORIES:
        for caption in web_captions([ObjectDescription(category, category.colours[0], 0.8)], rng):
            assert mentions(caption, category), caption


@pytest.mark.slow
def test_a_scene_caption_mentions_60_to_80_per_cent_of_distinct_objects() -> None:
    rng = np.random.default_rng(6)
    shares = []
    for _ in range(200):
        chosen = rng.choice(len(CATEGORIES), 10, replace=False)
        objects = [ObjectDescription(CATEGORIES[int(i)], "", 0.3) for i in chosen]
        for caption in scene_captions(objects, "room", rng):
            shares.append(sum(mentions(caption, described.category) for described in objects) / 10)
    assert min(shares) >= 0.6
    assert np.mean(shares) == pytest.approx(0.7, abs=0.05)


def test_web_images_have_one_or_two_captions_and_scenes_two_or_three() -> None:
    rng = np.random.default_rng(7)
    objects = random_objects(rng, 5)
    assert {len(web_captions(objects[:1], rng)) for _ in range(50)} == {1, 2}
    assert {len(scene_captions(objects, "sea", rng)) for _ in range(50)} == {2, 3}


def test_several_objects_of_one_category_are_counted_or_put_in_the_plural() -> None:
    rng = np.random.default_rng(8)
    bus = category_named("bus")
    captions = [
        caption
        for _ in range(60)
        for caption in scene_captions([ObjectDescription(bus, "red", 0.3)] * 3, "road", rng)
    ]
    assert any(re.search(r"\b(two|three)\b.*\bbuses\b", caption) for caption in captions)
    assert any("some" in caption for caption in captions)


def test_scissors_come_in_pairs() -> None:
    rng = np.random.default_rng(9)
    for caption in web_captions([ObjectDescription(category_named("scissors"), "red", 0.8)], rng):
        assert "pair of" in caption


def test_an_orange_is_never_called_an_orange_orange() -> None:
    rng = np.random.default_rng(10)
    for _ in range(100):
        for caption in web_captions(
            [ObjectDescription(category_named("orange"), "orange", 0.5)], rng
        ):
            assert "orange orange" not in caption


def test_articles_agree_with_the_word_that_follows() -> None:
    rng = np.random.default_rng(11)
    text = " ; ".join(
        caption for _ in range(300) for caption in web_captions(random_objects(rng, 1), rng)
    )
    assert not re.search(r"\ba [aeiou]", text)
    assert not re.search(r"\ban [^aeiou]", text)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bus", "buses"), ("butterfly", "butterflies"), ("snowman", "snowmen"), ("fish", "fish"),
        ("toy", "toys"), ("ice cream", "ice creams"), ("coach", "coaches"), ("cactus", "cacti"),
    ],
)  # fmt: skip
def test_plurals_follow_english_rules_and_exceptions(name: str, expected: str) -> None:
    assert plural(name) == expected


def test_a_noun_phrase_counts_its_objects_and_mentions_a_shared_colour_only() -> None:
    rng = np.random.default_rng(12)
    car = category_named("car")
    mixed = [ObjectDescription(car, colour, 0.3) for colour in ("red", "blue")]
    same = [ObjectDescription(car, "red", 0.3)] * 2
    mixed_phrases = [_noun_phrase(mixed, rng) for _ in range(200)]
    same_phrases = [_noun_phrase(same, rng) for _ in range(200)]
    assert not any(re.search(r"\b(red|blue)\b", phrase) for phrase in mixed_phrases)
    share = np.mean([" red " in phrase for phrase in same_phrases])
    assert share == pytest.approx(0.35, abs=0.1)
    assert all(phrase.startswith(("two ", "some ")) for phrase in mixed_phrases + same_phrases)


@pytest.mark.parametrize(("share", "word"), [(0.1, "small"), (0.3, None), (0.6, "big")])
def test_only_very_large_and_very_small_objects_get_an_attribute_of_size(
    share: float, word: str | None
) -> None:
    rng = np.random.default_rng(13)
    attributes = [_attributes("car", share, "", rng) for _ in range(500)]
    sizes = {attribute for words in attributes for attribute in words} - set(QUALITIES)
    assert sizes == ({word} if word else set())


def test_synonyms_replace_a_name_in_about_fifteen_per_cent_of_phrases() -> None:
    rng = np.random.default_rng(14)
    objects = [ObjectDescription(category_named("truck"), "", 0.3)]
    phrases = [_noun_phrase(objects, rng) for _ in range(1000)]
    assert np.mean(["lorry" in phrase for phrase in phrases]) == pytest.approx(0.15, abs=0.04)


def test_a_list_has_commas_and_a_last_and_or_only_commas() -> None:
    rng = np.random.default_rng(15)
    objects = [ObjectDescription(category_named(name), "", 0.3) for name in ("cat", "fish", "key")]
    lists = [_list_phrase(objects, rng) for _ in range(300)]
    with_and = [text for text in lists if " and " in text]
    assert len(with_and) / 300 == pytest.approx(0.85, abs=0.06)
    assert all(text.count(",") == 1 for text in with_and)
    assert all(text.count(",") == 2 for text in lists if " and " not in text)


def test_about_thirty_per_cent_of_scene_captions_mention_the_place() -> None:
    rng = np.random.default_rng(16)
    objects = random_objects(rng, 6)
    captions = [c for _ in range(300) for c in scene_captions(objects, "beach", rng)]
    assert np.mean(["a beach" in c for c in captions]) == pytest.approx(0.3, abs=0.05)


def test_large_objects_are_mentioned_more_often_than_small_ones() -> None:
    rng = np.random.default_rng(17)
    large, small = category_named("cat"), category_named("fish")
    others = [ObjectDescription(category_named(n), "", 0.3) for n in ("key", "hat", "drum")]
    objects = [ObjectDescription(large, "", 0.9), ObjectDescription(small, "", 0.1), *others]
    captions = [c for _ in range(300) for c in scene_captions(objects, "sea", rng)]
    counts = [sum(mentions(c, category) for c in captions) for category in (large, small)]
    assert counts[0] > 1.2 * counts[1]


def test_a_scene_of_one_object_mentions_it() -> None:
    rng = np.random.default_rng(18)
    objects = [ObjectDescription(category_named("snail"), "pink", 0.4)]
    assert all("snail" in caption for caption in scene_captions(objects, "road", rng))
