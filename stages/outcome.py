"""What a finished run says of itself: its last lines, and whether it lost what it was given.

A run whose result is empty is an error, unless the user allows it; one that lost most of a kind of
thing is finished, but its command exits with code 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Result:
    """A finished run, before it is committed.

    Attributes:
        rows: Rows written, over all parts.
        dropped: Refused records, by reason.
        notes: Facts and counts of all parts, joined.
    """

    rows: int
    dropped: Mapping[str, int]
    notes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the command line says at the end of a run.

    Attributes:
        summary: What a person wants to know, one line each; the first stands beside the address.
        empty: Why the result is empty, what was looked for and what was there, and what to do:
            one sentence, an error unless the user allows it. None if the result is not empty.
        losses: One sentence for each kind of thing of which most was lost.
    """

    summary: Sequence[str] = ()
    empty: str | None = None
    losses: Sequence[str] = ()


def is_most(lost: int, total: int) -> bool:
    """Whether more than half was lost.

    >>> is_most(2, 4), is_most(3, 4), is_most(0, 0)
    (False, True, False)
    """
    return 2 * lost > total


def counted(number: int, name: str, plural: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "image"), counted(1204, "image"), counted(2, "box", "boxes")
    ('1 image', '1,204 images', '2 boxes')
    """
    return f"{number:,} {name if number == 1 else plural or name + 's'}"
