"""Noun phrases of the caption grammar, with gold tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.text.parser_training import nouns as n
from stages.text.parser_training import words as w
from stages.text.parsing.lemmas import pluralise
from stages.text.parsing.tags import compose

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

Tokens = list[tuple[str, str]]

THINGS = (n.OBJECTS, n.FURNITURE, n.FOOD, n.CLOTHES, n.STRUCTURE, n.VEHICLES, n.BODY)
BEINGS = (n.PEOPLE, n.PEOPLE, n.ANIMALS)
SCENES = (n.PLACES, n.PLACES, n.STRUCTURE, n.FURNITURE)
_DETERMINERS = ("a", "a", "a", "a", "the", "the", "an", "some", "another", "this", "each", "every")
_PLURAL_DETERMINERS = ("the", "some", "several", "many", "these", "both", "few", "all", "other", "")
_POSSESSIVES = ("his", "her", "their", "its", "my", "your", "our")


def tag(text: str, pos: str) -> Tokens:
    """Each word of a fixed phrase with one part of speech."""
    return [(word, pos) for word in text.split()]


def noun(name: str, plural: bool, pos: str = "NOUN", compound: bool = False) -> Tokens:
    """A name of one or more words: all but the last modify the last; hyphens stand alone."""
    *modifiers, head = name.replace("-", " - ").split()
    tokens = [(m, "PUNCT" if m == "-" else compose(pos, "s", True)) for m in modifiers]
    head = pluralise(head) if plural else head
    return [*tokens, (head, compose(pos, "p" if plural else "s", compound))]


def adjective(word: str) -> Tokens:
    """An adjective; around a hyphen every part is one, as in the treebank."""
    return [(part, "PUNCT" if part == "-" else "ADJ") for part in word.replace("-", " - ").split()]


class NounPhrases:
    """Draws noun phrases; the sentences are built on top."""

    def __init__(self, rng: random.Random) -> None:
        """Draw from `rng` alone."""
        self._rng = rng

    def np(
        self, kinds: Sequence[Sequence[str]], plural: bool | None = None, *, det: bool = True
    ) -> Tokens:
        """A noun phrase; rarely one of another shape: coordinated, of quantity, possessed."""
        roll = self._rng.random()
        if plural is None:
            plural = self.chance(0.3)
        if roll < 0.05:
            quantity = self._rng.choice((n.QUANTITIES, n.CONTAINERS))
            of = [("of", "ADP"), *self.bare(kinds, True)]
            return [("a", "DET"), *noun(self.pick(quantity), False), *of]
        if roll < 0.1:
            owner = self.det(self.bare((n.PEOPLE, n.ANIMALS), False))
            return [*owner, ("'s", "PART"), *self.bare((n.CLOTHES, n.BODY, n.OBJECTS), plural)]
        if roll < 0.15:
            other = self.bare(kinds, plural)
            return self.join([self.det(self.bare(kinds, plural)), other])
        phrase = self.bare(kinds, plural)
        return self.det(phrase) if det else phrase

    def bare(self, kinds: Sequence[Sequence[str]], plural: bool) -> Tokens:
        """Adjectives and the noun, without a determiner."""
        tokens: Tokens = []
        for _ in range(self._rng.choice((0, 0, 0, 1, 1, 2))):
            pool = self._rng.choice((w.ADJECTIVES, w.ADJECTIVES, w.COLORS, w.PARTICIPLES))
            word = self._rng.choice(pool)
            tokens += adjective(word) if pool is not w.PARTICIPLES else [(word, "VERB")]
        if self.chance(0.08):
            tokens += [(self._rng.choice(w.COLORS), "ADJ"), ("and", "CCONJ")]
            tokens += [(self._rng.choice(w.COLORS), "ADJ")]
        if self.chance(0.03):
            tokens += [*noun(self.pick(n.MATERIALS), False), ("covered", "VERB")]
        return tokens + self.noun(kinds, plural)

    def noun(self, kinds: Sequence[Sequence[str]], plural: bool) -> Tokens:
        """One noun or compound of the given kinds."""
        roll = self._rng.random()
        if roll < 0.68:
            return noun(self.pick(self._rng.choice(kinds)), plural)
        if roll < 0.86:
            return noun(self._rng.choice(n.COMPOUNDS), plural)
        if roll < 0.89:
            return noun(self._rng.choice(n.GERUND_MODIFIERS).replace(":", " "), False)
        if roll < 0.91:
            return [(self._rng.choice(n.PLURAL_ONLY), "NOUN.p")]
        if roll < 0.93:
            return self.name(plural)
        pool = self._rng.choice((n.MATERIALS, n.SPORTS, n.FOOD, n.PLACES, n.ANIMALS))
        modifier = noun(self._rng.choice(pool), False, compound=True)
        return modifier + noun(self.pick(self._rng.choice(kinds)), plural)

    def name(self, plural: bool) -> Tokens:
        """A proper name, or a thing named after one."""
        first = self._rng.choice(n.NAMES)
        first = first.lower() if self.chance(0.3) else first
        if self.chance(0.4):
            return noun(first, False, "PROPN")
        tokens = noun(first, False, "PROPN", compound=True)
        return tokens + noun(self._rng.choice(self._rng.choice(THINGS)), plural)

    def det(self, phrase: Tokens) -> Tokens:
        """The phrase behind a determiner, a number, a possessive, or bare."""
        plural = ".p" in phrase[-1][1]
        roll = self._rng.random()
        if roll < 0.12:
            return phrase
        if roll < 0.2:
            return [(self._rng.choice(_POSSESSIVES), "PRON"), *phrase]
        if plural:
            if roll < 0.5:
                return [(self._rng.choice(w.NUMBERS), "NUM"), *phrase]
            det = self._rng.choice(_PLURAL_DETERMINERS)
            adjective = det in ("several", "many", "few", "other")
            return [*tag(det, "ADJ" if adjective else "DET"), *phrase]
        return [(self._rng.choice(_DETERMINERS), "DET"), *phrase]

    def join(self, parts: Sequence[Tokens]) -> Tokens:
        """The parts as a list: "a, b and c"."""
        tokens = list(parts[0])
        for i, part in enumerate(parts[1:], start=2):
            last = i == len(parts)
            comma = [(",", "PUNCT")] if not last or self.chance(0.3) else []
            tokens += comma + ([("and", "CCONJ")] if last else []) + part
        return tokens

    def articles(self, tokens: Tokens) -> Tokens:
        """Set "a" or "an" by the next letter; people err now and then, so a few stay wrong."""
        for i, (word, tag) in enumerate(tokens[:-1]):
            if tag == "DET" and word in ("a", "an") and self.chance(0.98):
                tokens[i] = ("an" if tokens[i + 1][0][:1] in "aeiou" else "a", tag)
        return tokens

    def pick(self, pool: Sequence[str]) -> str:
        """A word of a list that begins with its commonest words."""
        return pool[int(len(pool) * self._rng.random() ** 1.4)]

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self._rng.random() < probability
