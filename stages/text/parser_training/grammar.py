"""Generated captions with gold tags, like those that people write for photographs.

A hand-written grammar samples words from `nouns` and `other_words` for alt texts, photo captions
and headlines. The meaning is random; the order of words matters, above all where a noun and a verb
have the same form ("a man skates", "the skates", "trains pass", "train tracks").
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from stages.text.parser_training import nouns, other_words
from stages.text.parser_training.noun_phrases import (
    BEINGS,
    SCENES,
    THINGS,
    NounPhrases,
    tag_adjective,
    tag_noun,
    tag_phrase,
)
from stages.text.parser_training.treebank import Sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stages.text.parser_training.noun_phrases import Tokens


def captions(count: int, seed: int) -> Iterator[Sentence]:
    """Yield `count` tagged captions; the same seed yields the same captions."""
    grammar = _CaptionGrammar(random.Random(seed))
    for _ in range(count):
        yield grammar.caption()


class _CaptionGrammar(NounPhrases):
    """The rules of the grammar; each method samples one constituent."""

    def caption(self) -> Sentence:
        """A whole caption, with or without capitals and full stop, as in real captions."""
        kinds: tuple[Callable[[], Tokens], ...] = (
            self._scene, self._scene, self._scene, self._clause, self._clause, self._existence,
            self._quantified, self._view, self._headline, self._fragment, self._listing,
            self._bare_clause, self._room, self._identity,
        )  # fmt: skip
        tokens = self._rng.choice(kinds)()
        tokens = self.correct_articles(tokens)
        if self.chance(0.03):
            quoted = [
                ('"', "PUNCT"),
                *self.noun_or_compound((nouns.NON_VISUAL,), False),
                ('"', "PUNCT"),
            ]
            tokens += [("that", "PRON"), ("says", "VERB"), *quoted]
        if self.chance(0.55):
            tokens = [*tokens, (".", "PUNCT")]
        if self.chance(0.6):
            word, tag = tokens[0]
            tokens[0] = (word[:1].upper() + word[1:], tag)
        elif self.chance(0.04):
            tokens = [(word.upper(), tag) for word, tag in tokens]
        return Sentence(tuple(t[0] for t in tokens), tuple(t[1] for t in tokens))

    # Sentences

    def _scene(self) -> Tokens:
        tokens = self.noun_phrase(BEINGS if self.chance(0.6) else THINGS) + self._participial()
        for _ in range(self._rng.choice((0, 0, 1, 1, 2))):
            tokens += self._modifier()
        return tokens

    def _clause(self) -> Tokens:
        plural = self.chance(0.4)
        tokens = self.noun_phrase(BEINGS, plural) + self._finite(plural)
        if self.chance(0.35):
            tokens += self._modifier()
        if self.chance(0.25):
            tokens += [(self._rng.choice(("while", "as", "and", "but", "when")), "SCONJ")]
            tokens += self.noun_phrase(BEINGS, plural) if self.chance(0.6) else []
            tokens += self._finite(plural)
        return tokens

    def _identity(self) -> Tokens:
        """A clause that says what something is: "the island is home to pigs"."""
        plural = self.chance(0.3)
        kinds = (*BEINGS, *SCENES)
        subject = self.noun_phrase(kinds, plural)
        verbs = ("are", "were", "become") if plural else ("is", "was", "becomes", "'s")
        other = (
            self.noun_phrase(kinds, plural) if self.chance(0.8) else tag_phrase("home", "NOUN.s")
        )
        tail = (
            [("to", "ADP"), *self.noun_phrase(BEINGS, True)]
            if len(other) == 1
            else self._modifier()
        )
        return [*subject, (self._rng.choice(verbs), "AUX"), *other, *tail]

    def _bare_clause(self) -> Tokens:
        subject = self.noun_or_compound(BEINGS, self.chance(0.4))
        plural = ".p" in subject[-1][1]
        verb = self._verb(other_words.TRANSITIVE, 0 if plural else 1)
        objects = self.noun_phrase((*THINGS, *BEINGS), determiner=self.chance(0.4))
        return subject + verb + objects + (self._modifier() if self.chance(0.5) else [])

    def _existence(self) -> Tokens:
        plural = self.chance(0.5)
        tokens = [("there", "PRON"), ("are" if plural else "is", "VERB")]
        return tokens + self.noun_phrase((*BEINGS, *THINGS), plural) + self._participial()

    def _room(self) -> Tokens:
        place = self.noun_phrase((nouns.PLACES,), False)
        link = self._rng.choice(
            ("with", "filled with", "that has", "has", "featuring", "including")
        )
        marks = {"with": "ADP", "that": "PRON"}
        tokens = [(word, marks.get(word, "VERB")) for word in link.split()]
        parts = [self.noun_phrase(THINGS) for _ in range(self._rng.choice((1, 2, 2, 3)))]
        return place + tokens + self.join_list(parts)

    def _quantified(self) -> Tokens:
        if self.chance(0.6):
            head = tag_noun(self.pick_frequent(nouns.QUANTITIES), self.chance(0.1))
            rest = self.noun_phrase(BEINGS if self.chance(0.5) else THINGS, True, determiner=False)
        else:
            head = tag_noun(self.pick_frequent(nouns.CONTAINERS), self.chance(0.3))
            rest = self.noun_phrase(
                (nouns.FOOD, nouns.ANIMALS, nouns.OBJECTS), None, determiner=False
            )
        size = tag_adjective(self._rng.choice(("large", "small", "big", "whole"))) * self.chance(
            0.2
        )
        tokens = [("a", "DET"), *size, *head, ("of", "ADP"), *rest]
        return tokens + (self._participial() if self.chance(0.7) else self._modifier())

    def _view(self) -> Tokens:
        kind = tag_noun(self.pick_frequent(nouns.VIEWS), False)
        first = tag_phrase(
            self._rng.choice(("aerial", "vector", "general", "close", "black", "")), "ADJ"
        )
        det = [("a", "DET")] * self.chance(0.5)
        tokens = [
            *det,
            *first,
            *kind,
            ("of", "ADP"),
            *self.noun_phrase((*BEINGS, *THINGS, *SCENES)),
        ]
        return tokens + (self._participial() if self.chance(0.4) else self._modifier())

    def _headline(self) -> Tokens:
        """An alt text of the web, with kinds instead of names: "actor attends the premiere"."""
        name = self._rng.choice(nouns.HEADLINE_NAMES).replace("american", "football")
        tokens = tag_noun(name, False)
        verb = self._rng.choice((self._finite, self._past))(False)
        tokens += verb if self.chance(0.75) else self._modifier()
        if self.chance(0.4):
            tokens += [(self._rng.choice(("during", "at", "before", "by", "with", "in")), "ADP")]
            tokens += tag_noun(self._rng.choice(nouns.HEADLINE_NAMES), False)
        if self.chance(0.15):
            tokens += [
                ("-", "PUNCT"),
                *self.noun_or_compound((nouns.NON_VISUAL,), False),
                ("#", "SYM"),
            ]
        return tokens

    def _past(self, plural: bool) -> Tokens:
        """Finite past or passive."""
        verbs = self._rng.choice((other_words.TRANSITIVE, other_words.INTRANSITIVE))
        aux: Tokens = []
        if self.chance(0.5):
            text = "were" if plural else self._rng.choice(("was", "is", "has been", "will be"))
            aux = tag_phrase(text, "AUX")
        where = self._prepositional_phrase() if self.chance(0.6) else self.noun_phrase(THINGS)
        return aux + self._verb(verbs, 3) + where

    def _fragment(self) -> Tokens:
        """No subject: a gerund, a command, or a question."""
        start = self._rng.choice(("", "", "how to", "just", "what to", "time to", "ready to"))
        parts = {"to": "PART", "how": "ADV", "just": "ADV", "what": "PRON", "time": "NOUN.s"}
        tokens = [(word, parts.get(word, "ADJ")) for word in start.split()]
        form = 0 if "to" in start or self.chance(0.3) else 2
        if self.chance(0.5):
            tokens += self._verb(other_words.TRANSITIVE, form) + self.noun_phrase(THINGS)
        else:
            tokens += self._verb(other_words.INTRANSITIVE, form) + self._prepositional_phrase()
        return tokens + (self._modifier() if self.chance(0.5) else [])

    def _listing(self) -> Tokens:
        parts = [
            self.noun_phrase(THINGS, determiner=self.chance(0.6))
            for _ in range(self._rng.choice((2, 3, 4)))
        ]
        return self.join_list(parts) + (self._prepositional_phrase() if self.chance(0.6) else [])

    # Verb phrases

    def _verb(self, verbs: Sequence[str], form: int) -> Tokens:
        """Form 0 base, 1 third person, 2 -ing, 3 past participle."""
        return [(self._rng.choice(verbs).split("/")[form], "VERB")]

    def _participial(self) -> Tokens:
        """The predicate of a subject without finite verb: "holding a kite", "parked by a tree"."""
        roll = self._rng.random()
        if roll < 0.03:
            return self._transfer(2)
        if roll < 0.35:
            return self._verb(other_words.TRANSITIVE, 2) + self.noun_phrase(
                (*THINGS, *THINGS, *BEINGS)
            )
        if roll < 0.65:
            particle = [(self._rng.choice(other_words.ADVERBS[4:18]), "ADV")] * self.chance(0.2)
            return self._verb(other_words.INTRANSITIVE, 2) + particle + self._prepositional_phrase()
        if roll < 0.85:
            state = "filled with/covered in/made of/topped with/parked by/surrounded by/seated at"
            state += "/covered with/attached to/hanging from/dressed in/lined with/used for"
            verb, link = self._rng.choice(state.split("/")).split()
            return [(verb, "VERB"), (link, "ADP"), *self.noun_phrase(THINGS)]
        return self._prepositional_phrase()

    def _finite(self, plural: bool) -> Tokens:
        roll = self._rng.random()
        if roll < 0.3:
            be = "are" if plural else "is"
            middle = [("not", "PART")] * self.chance(0.05)
            return [(be, "AUX"), *middle, *self._participial()]
        if roll < 0.6:
            verb = self._verb(other_words.TRANSITIVE, 0 if plural else 1)
            return verb + self.noun_phrase((*THINGS, *THINGS, *BEINGS))
        if roll < 0.65:
            return self._transfer(0 if plural else 1)
        if roll < 0.9:
            verb = self._verb(other_words.INTRANSITIVE, 0 if plural else 1)
            if self.chance(0.2):
                return verb
            return (
                verb + self._prepositional_phrase() + (self._purpose() if self.chance(0.15) else [])
            )
        word = self._rng.choice(other_words.ADJECTIVES)
        return [("are" if plural else "is", "AUX"), *tag_adjective(word)]

    def _transfer(self, form: int) -> Tokens:
        """Two objects side by side that are no compound: "showing a lady items"."""
        receiver = self.with_determiner(self.bare_noun_phrase(BEINGS, self.chance(0.3)))
        return (
            self._verb(other_words.DITRANSITIVE, form)
            + receiver
            + self.noun_phrase(THINGS, determiner=self.chance(0.6))
        )

    def _purpose(self) -> Tokens:
        return [("to", "PART"), *self._verb(other_words.TRANSITIVE, 0), *self.noun_phrase(THINGS)]

    def _modifier(self) -> Tokens:
        roll = self._rng.random()
        if roll < 0.6:
            return self._prepositional_phrase()
        if roll < 0.72:
            return [("and", "CCONJ"), *self.noun_phrase((*THINGS, *BEINGS))]
        if roll < 0.82:
            when = tag_adjective(self._rng.choice(other_words.ADJECTIVES)) * self.chance(0.6)
            time = tag_noun(self.pick_frequent(nouns.NON_VISUAL), False)
            return [
                (self._rng.choice(("on", "during", "in", "at", "for")), "ADP"),
                *self.with_determiner(when + time),
            ]
        if roll < 0.9:
            return [("with", "ADP"), *self.noun_phrase(THINGS), *self._participial()]
        if roll < 0.95:
            return [(self._rng.choice(("that", "who", "which")), "PRON"), *self._finite(False)]
        if roll < 0.97:
            where = self._rng.choice(("as", "while", "where", "when"))
            subject = self.noun_phrase(BEINGS, False)
            return [(where, "SCONJ"), *subject, *self._verb(other_words.INTRANSITIVE, 1)]
        return self._purpose()

    def _prepositional_phrase(self) -> Tokens:
        if self.chance(0.3):
            link = self._rng.choice(other_words.LOCATIVES).split()
            location_nouns = {"front", "top", "middle", "side", "edge", "end", "back", "center",
                              "left", "bottom", "corner"}  # fmt: skip
            fixed = {"the": "DET", "next": "ADV", "close": "ADV"}
            tokens = [(t, "NOUN.s" if t in location_nouns else fixed.get(t, "ADP")) for t in link]
        else:
            tokens = [(self._rng.choice(other_words.PREPOSITIONS), "ADP")]
        if self.chance(0.06):
            return [("in", "ADP"), (self._rng.choice(other_words.COLORS), "ADJ")]
        return tokens + self.noun_phrase(SCENES if self.chance(0.7) else (*THINGS, *BEINGS))
