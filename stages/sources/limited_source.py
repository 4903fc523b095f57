"""A source whose files are read with raised limits (`--size-limits`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from stages.sources.record import Record
from stages.sources.size_limits import raised, raised_over

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stages.sources.record import Inventory, LeftOut, Problem, Slice, Source


@dataclass(frozen=True, slots=True)
class LimitedSource:
    """See `stages.sources.record.Source`.

    Attributes:
        source: That is read.
        times: The usual limits.
    """

    source: Source
    times: int

    @property
    def kind(self) -> str:
        """See `Source`."""
        return self.source.kind

    def digest(self) -> str:
        """See `Source`."""
        return raised(self.times, self.source.digest)

    def slice_digest(self, part_slice: Slice) -> str:
        """See `Source`."""
        return raised(self.times, self.source.slice_digest, part_slice)

    def slices(self) -> Sequence[Slice]:
        """See `Source`."""
        return raised(self.times, self.source.slices)

    def count(self, part_slice: Slice) -> int:
        """See `Source`."""
        return raised(self.times, self.source.count, part_slice)

    def total(self) -> int | None:
        """See `Source`."""
        return raised(self.times, self.source.total)

    def records(self, part_slice: Slice) -> Iterator[Record | Problem | LeftOut]:
        """See `Source`."""
        for item in raised_over(self.times, self.source.records(part_slice)):
            if isinstance(item, Record):
                yield replace(item, load=partial(raised, self.times, item.load))
            else:
                yield item

    def inventory(self) -> Inventory:
        """See `Source`."""
        return raised(self.times, self.source.inventory)
