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
_ENGLISH_WORDS: Final = "the a an of on with and in is are man woman at to two"
_CODES: Final = {  # of ISO 639, as spaCy uses them
    "ar": "Arabic", "bn": "Bengali", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German",
    "el": "Greek", "en": "English", "es": "Spanish", "fi": "Finnish", "fr": "French",
    "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "id": "Indonesian", "it": "Italian",
    "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian", "mk": "Macedonian",
    "nb": "Norwegian", "nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian",
    "ru": "Russian", "sl": "Slovenian", "sv": "Swedish", "ta": "Tamil", "th": "Thai",
    "tr": "Turkish", "uk": "Ukrainian", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
_TRAINED: Final = (  # spaCy publishes pipelines called ??_core_news_sm
    *("ca", "hr", "da", "nl", "fi", "fr", "de", "el", "it", "ja", "ko", "lt", "mk", "nb"),
    *("pl", "pt", "ro", "ru", "sl", "es", "sv", "uk"),
)
LIST_ADVICE: Final = (
    "give a list of names in the language of the captions: --from NAMES --parser lexicon"
)
_EXTRAS: Final = {"zh": "chinese", "ja": "japanese"}  # of the project: a parser for --language


def language_name(code: str) -> str:
    """The English name of a language, or its code if that is not known."""
    return _CODES.get(code, code)


def parser_advice(language: str) -> str:
    """What to type for captions in a language; it begins with a small letter.

    Args:
        language: Its code, or its English name.

    >>> parser_advice("German").partition(" or")[0]
    'name a spaCy pipeline, such as --parser spacy:de_core_news_sm,'
    """
    code = {name: code for code, name in _CODES.items()}.get(language, language)
    if code == "en":
        return "use --parser bundled"
    if code in _EXTRAS:
        extra = f"pip install 'regionclip-toolkit[{_EXTRAS[code]}]'"
        return f"say --language {code} ({extra}), or {LIST_ADVICE}"
    if code in _TRAINED:
        return (
            f"name a spaCy pipeline, such as --parser spacy:{code}_core_news_sm, or {LIST_ADVICE}"
        )
    return f"name a spaCy pipeline for it, --parser spacy:NAME, or {LIST_ADVICE}"


@dataclass
class LanguageCount:
    """How many captions look like another language than the one that the parser reads.

    For English, words and known words are counted; for others, captions whose language is told.
    """

    reads: str = "en"
    told: int = 0
    words: int = 0
    known: int = 0
    foreign: int = 0
    languages: Counter[str] = field(default_factory=Counter)

    def read(self, captions: Iterable[str]) -> list[bool]:
        """Count the words of some captions; tell of each whether it is in another language."""
        return self._read_english(captions) if self.reads == "en" else self._read_others(captions)

    def _read_english(self, captions: Iterable[str]) -> list[bool]:
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

    def _read_others(self, captions: Iterable[str]) -> list[bool]:
        others = []
        own = language_name(self.reads)
        for caption in captions if is_told(self.reads) else ():
            words = words_of(caption)
            language = language_of(words, english=True) if len(words) >= _FEWEST_WORDS else ""
            other = language not in ("", own)
            self.told += bool(language)
            self.foreign += other
            self.languages.update([language] if other else ())
            others.append(other)
        return others

    def counts(self) -> Mapping[str, Any]:
        """The numbers, for `Part.count`."""
        if self.reads != "en":
            return {"told": self.told, "foreign": self.foreign, "languages": dict(self.languages)}
        numbers = {"words": self.words, "known_words": self.known, "not_english": self.foreign}
        return {**numbers, "languages": dict(self.languages)}


def is_told(language: str) -> bool:
    """Whether frequent words or a script tell a language, by its code, from others."""
    name = language_name(language)
    return language == "en" or name in _FREQUENT or name in _SCRIPTS.values()


def language_of(words: Iterable[str], *, english: bool = False) -> str:
    """The language that words of a caption are probably in; "" if that cannot be told.

    Args:
        words: In lower case.
        english: Whether it may be English.

    >>> language_of("ein hund auf dem sofa".split()), language_of(["一", "只", "狗"])
    ('German', 'Chinese')
    """
    words = list(words)
    scripts = {unicodedata.name(word[0], "").partition(" ")[0] for word in words}
    by_script = [language for script, language in _SCRIPTS.items() if script in scripts]
    if by_script:
        return by_script[-1] if by_script[0] == "Chinese" else by_script[0]
    votes = {name: sum(w in frequent for w in words) for name, frequent in _frequent().items()}
    votes |= {"English": sum(w in _frequent_english() for w in words)} if english else {}
    best, second = sorted(votes.values(), reverse=True)[:2]
    return max(votes, key=lambda name: votes[name]) if best > second else ""


@cache
def _frequent() -> Mapping[str, frozenset[str]]:
    return {language: frozenset(text.split()) for language, text in _FREQUENT.items()}


@cache
def _frequent_english() -> frozenset[str]:
    return frozenset(_ENGLISH_WORDS.split())


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
