"""Concepts of a tagged caption: noun heads in the singular, with their compound modifiers.

The rule needs of each token its text, part of speech and, where the tagger knows them, number and
compound flag, so that one rule serves every tagger. Of its two styles, `visual` drops what one
could not point at, and `paper` keeps every noun.

Source: RegionCLIP (arXiv:2112.09106), concept pool of caption nouns; the style `paper` does what
the published noun lists show: compounds and head, all lemmatised, adjectives dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from stages.text.parsing import word_lists as lists
from stages.text.parsing.chains import KnownNames, chains, singular

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stages.text.parsing.chains import Chain, Token

RULE_VERSION = 1  # raised when the same tokens would give other concepts

Style = Literal["visual", "paper"]
STYLES: tuple[Style, ...] = ("visual", "paper")

_MOST_MODIFIERS = 2
_SHORTEST = 2  # letters of a concept
_EYEWEAR = frozenset(("eye", "reading", "safety", "prescription", "opera", "field"))


class ConceptRule:
    """Concepts of captions, under one style and one list of lexical names."""

    def __init__(self, style: Style = "visual", names: Iterable[str] = ()) -> None:
        """Set the style; `names` of several words are kept whole beside those known anyway."""
        self._paper = style == "paper"
        known = () if self._paper else lists.LEXICAL_NAMES
        self._names = KnownNames((*known, *names))

    def concepts(self, tokens: Sequence[Token]) -> list[str]:
        """Concepts in the order of the caption, one per mention, in lower case."""
        found = chains(tokens, self._names, plain=self._paper)
        reading = _as_in_paper if self._paper else _visible
        return [concept for chain in found for concept in reading(chain)]


def _as_in_paper(chain: Chain) -> list[str]:
    """Every noun counts; modifiers and head are lemmatised."""
    name = " ".join((*chain.modifiers[-_MOST_MODIFIERS:], chain.head))
    name = " ".join(singular(word) for word in name.split())
    return [name] if len(name) >= _SHORTEST else []


def _visible(chain: Chain) -> list[str]:
    """The concept of a chain; that of its modifiers if the head cannot be seen; or none."""
    head = _lemma(chain)
    modifiers = _modifiers(chain)
    if chain.after == "of" and head in lists.QUANTITIES:
        return []
    if _is_visual(head, chain):
        return [" ".join((*modifiers, head))] if len(head) >= _SHORTEST else []
    if not modifiers:
        return []
    if head in lists.KEPT_IN_NAMES:
        return [" ".join((*modifiers, head))]
    rest = chain._replace(modifiers=modifiers[:-1], head=modifiers[-1], number=None, after="")
    return _visible(rest)


def _lemma(chain: Chain) -> str:
    """The head in the singular; drinking glasses, unlike eyeglasses, have one."""
    drinking = chain.after == "of" or (
        bool(chain.modifiers) and chain.modifiers[-1] not in _EYEWEAR
    )
    if chain.head == "glasses" and drinking:
        return "glass"
    *before, last = chain.head.split(" ")
    return " ".join((*before, singular(last)))


def _modifiers(chain: Chain) -> tuple[str, ...]:
    """The last modifiers, without colours, quantities and adjectives at their front."""
    modifiers = list(chain.modifiers)
    while modifiers and _leads_only(modifiers[0]):
        del modifiers[0]
    return tuple(modifiers[-_MOST_MODIFIERS:])


def _leads_only(word: str) -> bool:
    return word in lists.COLORS or word in lists.ADJECTIVAL or word in ("couple", "bunch", "lot")


def _is_visual(head: str, chain: Chain) -> bool:
    """Whether a singular head names something that can be pointed at."""
    if " " in head:
        return True  # a lexical name
    if head in lists.NON_VISUAL or (chain.before, chain.head) in lists.IDIOMS:
        return False
    if head in lists.COLORS and not chain.modifiers:
        thing = head in lists.COLORED_THINGS or head != chain.head
        return thing and chain.before != "in"
    if head.endswith("ing") and len(head) > 5:
        return head in lists.ING_THINGS
    return not head.endswith(lists.ABSTRACT_ENDINGS) or head in lists.CONCRETE
