from __future__ import annotations

import re

import numpy as np
import pytest

from stages.synthetic.captions import (
    PLACE_TEMPLATES,
    SCENE_TEMPLATES,
    WEB_TEMPLATES,
    ObjectDescription,
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
