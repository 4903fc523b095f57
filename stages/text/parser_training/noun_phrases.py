"""Noun phrases of the caption grammar, with gold tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.text.parser_training import nouns, other_words
from stages.text.parsing.lemmas import pluralise
from stages.text.parsing.tags import compose_tag

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

Tokens = list[tuple[str, str]]

THINGS = (
    nouns.OBJECTS,
    nouns.FURNITURE,
    nouns.FOOD,
    nouns.CLOTHES,
    nouns.STRUCTURE,
    nouns.VEHICLES,
    nouns.BODY,
)
BEINGS = (nouns.PEOPLE, nouns.PEOPLE, nouns.ANIMALS)
SCENES = (nouns.PLACES, nouns.PLACES, nouns.STRUCTURE, nouns.FURNITURE)
_DETERMINERS = ("a", "a", "a", "a", "the", "the", "an", "some", "another", "this", "each", "every")
_PLURAL_DETERMINERS = ("the", "some", "several", "many", "these", "both", "few", "all", "other", "")
_POSSESSIVES = ("his", "her", "their", "its", "my", "your", "our")


def tag_phrase(text: str, pos: str) -> Tokens:
    """Tag each word of a fixed phrase with one part of speech."""
    return [(word, pos) for word in text.split()]


def tag_noun(name: str, plural: bool, pos: str = "NOUN", compound: bool = False) -> Tokens:
    """A name of one or more words: all words modify the last one; hyphens are separate tokens."""
    *modifiers, head = name.replace("-", " - ").split()
    tokens = [(m, "PUNCT" if m == "-" else compose_tag(pos, "s", True)) for m in modifiers]
    head = pluralise(head) if plural else head
    return [*tokens, (head, compose_tag(pos, "p" if plural else "s", compound))]


def tag_adjective(word: str) -> Tokens:
    """An adjective; each part around a hyphen is an adjective, as in the treebank."""
    return [(part, "PUNCT" if part == "-" else "ADJ") for part in word.replace("-", " - ").split()]


class NounPhrases:
    """Samples noun phrases, the base of the sentence grammar."""

    def __init__(self, rng: random.Random) -> None:
        """Sample with `rng` only."""
        self._rng = rng

    def noun_phrase(
        self, kinds: Sequence[Sequence[str]], plural: bool | None = None, *, determiner: bool = True
    ) -> Tokens:
        """A noun phrase; sometimes with a quantity, a possessor, or a second noun phrase."""
        roll = self._rng.random()
        if plural is None:
            plural = self.chance(0.3)
        if roll < 0.05:
            quantity = self._rng.choice((nouns.QUANTITIES, nouns.CONTAINERS))
            of = [("of", "ADP"), *self.bare_noun_phrase(kinds, True)]
            return [("a", "DET"), *tag_noun(self.pick_frequent(quantity), False), *of]
        if roll < 0.1:
            owner = self.with_determiner(
                self.bare_noun_phrase((nouns.PEOPLE, nouns.ANIMALS), False)
            )
            return [
                *owner,
                ("'s", "PART"),
                *self.bare_noun_phrase((nouns.CLOTHES, nouns.BODY, nouns.OBJECTS), plural),
            ]
        if roll < 0.15:
            other = self.bare_noun_phrase(kinds, plural)
            return self.join_list(
                [self.with_determiner(self.bare_noun_phrase(kinds, plural)), other]
            )
        phrase = self.bare_noun_phrase(kinds, plural)
        return self.with_determiner(phrase) if determiner else phrase

    def bare_noun_phrase(self, kinds: Sequence[Sequence[str]], plural: bool) -> Tokens:
        """Adjectives and the noun, without a determiner."""
        tokens: Tokens = []
        for _ in range(self._rng.choice((0, 0, 0, 1, 1, 2))):
            pool = self._rng.choice(
                (
                    other_words.ADJECTIVES,
                    other_words.ADJECTIVES,
                    other_words.COLORS,
                    other_words.PARTICIPLES,
                )
            )
            word = self._rng.choice(pool)
            tokens += (
                tag_adjective(word) if pool is not other_words.PARTICIPLES else [(word, "VERB")]
            )
        if self.chance(0.08):
            tokens += [(self._rng.choice(other_words.COLORS), "ADJ"), ("and", "CCONJ")]
            tokens += [(self._rng.choice(other_words.COLORS), "ADJ")]
        if self.chance(0.03):
            tokens += [*tag_noun(self.pick_frequent(nouns.MATERIALS), False), ("covered", "VERB")]
        return tokens + self.noun_or_compound(kinds, plural)

    def noun_or_compound(self, kinds: Sequence[Sequence[str]], plural: bool) -> Tokens:
        """One noun or compound of the given kinds."""
        roll = self._rng.random()
        if roll < 0.68:
            return tag_noun(self.pick_frequent(self._rng.choice(kinds)), plural)
        if roll < 0.86:
            return tag_noun(self._rng.choice(nouns.COMPOUNDS), plural)
        if roll < 0.89:
            return tag_noun(self._rng.choice(nouns.GERUND_MODIFIERS).replace(":", " "), False)
        if roll < 0.91:
            return [(self._rng.choice(nouns.PLURAL_ONLY), "NOUN.p")]
        if roll < 0.93:
            return self.proper_name(plural)
        pool = self._rng.choice(
            (nouns.MATERIALS, nouns.SPORTS, nouns.FOOD, nouns.PLACES, nouns.ANIMALS)
        )
        modifier = tag_noun(self._rng.choice(pool), False, compound=True)
        return modifier + tag_noun(self.pick_frequent(self._rng.choice(kinds)), plural)

    def proper_name(self, plural: bool) -> Tokens:
        """A proper name, or a noun with a proper name before it."""
        first = self._rng.choice(nouns.NAMES)
        first = first.lower() if self.chance(0.3) else first
        if self.chance(0.4):
            return tag_noun(first, False, "PROPN")
        tokens = tag_noun(first, False, "PROPN", compound=True)
        return tokens + tag_noun(self._rng.choice(self._rng.choice(THINGS)), plural)

    def with_determiner(self, phrase: Tokens) -> Tokens:
        """The phrase with a determiner, a number, a possessive, or nothing before it."""
        plural = ".p" in phrase[-1][1]
        roll = self._rng.random()
        if roll < 0.12:
            return phrase
        if roll < 0.2:
            return [(self._rng.choice(_POSSESSIVES), "PRON"), *phrase]
        if plural:
            if roll < 0.5:
                return [(self._rng.choice(other_words.NUMBERS), "NUM"), *phrase]
            det = self._rng.choice(_PLURAL_DETERMINERS)
            adjective = det in ("several", "many", "few", "other")
            return [*tag_phrase(det, "ADJ" if adjective else "DET"), *phrase]
        return [(self._rng.choice(_DETERMINERS), "DET"), *phrase]

    def join_list(self, parts: Sequence[Tokens]) -> Tokens:
        """The parts as a list: "a, b and c"."""
        tokens = list(parts[0])
        for i, part in enumerate(parts[1:], start=2):
            last = i == len(parts)
            comma = [(",", "PUNCT")] if not last or self.chance(0.3) else []
            tokens += comma + ([("and", "CCONJ")] if last else []) + part
        return tokens

    def correct_articles(self, tokens: Tokens) -> Tokens:
        """Set "a" or "an" by the next letter; a few stay wrong, as in real captions."""
        for i, (word, tag) in enumerate(tokens[:-1]):
            if tag == "DET" and word in ("a", "an") and self.chance(0.98):
                tokens[i] = ("an" if tokens[i + 1][0][:1] in "aeiou" else "a", tag)
        return tokens

    def pick_frequent(self, pool: Sequence[str]) -> str:
        """A word of a list sorted by frequency, more often one of the first."""
        return pool[int(len(pool) * self._rng.random() ** 1.4)]

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self._rng.random() < probability
