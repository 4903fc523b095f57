r"""Finds the file that a name means, when another program wrote the name.

Annotations travel between machines, and their names change on the way: another folder in front,
other separators, another form of the accents, no suffix. The rules below are tried in this order;
the first by which any file fits decides, and if several fit by it, the name means none of them.

1. exact: the name as it is written
2. spelling: after percent-decoding, `\\` to `/`, without `./`, accents composed (Unicode's NFC)
3. path: the same base name, and more of the same folders before it than any other file has
4. base name: what follows the last slash
5. stem: the same without its suffix, in any case of letters

A list of names is matched as a whole (`NameIndex.find_all`): a file belongs to the name that fits
it best, and if several fit it equally well, to none of them. So an image that is missing never
receives what belongs to another of the same base name.
"""

from __future__ import annotations

import unicodedata
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeVar, get_args
from urllib.parse import unquote

from schemas.quarantine import Reason
from stages.sources.record import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

K = TypeVar("K")
V = TypeVar("V")
Way = Literal["exact", "spelling", "path", "base name", "stem"]
_WAYS: Final = get_args(Way)
_SHOWN: Final = 3  # names that a refusal lists


class NameMatch(NamedTuple):
    """A name that was found.

    Attributes:
        name: One of the known names, as it was given.
        way: By which rule.
    """

    name: str
    way: Way


class NameIndex:
    r"""Known names, each once; an index is made when it is first needed.

    >>> index = NameIndex(["val/caf\u00e9.jpg", "f/1.jpg", "g/1.jpg"])
    >>> index.find("C:\\data\\val\\cafe\u0301.jpg").way, index.find("g/1.png").name
    ('path', 'g/1.jpg')
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names: dict[str, None] = dict.fromkeys(names)

    @cached_property
    def _by_spelling(self) -> dict[str, str | list[str]]:
        """Names that are written in another way than `normalised` has it."""
        index: dict[str, str | list[str]] = {}
        for name in self._names:
            if (spelling := normalised(name)) != name:
                enter(index, spelling, name)
        return index

    @cached_property
    def _by_base_name(self) -> dict[str, str | list[str]]:
        index: dict[str, str | list[str]] = {}
        for name in self._names:
            enter(index, normalised(name).rpartition("/")[2], name)
        return index

    @cached_property
    def _by_stem(self) -> dict[str, str | list[str]]:
        index: dict[str, str | list[str]] = {}
        for name in self._names:
            enter(index, _any_case(normalised(name).rpartition("/")[2]), name)
        return index

    def find(self, written: str) -> NameMatch | None:
        """The known name that is meant; None if none fits.

        Raises:
            Refusal: ambiguous-name, if several fit.
        """
        fitting = self.fitting(written)
        return NameMatch(_only(written, fitting[1]), fitting[0]) if fitting else None

    def fitting(self, written: str) -> tuple[Way, Sequence[str]] | None:
        """The known names that fit, by the first rule by which any does; None if none fits."""
        if written in self._names:
            return "exact", [written]
        spelling = normalised(written)
        as_spelled = [spelling] if spelling in self._names else []
        if same := as_spelled + entries(self._by_spelling, spelling):
            return "spelling", same
        base_name = spelling.rpartition("/")[2]
        if same := entries(self._by_base_name, base_name):
            return _by_path(spelling, same, "base name")
        in_any_case = base_name.casefold()
        if same := entries(self._by_stem, stem(in_any_case)) or entries(self._by_stem, in_any_case):
            return _by_path(spelling, same, "stem")
        return None

    def find_all(self, written: Iterable[str]) -> dict[str, NameMatch | Refusal | None]:
        """What each of many names means: a match, why it is refused, or None if nothing fits.

        Memory grows with the number of different names, about 300 bytes each.
        """
        answers: dict[str, NameMatch | Refusal | None] = {}
        claims: dict[str, str | list[str]] = {}
        for name in dict.fromkeys(written):
            answer = self._find_or_refuse(name)
            answers[name] = answer
            if isinstance(answer, NameMatch):
                enter(claims, answer.name, name)
        for file, claimants in claims.items():
            if isinstance(claimants, list):
                found = {name: answers[name] for name in claimants}
                ways = {name: a.way for name, a in found.items() if isinstance(a, NameMatch)}
                ranked = [(_WAYS.index(way), name) for name, way in ways.items()]
                answers.update(_losers(file, ranked))
        return answers

    def _find_or_refuse(self, written: str) -> NameMatch | Refusal | None:
        try:
            return self.find(written)
        except Refusal as refusal:
            return refusal


def enter(index: dict[K, V | list[V]], key: K, value: V) -> None:
    """Add a value under a key; a list is made only for several, since nearly all keys have one.

    >>> index = {}
    >>> [enter(index, key, value) for key, value in (("a", 1), ("b", 2), ("b", 3))] and index
    {'a': 1, 'b': [2, 3]}
    """
    if key not in index:
        index[key] = value
        return
    others = index[key]
    if isinstance(others, list):
        others.append(value)
    else:
        index[key] = [others, value]


def entries(index: Mapping[K, V | list[V]], key: K) -> list[V]:
    """The values under a key, in the order in which they were entered."""
    if key not in index:
        return []
    values = index[key]
    return values if isinstance(values, list) else [values]


def normalised(name: str) -> str:
    r"""One spelling of a name: percent-decoded, with slashes, without `./`, in Unicode's NFC.

    >>> normalised(".\\a%20b//c.jpg")
    'a b/c.jpg'
    """
    decoded = unquote(name, errors="surrogateescape") if "%" in name else name
    parts = decoded.replace("\\", "/").split("/")
    return unicodedata.normalize("NFC", "/".join(part for part in parts if part not in ("", ".")))


def stem(name: str) -> str:
    """A name without its last suffix.

    >>> stem("val/a.b.jpg"), stem("a"), stem(".hidden")
    ('val/a.b', 'a', '.hidden')
    """
    folder, slash, base_name = name.rpartition("/")
    head, dot, _ = base_name.rpartition(".")
    return folder + slash + (head if head and dot else base_name)


def _any_case(base_name: str) -> str:
    return stem(base_name).casefold()


def _losers(file: str, claimants: Sequence[tuple[int, str]]) -> dict[str, Refusal]:
    """The names that do not get a file which several mean: all but the best, or all of them.

    Names that differ in spelling alone are one name, and share the file.
    """
    best = min(way for way, _ in claimants)
    winners = {normalised(name) for way, name in claimants if way == best}
    losers = {}
    for way, name in claimants:
        if len(winners) > 1 or (way > best and normalised(name) not in winners):
            other = next(n for _, n in sorted(claimants) if n != name)
            detail = f"{name!r} could be {file}, which {other!r} means too"
            losers[name] = Refusal(Reason.AMBIGUOUS_NAME, detail)
    return losers


def _by_path(spelling: str, candidates: Sequence[str], way: Way) -> tuple[Way, list[str]]:
    """The candidates that share most folders with the name, counted from the end."""
    folders = spelling.split("/")[:-1]
    shared = [_common_end(folders, normalised(name).split("/")[:-1]) for name in candidates]
    most = max(shared)
    best = [name for name, count in zip(candidates, shared, strict=True) if count == most]
    found_by_path = most > 0 and way == "base name"
    return ("path" if found_by_path else way), best


def _common_end(a: Sequence[str], b: Sequence[str]) -> int:
    count = 0
    for one, other in zip(reversed(a), reversed(b), strict=False):
        if one != other:
            break
        count += 1
    return count


def _only(written: str, names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    raise Refusal(Reason.AMBIGUOUS_NAME, f"{written!r} could be any of {shown}")
