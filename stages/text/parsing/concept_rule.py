"""Concepts of a tagged caption: noun heads in the singular, with their compound modifiers.

The rule needs the text and part of speech of each token and, if the tagger knows them, its number
and compound flag, so that one rule serves every tagger. The style `visual` drops nouns that name
nothing visible; `paper` keeps every noun.

Source: RegionCLIP (arXiv:2112.09106), concept pool of caption nouns; the style `paper` follows
the published noun lists: compounds and head, all lemmatised, adjectives dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from stages.text.parsing import word_lists as lists
from stages.text.parsing.noun_compounds import MultiwordNames, noun_compounds, singular

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.text.parsing.noun_compounds import NounCompound, Token

RULE_VERSION = 3  # raised when the same tokens would give other concepts

Style = Literal["visual", "paper"]
STYLES: tuple[Style, ...] = ("visual", "paper")

_MOST_MODIFIERS = 2
_SHORTEST = 2  # letters of a concept
_EYEWEAR = frozenset(("eye", "reading", "safety", "prescription", "opera", "field"))


class ConceptRule:
    """Finds the concepts of tagged captions, under one style."""

    language = "en"

    def __init__(self, style: Style = "visual") -> None:
        """Set the style."""
        self._paper = style == "paper"
        self._names = MultiwordNames(() if self._paper else lists.LEXICAL_NAMES)

    def concepts(self, tokens: Sequence[Token]) -> list[str]:
        """Concepts in the order of the caption, one per mention, in lower case."""
        compounds = noun_compounds(tokens, self._names, plain=self._paper)
        to_concepts = _paper_concepts if self._paper else _visual_concepts
        return [concept for compound in compounds for concept in to_concepts(compound)]


def _paper_concepts(compound: NounCompound) -> list[str]:
    """Every noun counts; modifiers and head are lemmatised."""
    name = " ".join((*compound.modifiers[-_MOST_MODIFIERS:], compound.head))
    name = " ".join(singular(word) for word in name.split())
    return [name] if len(name) >= _SHORTEST else []


def _visual_concepts(compound: NounCompound) -> list[str]:
    """The concept of a compound, or of its modifiers if the head is not visual, or nothing."""
    head = _lemma(compound)
    modifiers = _modifiers(compound)
    if compound.after == "of" and head in lists.QUANTITIES:
        return []
    if _is_visual(head, compound):
        return [" ".join((*modifiers, head))] if len(head) >= _SHORTEST else []
    if not modifiers:
        return []
    if head in lists.KEPT_IN_NAMES:
        return [" ".join((*modifiers, head))]
    rest = compound._replace(modifiers=modifiers[:-1], head=modifiers[-1], number=None, after="")
    return _visual_concepts(rest)


def _lemma(compound: NounCompound) -> str:
    """The head in the singular; drinking glasses have a singular, eyeglasses do not."""
    drinking = compound.after == "of" or (
        bool(compound.modifiers) and compound.modifiers[-1] not in _EYEWEAR
    )
    if compound.head == "glasses" and drinking:
        return "glass"
    *before, last = compound.head.split(" ")
    return " ".join((*before, singular(last)))


def _modifiers(compound: NounCompound) -> tuple[str, ...]:
    """The last modifiers, without colours, quantities and adjectives at their front."""
    modifiers = list(compound.modifiers)
    while modifiers and _is_leading_word(modifiers[0]):
        del modifiers[0]
    return tuple(modifiers[-_MOST_MODIFIERS:])


def _is_leading_word(word: str) -> bool:
    return word in lists.COLORS or word in lists.ADJECTIVAL or word in ("couple", "bunch", "lot")


def _is_visual(head: str, compound: NounCompound) -> bool:
    """Whether a singular head names something visible."""
    if " " in head:
        return True  # a lexical name
    if head in lists.NON_VISUAL or (compound.before, compound.head) in lists.IDIOMS:
        return False
    if head in lists.COLORS and not compound.modifiers:
        is_object = head in lists.COLORED_THINGS or head != compound.head
        return is_object and compound.before != "in"
    if head.endswith("ing") and len(head) > 5:
        return head in lists.ING_THINGS
    return not head.endswith(lists.ABSTRACT_ENDINGS) or head in lists.CONCRETE
