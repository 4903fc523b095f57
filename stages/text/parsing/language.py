"""Whether captions are in the language that the bundled parser reads: English.

Measured is the share of words that stand in English word lists; docs/log.md has the shares of
captions in many languages. Frequent words and scripts tell which language it is instead. Of a
caption in a language that can be told, the parser would take wrong words for nouns.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from stages.text.parser_training import nouns, other_words
from stages.text.parsing import word_lists
from stages.text.parsing.cleaning import MAX_CHARACTERS, words_of
from stages.text.parsing.noun_compounds import singular

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ENGLISH: Final = 0.4  # share of known words: English captions have 0.62 to 0.93, others 0 to 0.13
_ASCII_WORD: Final = re.compile("[a-z]+")  # not cleaned: a caption is read once more anyway
_FEWEST_WORDS: Final = 3  # of a caption whose language can be told
_SCRIPTS: Final = {  # by the first word of a letter's name in Unicode; later ones win
    "CJK": "Chinese", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "HANGUL": "Korean",
    "CYRILLIC": "Russian", "GREEK": "Greek", "ARABIC": "Arabic", "HEBREW": "Hebrew",
    "DEVANAGARI": "Hindi", "BENGALI": "Bengali", "TAMIL": "Tamil", "THAI": "Thai",
}  # fmt: skip
_FREQUENT: Final = {
    "German": "der die das ein eine einem einen einer und mit auf im am von vor ist zwei für dem",
    "French": "le la les un une des et du de sur dans avec est deux en au aux qui devant",
    "Spanish": "el la los las un una y de del en con sobre es dos por está una su hombre mujer",
    "Italian": "il la gli un una uno e di del della in con su sul sulla è due che nel nella",
    "Portuguese": "o a os as um uma e de do da em no na com está dois por uma homem mulher",
    "Dutch": "de het een en van op met in is twee bij aan voor naar zit staat man vrouw",
    "Swedish": "en ett och på med av i som är två det till sitter står man kvinna framför",
    "Danish": "en et og på med af i som er to det til sidder står mand kvinde foran",
    "Polish": "i w na z do jest się dwa dwie przy pod nad kobieta mężczyzna stoi siedzi",
    "Czech": "a v na s je se do u při pod nad žena muž dva dvě stojí sedí ve ze",
    "Romanian": "un o și de pe în cu la este doi două din lângă care bărbat femeie",
    "Turkish": "bir ve ile bu için iki üzerinde olan adam çok gibi olarak daha de da",
    "Indonesian": "di yang dan dengan dari sebuah seorang seekor dua pada atas untuk sedang",
    "Vietnamese": "một và trên trong với của người đang các là có hai những cho ở",
}


@dataclass
class LanguageCount:
    """Words and known words of captions, and how many captions look like another language."""

    words: int = 0
    known: int = 0
    foreign: int = 0
    languages: Counter[str] = field(default_factory=Counter)

    def read(self, captions: Iterable[str]) -> list[bool]:
        """Count the words of some captions; tell of each whether it is in another language."""
        english = _english_words()
        others = []
        for caption in captions:
            plain = caption if len(caption) <= MAX_CHARACTERS and caption.isascii() else ""
            words = _ASCII_WORD.findall(plain.lower()) if plain else words_of(caption)
            unknown = [word for word in words if word not in english]
            known = len(words) - sum(singular(word) not in english for word in unknown)
            self.words += len(words)
            self.known += known
            foreign = len(words) >= _FEWEST_WORDS and known < ENGLISH * len(words)
            language = language_of(words) if foreign else ""
            self.foreign += foreign
            self.languages.update([language] if language else ())
            others.append(bool(language))
        return others

    def counts(self) -> Mapping[str, Any]:
        """The numbers, for `Part.count`."""
        numbers = {"words": self.words, "known_words": self.known, "not_english": self.foreign}
        return {**numbers, "languages": dict(self.languages)}


def language_of(words: Iterable[str]) -> str:
    """The language that words of a caption are probably in; "" if that cannot be told.

    >>> language_of("ein hund auf dem sofa".split()), language_of(["一", "只", "狗"])
    ('German', 'Chinese')
    """
    words = list(words)
    scripts = {unicodedata.name(word[0], "").partition(" ")[0] for word in words}
    by_script = [language for script, language in _SCRIPTS.items() if script in scripts]
    if by_script:
        return by_script[-1] if by_script[0] == "Chinese" else by_script[0]
    votes = {name: sum(w in frequent for w in words) for name, frequent in _frequent().items()}
    best, second = sorted(votes.values(), reverse=True)[:2]
    return max(votes, key=lambda name: votes[name]) if best > second else ""


@cache
def _frequent() -> Mapping[str, frozenset[str]]:
    return {language: frozenset(text.split()) for language, text in _FREQUENT.items()}


@cache
def _english_words() -> frozenset[str]:
    """All words of the lists that the parser uses, or that it was trained with."""
    lists = [
        value
        for module in (word_lists, nouns, other_words)
        for value in vars(module).values()
        if isinstance(value, tuple | frozenset)
    ]
    names = [name.replace("/", " ") for words in lists for name in words if isinstance(name, str)]
    return frozenset(word for name in names for word in words_of(name))
