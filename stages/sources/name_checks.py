"""Names that must be told apart, such as categories: none missing, none twice, none alike.

Two names are alike if they are the same after Unicode's compatibility normalisation (NFKC) without
invisible characters, as "café" with one code point and with two, or if one mixes alphabets, as
"cat" with a Cyrillic letter. Words of two alphabets that only happen to look alike are different.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SHOWN: Final = 5  # names in a message before "and N more"
_CHARACTERS: Final = 60  # of a name in a message
_ALPHABETS: Final = ("LATIN", "GREEK", "CYRILLIC")  # the first words of names in Unicode
_UNSEEN: Final = frozenset(map(chr, range(0xFE00, 0xFE10)))  # ask for another form of a character
_TURNING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # of lines
_AS_LATIN: Final = str.maketrans(  # letters of Cyrillic and of Greek
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u04bb\u0501\u051b\u051d\u0475"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0405\u0406\u0408"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"
    "\u03bf\u03bd\u03b9\u03c1\u03ba",
    "aeopcyxsijhdqwvABEKMHOPCTYXSIJABEZHIKMNOPTYXovipk",
)


def names_fault(names: Iterable[object], *, ignore_case: bool = True) -> str | None:
    """What keeps names from being told apart, as the rest of a sentence; None if nothing does.

    >>> names_fault(["dog", "hot dog"]), names_fault(["dog", None])
    (None, 'has null in place of name 2')
    >>> names_fault(["dog", "cat", "Dog"])
    "has 'dog' and 'Dog', which differ only in case (names 1 and 3)"

    Args:
        names: As they were read, in their order.
        ignore_case: Whether names that differ only in case are alike.
    """
    seen: dict[str, tuple[int, str]] = {}
    for number, name in enumerate(names, 1):
        if not isinstance(name, str):
            what = "null" if name is None else "something that is no text"
            return f"has {what} in place of name {number}"
        if fault := _fault(name):
            return f"has {fault} in place of name {number}"
        for key in _keys(name, ignore_case=ignore_case):
            at, other = seen.setdefault(key, (number, name))
            if at != number and (why := _why_alike(other, name, ignore_case=ignore_case)):
                return f"has {why} (names {at} and {number})"
    return None


def look_alike(name: str, known: Iterable[str]) -> str | None:
    """Which of other names looks like a name that is not among them; for a message.

    >>> look_alike("dog", ["cat", "Dog"]), look_alike("dog", ["cat"])
    ("'dog' looks like 'Dog'", None)
    """
    keys = set(_keys(name, ignore_case=True))
    for other in known:
        alike = keys & set(_keys(other, ignore_case=True))
        if alike and other != name and _why_alike(name, other, ignore_case=True):
            points = (_code_points(name, other), _code_points(other, name))
            return f"{_quoted(name)}{points[0]} looks like {_quoted(other)}{points[1]}"
    return None


def quoted_names(names: Sequence[str], known: Iterable[str] = ()) -> str:
    """Names for a sentence: the first five, and how many more.

    >>> quoted_names(list("abcdefg"))
    "'a', 'b', 'c', 'd', 'e' and 2 more"

    Args:
        names: Perhaps none.
        known: Names among which these were not found; where one looks like another, it is said.
    """
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    there = list(known)
    alike = [said for name in names[:_SHOWN] if there and (said := look_alike(name, there))]
    said = ", ".join(_quoted(name) for name in names[:_SHOWN]) + more
    return "; ".join([said, *alike])


def quoted_first(names: Sequence[str], total: int) -> str:
    """The same of which only the first were kept.

    >>> quoted_first(["a", "b"], 1002)
    "'a', 'b' and 1,000 more"

    Args:
        names: The first, not more than are shown.
        total: How many there are.
    """
    more = total - len(names)
    return quoted_names(names) + (f" and {more:,} more" if more else "")


def _fault(name: str) -> str | None:
    """What is wrong with a single name."""
    for character in name:
        category = unicodedata.category(character)
        if category in ("Cc", "Cs", "Zl", "Zp") or character in _TURNING:
            return f"{_quoted(name)} with the character U+{ord(character):04X}"
    return None if _normalised(name, ignore_case=False) else "an empty text"


def _why_alike(first: str, second: str, *, ignore_case: bool) -> str | None:
    """Why two names that share a key cannot be told apart; None if they can."""
    if first == second:
        return f"{_quoted(first)} more than once"
    exact, folded = (
        _normalised(first, ignore_case=fold) == _normalised(second, ignore_case=fold)
        for fold in (False, ignore_case)
    )
    if folded and not exact:
        return f"{_quoted(first)} and {_quoted(second)}, which differ only in case"
    if not exact and not (_mixes_alphabets(first) or _mixes_alphabets(second)):
        return None
    one, two = _code_points(first, second), _code_points(second, first)
    how = "look alike" if one or two else "differ only in spaces"
    return f"{_quoted(first)}{one} and {_quoted(second)}{two}, which {how}"


def _keys(name: str, *, ignore_case: bool) -> tuple[str, str]:
    """What names that are the same after normalisation share, and what those share that look so."""
    latin = unicodedata.normalize("NFKC", name).translate(_AS_LATIN)
    keys = (_normalised(text, ignore_case=ignore_case) for text in (name, latin))
    return f"n{next(keys)}", f"l{next(keys)}"


def _normalised(name: str, *, ignore_case: bool) -> str:
    text = unicodedata.normalize("NFKC", name)
    if ignore_case:
        text = unicodedata.normalize("NFKC", text.casefold())
    seen = (c for c in text if unicodedata.category(c) != "Cf" and c not in _UNSEEN)
    return " ".join("".join(seen).split())


def _mixes_alphabets(name: str) -> bool:
    words = (unicodedata.name(c, "").partition(" ")[0] for c in name if c.isalpha())
    return len({word for word in words if word in _ALPHABETS}) > 1


def _code_points(name: str, other: str) -> str:
    """The code points of a name, beyond ASCII, that another name does not have; in brackets."""
    own = [c for c in dict.fromkeys(name) if c not in other and not c.isascii()]
    return f" ({', '.join(f'U+{ord(c):04X}' for c in own[:_SHOWN])})" if own else ""


def _quoted(name: str) -> str:
    """A name in quotation marks, not too long, without what a terminal would obey."""
    marks = "".join(c if c.isprintable() or c == "\u00a0" else "\ufffd" for c in name[:_CHARACTERS])
    return f"'{marks}{'…' if len(name) > _CHARACTERS else ''}'"
