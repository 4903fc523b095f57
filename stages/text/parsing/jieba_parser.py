"""Concepts of Chinese captions by jieba, which splits them into words and tags these.

Its dictionary is of simplified characters; captions in traditional ones are split less well.
"""

from __future__ import annotations

import importlib.metadata
import warnings
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import SourceError
from stages.text.parsing.cleaning import clean_caption
from stages.text.parsing.language_rule import SUFFIX, TaggedWord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from stages.text.parsing.language_rule import LanguageRule

# Names of persons, places and firms as well: as such are also tagged 雕像, 绵羊 and 公共汽车.
_NOUNS: Final = frozenset(("n", "ng", "nr", "nrt", "ns", "nt", "nz"))
_PLACE: Final = "s"  # a place word: 街上 is "on the street"
_SIDE: Final = "f"  # 里 after 碗: in the bowl
_MEASURE: Final = "q"  # 碗 counts, but not before a side
_SIDES_OF_PLACES: Final = frozenset("上里中下内")  # what a place word adds to a noun
_SIDES_OF_NOUNS: Final = frozenset("上里")  # what a noun has only where jieba did not split it


class JiebaParser:
    """Splits and tags captions with jieba, and applies the concept rule."""

    language = "zh"

    def __init__(self, rule: LanguageRule, identity: str) -> None:
        """Load jieba's dictionary, which takes a second or two.

        Raises:
            SourceError: If jieba is not installed.
        """
        jieba_version()
        self.identity = identity
        self._rule = rule
        self._tagger = _tagger()

    def concepts(self, captions: Iterable[str]) -> Iterator[list[str]]:
        """Yield the concepts of each caption in order, one per mention."""
        for caption in captions:
            pairs = [(pair.word, pair.flag) for pair in self._tagger.cut(clean_caption(caption))]
            yield self._rule.concepts(words_of_pairs(pairs))


def jieba_version() -> str:
    """The version of jieba, and so of its dictionary.

    Raises:
        SourceError: If jieba is not installed.
    """
    try:
        return importlib.metadata.version("jieba")
    except importlib.metadata.PackageNotFoundError as error:
        raise SourceError(
            "--language zh needs jieba: pip install 'regionclip-toolkit[chinese]', or name a spaCy "
            "pipeline, such as --parser spacy:zh_core_web_sm"
        ) from error


def words_of_pairs(pairs: Sequence[tuple[str, str]]) -> list[TaggedWord]:
    """Words with universal parts of speech, of words with jieba's flags.

    >>> [word.text for word in words_of_pairs([("街上", "s"), ("一只", "m"), ("狗", "n")])]
    ['街', '一只', '狗']
    >>> [word.pos for word in words_of_pairs([("碗", "q"), ("里", "f"), ("小小的", "z")])]
    ['NOUN', 'X', 'X']
    """
    words = []
    for i, (text, flag) in enumerate(pairs):
        before_side = i + 1 < len(pairs) and pairs[i + 1][1] == _SIDE
        sides = _SIDES_OF_PLACES if flag == _PLACE else _SIDES_OF_NOUNS
        if flag in _NOUNS or flag == _PLACE or (flag == _MEASURE and before_side):
            words.append(
                TaggedWord(text[:-1] if len(text) > 1 and text[-1] in sides else text, "NOUN")
            )
        else:
            words.append(TaggedWord(text, SUFFIX if flag == "k" else "X"))
    return words


def _tagger() -> Any:
    """A tagger with a dictionary of its own: jieba's shared one is cached in a folder of all."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its regular expressions and pkg_resources are of old
        import jieba
        import jieba.posseg

    words = jieba.Tokenizer()
    words.FREQ, words.total = words.gen_pfdict(words.get_dict_file())
    words.initialized = True
    return jieba.posseg.POSTokenizer(words)
