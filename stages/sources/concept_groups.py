"""Groups of names of one thing, as a user writes them: each is one concept of the pool.

[groups]
umbrella = ["parasol", "brolly"]     # the first name is the concept's, the others count as it
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import SourceError
from stages.sources.files import digest_of, foreign, read_up_to
from stages.sources.name_checks import names_fault, quoted_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

TABLE: Final = "groups"
_MOST_BYTES: Final = 16 << 20  # some 300,000 names with comments
_ADVICE: Final = 'write [groups], and below it lines such as umbrella = ["parasol"]'


@dataclass(frozen=True)
class ConceptGroups:
    """Names merged into others.

    Attributes:
        members: By the name that a concept has, its head, the names merged into it.
    """

    members: Mapping[str, tuple[str, ...]]

    @cached_property
    def heads(self) -> dict[str, str]:
        """The head of each name that is merged into it."""
        return {name: head for head, names in self.members.items() for name in names}

    def head(self, name: str) -> str:
        """The name under which a name counts; its own if it is merged into none."""
        return self.heads.get(name, name)

    def digest(self) -> str:
        """The same for the same groups, in whatever order and with whatever comments."""
        ordered = sorted((head, sorted(names)) for head, names in self.members.items())
        return digest_of(json.dumps(ordered))


def read_groups(path: Path) -> ConceptGroups:
    """The groups in a TOML file.

    Raises:
        SourceError: If the file cannot be read or has anything else, if a name stands in two
            places, or if a head is itself merged into another.
    """
    what = f"the groups {path}"
    with foreign(what, _ADVICE):
        content = read_up_to(path, _MOST_BYTES)
        if content is None:
            raise SourceError(f"{what} have more than {_MOST_BYTES:,} bytes; {_ADVICE}")
        members = _members(what, tomllib.loads(content.decode("utf-8-sig")))
    _check_places(what, members)
    return ConceptGroups(members)


def merge_pool(
    pool: Sequence[Sequence[str]], groups: ConceptGroups, path: Path | None = None
) -> list[list[str]]:
    """A given pool with its names merged; a head stands where it stood, or its first member did.

    >>> groups = ConceptGroups({"umbrella": ("parasol", "brolly")})
    >>> merge_pool([["parasol"], ["dog"], ["umbrella"]], groups)
    [['dog'], ['umbrella', 'parasol']]

    Args:
        pool: The names of each concept, its own first.
        groups: What to merge; names that the pool does not have change nothing.
        path: The file of the groups, for messages.

    Raises:
        SourceError: If a name was merged into a concept of the pool, and the groups say otherwise.
    """
    listed = {names[0] for names in pool}
    merged: dict[str, list[str]] = {}
    for names in pool:
        head = groups.head(names[0])
        for name in names[1:]:
            told = name in groups.members or name in groups.heads
            if told and groups.head(name) != head:
                raise SourceError(
                    f"the groups {path} have {quoted_names([name])}, which the pool has as another "
                    f"name of {quoted_names([names[0]])}: write the two in one group, or leave it "
                    "out"
                )
        merged.setdefault(head, [head]).extend(name for name in names if name != head)
    heads = ((names[0], groups.head(names[0])) for names in pool)
    return [merged[head] for head in _once(h for own, h in heads if own == h or h not in listed)]


def _once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _members(what: str, content: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Names by head, each of them fit to be one."""
    others = [name for name in content if name != TABLE]
    if others or not isinstance(content.get(TABLE), dict):
        found = f" beside it {quoted_names(others)}" if others else " no such table"
        raise SourceError(f"{what} must have the table [{TABLE}] alone, and have{found}; {_ADVICE}")
    members = {}
    for head, names in content[TABLE].items():
        if isinstance(names, dict):
            raise SourceError(
                f"{what} have a table at {quoted_names([head])}; {_ADVICE}, and put a name with "
                "dots or spaces in quotation marks"
            )
        if not isinstance(names, list):
            raise SourceError(f"{what} have no list at {quoted_names([head])}; {_ADVICE}")
        for name in (head, *names):
            if fault := names_fault([name]):
                raise SourceError(f"{what}: the group of {quoted_names([head])} {fault}; {_ADVICE}")
        members[head] = tuple(names)
    return members


def _check_places(what: str, members: Mapping[str, Sequence[str]]) -> None:
    """Pass if every name stands in one place.

    Raises:
        SourceError: If one is in two groups, or twice in one, or is a head and a member.
    """
    head_of: dict[str, str] = {}
    for head, names in members.items():
        for name in names:
            said = f"{what} have {quoted_names([name])}"
            if name in head_of:
                where = quoted_names(_once([head_of[name], head]))
                raise SourceError(f"{said} twice, in the group of {where}; leave one out")
            if name in members:
                raise SourceError(
                    f"{said} as a group of its own, and in that of {quoted_names([head])}; write "
                    "all names of one thing in one group"
                )
            head_of[name] = head
