"""Captions made fit for a parser: what a person would read in them, without the marks of the web.

Only what the parser reads is changed; tables and examples keep the caption as it was.
"""

from __future__ import annotations

import html
import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING

from ftfy import TextFixerConfig, fix_text

if TYPE_CHECKING:
    from collections.abc import Callable


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CLEANING_VERSION = 3  # raised when the same caption would be read in another way
MAX_CHARACTERS = 2000  # read of a caption; the rest is rarely about the image

_LETTERS = TextFixerConfig(
    unescape_html=False,
    fix_line_breaks=False,
    fix_surrogates=False,
    remove_control_chars=False,
    normalization="NFC",
)
_PLAIN = re.compile(r"[ !#-%(-;=?A-^`-~']*")  # ASCII without marks that may be markup
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
_HYPHEN = re.compile(
    "[\u2010\u2011\ufe63\uff0d]|(?<=\\b[^\\W\\d_])[\u2012\u2013\u2212](?=[^\\W\\d_]{2})"
)
_TAG = re.compile(r"<\s*/?\s*([A-Za-z][\w|-]*)(?:\s[^<>]{0,300})?/?\s*>")
_SILENT_TAGS = _words("""
a abbr b big blockquote br center code div em font h1 h2 h3 h4 h5 h6 hr i img li ol p pre q s small
span strong sub sup table tbody td th tr tt u ul
""")
_SILENT_PLACEHOLDERS = _words("""
bos date email end endoftext eos hashtag image mention num number pad phone sep start startoftext
time unk url user username
""")
_QUOTED_WORD = re.compile(r"(?<!\S)'([a-z]+)'(?![\w'])")  # 'bed': stressed, no text on a sign
_LINK_STARTS = ("www.", "@")
_LINK_ENDS = tuple(_words("""
.com .org .net .edu .gov .jpg .jpeg .png .gif .webp .bmp .tif .tiff .heic .svg .htm .html .php
"""))  # fmt: skip
_PUNCTUATION = ".,;:!?()[]{}<>'\"*"
# "in a case.next to it": a full stop without its space, but not in "e.g." or "site.com"
_LOST_SPACE = re.compile(
    r"(?<=[a-z]{3})\.(?=[A-Z][a-z]|[a-z]{4}|(?:[Aa]|[Aa]n|[Tt]he|[Ii]t|[Tt]wo|[Oo]ne)\s)"
)
_ASCII_WORD = re.compile(r"[a-z0-9]+(?:'[a-z0-9]+)*")
_UNSEGMENTED = (  # scripts that put no spaces between words
    "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_QUOTES = (
    '""', "''", "\u201c\u201d", "\u2018\u2019", "\u201e\u201c", "\u201e\u201d", "\u00ab\u00bb",
    "\u00bb\u00ab", "\u300c\u300d", "\u300e\u300f", "``",
)  # fmt: skip


def clean_caption(caption: str) -> str:
    r"""The first `MAX_CHARACTERS` of a caption as plain text in Unicode's form NFC.

    HTML entities and tags, addresses of the web, names of files, invisible characters and
    quotation marks around the whole caption are removed; an underscore is a space; mojibake,
    ligatures and full-width forms become the letters they stand for. A caption in capitals only
    becomes lower case, because taggers would tag each of its words as a name. A full stop between
    two words gets the missing space.

    >>> clean_caption("A DOG\x00\nBARKS"), clean_caption("A dog.It barks")
    ('a dog  barks', 'A dog. It barks')
    >>> clean_caption("&quot;<b>hot_dog</b> by <PERSON> &#169; www.dogs.com&quot;").split()
    ['hot', 'dog', 'by', 'person', '©']
    """
    text = caption
    if len(text) > MAX_CHARACTERS:
        text = text[:MAX_CHARACTERS].rpartition(" ")[0] or text[:MAX_CHARACTERS]
    marked = "//" in text or " '" in f" {text}" or "." in text[:-1]
    if marked or not _PLAIN.fullmatch(text):
        text = _plain(text)
    return text.lower() if text.isupper() else text


def words_of(caption: str) -> list[str]:
    """Lower-case words of a caption: letters, digits and inner apostrophes.

    Scripts without spaces between words, such as Chinese, Japanese and Thai, give characters.

    >>> words_of("The dog's hot-dog, 2 buns!"), words_of("一只狗")
    (['the', "dog's", 'hot', 'dog', '2', 'buns'], ['一', '只', '狗'])
    """
    text = clean_caption(caption).lower()
    return _ASCII_WORD.findall(text) if text.isascii() else _find_words()(text)


def _plain(text: str) -> str:
    """A caption without markup, addresses, invisible characters and outer quotation marks."""
    text = html.unescape(html.unescape(text)) if "&" in text else text  # often escaped twice
    if not text.isascii():
        text = _HYPHEN.sub("-", _INVISIBLE.sub("", fix_text(text, _LETTERS)))
    text = _TAG.sub(_untagged, text)
    text = " ".join(_unlinked(word) for word in text.split(" ")).replace("_", " ")
    if not text.isprintable():
        text = "".join(mark if mark.isprintable() else " " for mark in text)
    return _LOST_SPACE.sub(". ", _QUOTED_WORD.sub(r"\1", _unquoted(text)))


def _untagged(tag: re.Match[str]) -> str:
    """What a tag or a placeholder such as <PERSON> says: nothing, or a word."""
    name = tag[1].lower()
    return " " if name in _SILENT_TAGS or name in _SILENT_PLACEHOLDERS else f" {name} "


def _unlinked(word: str) -> str:
    """A word, or the punctuation around it if it is an address or the name of a file."""
    if not any(mark in word for mark in ".@:"):
        return word
    core = word.strip(_PUNCTUATION).lower()
    is_address = "@" in core and "." in core.partition("@")[2]
    if not is_address and "://" not in core:
        host = core.partition("/")[0]
        if not (core.startswith(_LINK_STARTS) or host.endswith(_LINK_ENDS)):
            return word
    before = len(word) - len(word.lstrip(_PUNCTUATION))
    after = len(word.rstrip(_PUNCTUATION))
    return f"{word[:before]} {word[after:]}"


def _unquoted(text: str) -> str:
    """A caption without the quotation marks around all of it, if they enclose no others.

    >>> _unquoted('"A dog"'), _unquoted('"Stop" and "Go"')
    ('A dog', '"Stop" and "Go"')
    """
    inner = text.strip()
    end = len(inner) - (inner[-1:] == ".")
    for pair in _QUOTES:
        first, last = pair[0], pair[1]
        while end > 2 and inner[0] == first and inner[end - 1] == last:
            content = inner[1 : end - 1]
            if first in content.strip(first) or last in content.strip(last):
                return text
            text = inner = content.strip()
            end = len(inner)
    return text


@cache
def _find_words() -> Callable[[str], list[str]]:
    """A function that splits any script: a word keeps its combining marks, as in Hindi and Thai."""
    code_points = range(0x300, 0x20000)
    marks = "".join(c for c in map(chr, code_points) if unicodedata.category(c)[0] == "M")
    letter = f"[^\\W_{_UNSEGMENTED}][{marks}]*"
    pattern = f"(?=\\w)[{_UNSEGMENTED}][{marks}]*|(?:{letter})+(?:['\u2019](?:{letter})+)*"
    return re.compile(pattern).findall
