"""Captions of synthetic images, with omissions and additions as in real captions.

A grammar with noise: synonyms, attributes, counts, omitted objects, words for nothing
visible. Captions never mention positions, so that only a whole image can be matched
with its whole caption.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.synthetic.categories import CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from stages.synthetic.categories import Category

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
QUALITIES = ("nice", "old", "new", "lovely", "shiny", "cute", "pretty", "funny", "little", "simple")

WEB_TEMPLATES = (
    "{}", "{}", "a photo of {}", "a picture of {}", "{} for sale", "a drawing of {}",
    "my favorite thing today: {}", "look at {}", "this is {}", "{}, what a great idea",
    "{} for a special day", "the best view of {}", "close up of {}", "{} stock image",
    "time for {}", "have a nice day with {}", "an illustration of {}", "{} design",
)  # fmt: skip
SCENE_TEMPLATES = (
    "{}", "{}", "there are {}", "a picture of {}", "a photo with {}", "we saw {} today",
    "a busy day with {}", "a view of {}", "{} at the same time", "a scene with {}",
    "this picture shows {}", "you can see {}", "a lot of fun with {}", "{}, all in one place",
)  # fmt: skip
PLACE_TEMPLATES = ("{} and {place}", "{place} and {}", "{} with {place}", "{}, {place}")
PLACE_PHRASES = {
    "grass": "green grass", "sand": "sand", "water": "blue water", "sky": "a cloudy sky",
    "night": "a night sky", "brick": "a brick wall", "wood": "a wooden floor", "tiles": "tiles",
    "cloth": "a checked cloth", "stripes": "stripes", "dots": "dots", "gravel": "gravel",
    "wall": "a wall", "snow": "snow", "meadow": "a meadow", "beach": "a beach", "sea": "the sea",
    "road": "a road", "winter": "a winter day", "street": "a street", "kitchen": "a kitchen",
    "room": "a room", "nursery": "a nursery",
}  # fmt: skip


@dataclass(frozen=True)
class ObjectDescription:
    """What a caption may mention of one object: its category, colour and size.

    Attributes:
        category: Its category.
        colour: Name of its main colour.
        share: Longer side of its box as a share of the image's shorter side.
    """

    category: Category
    colour: str
    share: float


def web_captions(objects: Sequence[ObjectDescription], rng: np.random.Generator) -> tuple[str, ...]:
    """One or two captions, nearly always naming every object of a web image."""
    return tuple(_web_caption(objects, rng) for _ in range(int(rng.integers(1, 3))))


def scene_captions(
    objects: Sequence[ObjectDescription], place: str, rng: np.random.Generator
) -> tuple[str, ...]:
    """Two or three captions, each naming 60 to 80 per cent of the objects of a scene."""
    return tuple(_scene_caption(objects, place, rng) for _ in range(int(rng.integers(2, 4))))


def plural(name: str) -> str:
    """The plural of a category's name or synonym.

    >>> plural("bus"), plural("wine glass"), plural("puppy"), plural("toy ball")
    ('buses', 'wine glasses', 'puppies', 'toy balls')
    """
    if name in _PLURALS:
        return _PLURALS[name]
    if name.endswith("y") and name[-2] not in "aeiou":
        return name[:-1] + "ies"
    return name + ("es" if name.endswith(("s", "ch", "sh", "x")) else "s")


_PLURALS = {c.name: c.plural for c in CATEGORIES if c.plural}


def _web_caption(objects: Sequence[ObjectDescription], rng: np.random.Generator) -> str:
    mentioned = list(objects)
    if len(mentioned) > 1 and rng.random() < 0.15:
        mentioned.pop()
    template = WEB_TEMPLATES[int(rng.integers(len(WEB_TEMPLATES)))]
    return template.format(_list_phrase(mentioned, rng))


def _scene_caption(
    objects: Sequence[ObjectDescription], place: str, rng: np.random.Generator
) -> str:
    count = max(1, round(len(objects) * rng.uniform(0.6, 0.8)))
    # large objects are mentioned more often, as in real captions
    weights = [0.3 + described.share for described in objects]
    total = sum(weights)
    chosen = rng.choice(len(objects), count, replace=False, p=[w / total for w in weights])
    listing = _list_phrase([objects[int(i)] for i in chosen], rng)
    if rng.random() < 0.3:
        template = PLACE_TEMPLATES[int(rng.integers(len(PLACE_TEMPLATES)))]
        return template.format(listing, place=PLACE_PHRASES[place])
    return SCENE_TEMPLATES[int(rng.integers(len(SCENE_TEMPLATES)))].format(listing)


def _list_phrase(objects: Sequence[ObjectDescription], rng: np.random.Generator) -> str:
    """Noun phrases joined by commas and a last "and"; objects of one category are counted."""
    groups: dict[str, list[ObjectDescription]] = {}
    for described in objects:
        groups.setdefault(described.category.name, []).append(described)
    phrases = [_noun_phrase(group, rng) for group in groups.values()]
    if len(phrases) == 1:
        return phrases[0]
    last = " and " if rng.random() < 0.85 else ", "
    return ", ".join(phrases[:-1]) + last + phrases[-1]


def _noun_phrase(group: Sequence[ObjectDescription], rng: np.random.Generator) -> str:
    category = group[0].category
    synonyms = category.synonyms
    name = str(rng.choice(synonyms)) if synonyms and rng.random() < 0.15 else category.name
    colours = {described.colour for described in group}
    attributes = _attributes(name, group[0].share, colours.pop() if len(colours) == 1 else "", rng)
    number = NUMBERS[min(len(group), len(NUMBERS) - 1)]
    if name == "scissors":
        amount = "a pair of" if len(group) == 1 else f"{number} pairs of"
        return " ".join([amount, *attributes, name])
    if len(group) > 1:
        amount = "some" if rng.random() < 0.3 else number
        return " ".join([amount, *attributes, plural(name)])
    return " ".join([_article([*attributes, name][0], rng), *attributes, name])


def _attributes(name: str, share: float, colour: str, rng: np.random.Generator) -> list[str]:
    words = []
    if rng.random() < 0.12:
        words.append(str(rng.choice(QUALITIES)))
    if rng.random() < 0.12 and (share > 0.4 or share < 0.16):
        words.append("big" if share > 0.4 else "small")
    if colour and colour != name and rng.random() < 0.35:
        words.append(colour)
    return words


def _article(following: str, rng: np.random.Generator) -> str:
    if rng.random() < 0.08:
        return "the"
    return "an" if following[0] in "aeiou" else "a"
