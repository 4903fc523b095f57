"""Rounds of a recipe: the student of one round is the teacher of the next.

    [rounds]
    student = "student"            # the output of this step ...
    teaches = ["features"]         # ... is the teacher of these steps in the next round
    labels = "labels"              # compared with those of the round before, as by `rc diff`
    agreement = "held-out labels"  # a step that judges the student: rounds end when it falls
    metric = "top1"                # of an evaluation; of labels: the share that captions mention
    count = 2                      # rounds; --rounds gives another number

A later round repeats the steps that the student teaches and those that depend on them, and no
others; a step X of round 2 is called "X, round 2". All rounds are steps of one recipe, so they are
run, skipped when finished, named in tables and selected like any other step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from schemas.errors import OptionError, SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Located = tuple[str, dict[str, Any]]  # location for messages, entry of a recipe file


@checked(frozen=True, config=ConfigDict(extra="forbid"))
class Rounds:
    """The `[rounds]` of a recipe: names of its steps, and how many rounds there are."""

    student: str
    teaches: tuple[str, ...]
    labels: str | None = None
    agreement: str | None = None
    metric: str = "top1"
    count: int = 1


def read_rounds(written: Mapping[str, Any], count: int | None, location: str) -> Rounds | None:
    """The rounds of a recipe whose placeholders are replaced; None if it has none.

    Args:
        written: Its `[rounds]`; empty if it has none.
        count: Replaces the number that is written.
        location: For messages.

    Raises:
        SourceError: If a key is missing or unknown.
        OptionError: If rounds are asked for, and the recipe has none.
    """
    if not written:
        if count is not None:
            raise OptionError(
                f"rc run: --rounds needs a recipe with [rounds], which says whose student is whose "
                f"teacher; {location} has none"
            )
        return None
    given = {} if count is None else {"count": count}
    try:
        rounds = TypeAdapter(Rounds).validate_python({**written, **given})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SourceError(f"[rounds] of {location}: {where}: {first['msg']}") from None
    if rounds.count < 1:
        raise SourceError(f"[rounds] of {location}: there must be at least one round")
    return rounds


def round_name(name: str, number: int) -> str:
    """The name of a step in a round.

    >>> round_name("student", 1), round_name("student", 2)
    ('student', 'student, round 2')
    """
    return name if number == 1 else f"{name}, round {number}"


def entry_name(location: str, entry: Mapping[str, Any]) -> str:
    """The name of a step as written; without one its number and its verb.

    >>> entry_name("step 2 of a.toml", {"run": "propose"})
    '2 propose'
    """
    number = location.split(" of ")[0].removeprefix("step ")
    return str(entry.get("as", f"{number} {entry.get('run')}"))


def entries_by_round(
    entries: Sequence[Located], rounds: Rounds | None, location: str
) -> list[list[Located]]:
    """The steps of each round, the first as they are written.

    Raises:
        SourceError: If `rounds` names a step that is not there, or that does not depend on what
            it must.
    """
    if rounds is None:
        return [list(entries)]
    _check(entries, rounds, location)
    repeated = _dependents(entries, rounds.teaches)
    by_round = [list(entries)]
    for number in range(2, rounds.count + 1):
        names = {name: round_name(name, number) for name in repeated}
        teacher = {"teacher": "@" + round_name(rounds.student, number - 1)}
        by_round.append(
            [
                (where, _renamed(entry, name, names) | (teacher if name in rounds.teaches else {}))
                for where, entry in entries
                if (name := entry_name(where, entry)) in repeated
            ]
        )
    return by_round


def _check(entries: Sequence[Located], rounds: Rounds, location: str) -> None:
    names = {entry_name(where, entry) for where, entry in entries}
    roles = {"student": rounds.student, "labels": rounds.labels, "agreement": rounds.agreement}
    named = [(role, name) for role, name in roles.items() if name]
    for role, name in [*named, *(("teaches", name) for name in rounds.teaches)]:
        if name not in names:
            raise SourceError(f"[rounds] of {location}: {role}: no step is called '{name}'")
    repeated = _dependents(entries, rounds.teaches)
    judging = set(_dependents(entries, [rounds.student])) - {rounds.student}
    for role, name in named:
        source = rounds.student if role == "agreement" else ", ".join(rounds.teaches)
        if name not in (judging if role == "agreement" else repeated):
            raise SourceError(
                f"[rounds] of {location}: '{name}' is the {role}, but does not depend on "
                f"'{source}', so no round would change it"
            )


def _dependents(entries: Sequence[Located], names: Sequence[str]) -> list[str]:
    """Names of these steps, and of all that read one, directly or through others."""
    dependents = list(names)
    for where, entry in entries:
        if set(dependents) & set(_names_read(entry)):
            dependents.append(entry_name(where, entry))
    return dependents


def _names_read(entry: Mapping[str, Any]) -> list[str]:
    return [value[1:] for key, value in entry.items() if _is_input(key, value)]


def _is_input(key: str, value: Any) -> bool:
    return key != "as" and isinstance(value, str) and value.startswith("@")


def _renamed(entry: Mapping[str, Any], name: str, names: Mapping[str, str]) -> dict[str, Any]:
    """A step as in a later round: under its name there, reading the steps of that round."""
    inputs = {
        key: "@" + names.get(value[1:], value[1:])
        for key, value in entry.items()
        if _is_input(key, value)
    }
    return {**entry, **inputs, "as": names[name]}
