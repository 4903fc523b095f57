"""Notes: facts about a run, in its manifest. A fact must agree between parts, a count adds up.

What a stage records with `Part.note` must be the same in every part, else the run fails and names
the parts. What it records with `Part.count` adds up, number by number, within lists and mappings.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipeline.store.parts import Receipt
    from stages.base import Count, Stage

_SURVEYED: Final = "the start of the run and part %d"
_FAULT: Final = (
    "This is a fault of the stage: a fact must follow from the options, and a number of things "
    "belongs in a count"
)


@dataclass
class Notes:
    """The notes of one part, or of several joined."""

    facts: dict[str, Any] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)

    def note(self, key: str, value: Any) -> None:
        """Record a fact.

        Raises:
            StageError: If something else was recorded under this key.
        """
        known = self.facts.get(key, self.counts.get(key, value))
        if key in self.counts or not _same(known, value):
            raise StageError(f"the note '{key}' was {known!r} and is now {value!r}")
        self.facts[key] = value

    def count(self, key: str, number: Count) -> None:
        """Add to a number, or to the numbers of a list or mapping.

        Raises:
            StageError: If a fact was recorded under this key.
        """
        if key in self.facts:
            raise StageError(f"the note '{key}' is a fact, so nothing can be added to it")
        self.counts[key] = add_up(self.counts[key], number) if key in self.counts else number


def joined(
    stage: Stage | type[Stage], receipts: Iterable[Receipt], survey: Notes | None = None
) -> dict[str, Any]:
    """The notes of all parts, as the manifest has them.

    Args:
        stage: Its name, and which of its notes follow from the machine.
        receipts: Of all parts, in their order.
        survey: What was noted for all parts together, to which theirs are added.

    Raises:
        StageError: If parts disagree on a fact, with each other or with the survey.
    """
    notes, first = survey or Notes(), dict[str, int]()
    for receipt in receipts:
        number = receipt.part.number
        for key, value in receipt.notes.items():
            known = notes.facts.get(key, value)
            if not _same(known, value):
                both = f"parts {first[key]} and {number}" if key in first else _SURVEYED % number
                said = _disagreement(stage, both, key, (known, value))
                raise StageError(f"rc {stage.name}: {said}")
            first.setdefault(key, number)
            notes.note(key, value)
        for key, number_of_things in receipt.part.counts.items():
            notes.count(key, number_of_things)
    return {**notes.facts, **notes.counts}


def check_surveyed(
    stage: Stage, number: int, surveyed: Mapping[str, Any], key: str, value: Any
) -> None:
    """Pass if a part notes nothing else than what was noted for all parts together.

    Raises:
        StageError: If it does; it says what to do, if machines may differ.
    """
    if not _same(surveyed.get(key, value), value):
        both = (surveyed[key], value)
        raise StageError(_disagreement(stage, _SURVEYED % number, key, both))


def _disagreement(stage: Stage | type[Stage], who: str, key: str, values: tuple[Any, Any]) -> str:
    why = stage.machine_notes.get(key, _FAULT)
    return f"{who} disagree on the note '{key}': {values[0]!r} and {values[1]!r}. {why}."


def add_up(a: Any, b: Any) -> Any:
    """The sum of two counts of one shape: numbers, or lists or mappings of them.

    >>> add_up({"objects": 3, "hits": [1, 2]}, {"objects": 1, "hits": [0, 5]})
    {'objects': 4, 'hits': [1, 7]}

    Raises:
        StageError: If the shapes differ, or something is not a number.
    """
    if isinstance(a, dict) and isinstance(b, dict):
        return {
            key: add_up(a[key], b[key]) if key in a and key in b else {**a, **b}[key]
            for key in {**a, **b}
        }
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [add_up(x, y) for x, y in zip(a, b, strict=True)]
    if not (_is_number(a) and _is_number(b)):
        raise StageError(f"counts of different shapes cannot be added up: {a!r} and {b!r}")
    return a + b


def _same(a: Any, b: Any) -> bool:
    """Whether two facts are one in JSON, where tuples are lists and NaN is NaN."""
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
