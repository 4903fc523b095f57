"""A part without a store: what every stage test needs and nothing more."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pipeline.execution.notes import add_up
from schemas.errors import NoAttachmentError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa


@dataclass
class InMemory:
    """Satisfies `stages.base.Part` with tables given by role; files go to `folder`."""

    tables: dict[str, pa.Table]
    folder: Path = Path()
    number: int = 0
    files: dict[tuple[str, str], Path] = field(default_factory=dict)
    facts: dict[tuple[str, str], Any] = field(default_factory=dict)
    more: list[InMemory] = field(default_factory=list)
    siblings: list[InMemory] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    advanced: int = 0

    @property
    def scratch(self) -> Path:
        (self.folder / "scratch").mkdir(exist_ok=True)
        return self.folder / "scratch"

    def has(self, role: str) -> bool:
        return role in self.tables or any(known == role for known, _ in self.files)

    def table(self, role: str) -> pa.Table:
        return self.tables[role]

    def batches(self, role: str) -> Iterator[pa.RecordBatch]:
        yield from self.tables[role].to_batches()

    def everywhere(self, role: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for part in self.siblings or [self]:
            yield from part.tables[role].select(columns).to_batches()

    def fingerprint(self, role: str) -> str:
        return uuid4().hex  # tables in memory may change between two runs

    def is_same(self, role: str, other: str) -> bool:
        return self.tables[role] is self.tables[other]

    def noted(self, role: str, key: str) -> Any:
        return self.facts.get((role, key))

    def attachment(self, role: str, name: str) -> Path:
        if (role, name) not in self.files:
            raise NoAttachmentError(f"{role} has no {name}")
        return self.files[role, name]

    def attach(self, name: str) -> Path:
        return self.folder / name

    def slices(self) -> Sequence[InMemory]:
        return self.more or [self]

    def refuse(self, record: str, reason: str, detail: str) -> None:
        self.refused.append((record, reason, detail))

    def advance(self, count: int = 1) -> None:
        self.advanced += count

    def note(self, key: str, value: Any) -> None:
        self.notes[key] = value

    def count(self, key: str, number: Any) -> None:
        self.notes[key] = add_up(self.notes[key], number) if key in self.notes else number
