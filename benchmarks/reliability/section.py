"""A section of the reliability table: cases of one kind, and those that failed."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class Count:
    """Cases of one kind that were tried, and what was wrong with those that failed."""

    tried: int = 0
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def held(self) -> int:
        """Cases that did what they should."""
        return self.tried - len(self.failures)

    @contextmanager
    def case(self, name: str) -> Iterator[None]:
        """Try a case: it fails with an AssertionError, whose text says what was wrong."""
        self.tried += 1
        start = time.monotonic()
        try:
            yield
        except AssertionError as error:
            self.failures.append(f"{name}: {error}")
        finally:
            self.seconds += time.monotonic() - start


class Section(Protocol):
    """A module of this package with cases of one subject."""

    TITLE: str
    ABOUT: str  # what is done and what must hold, one or two sentences

    @staticmethod
    def trials(folder: Path, *, short: bool) -> dict[str, Count]:
        """Try the cases of each kind (a verb, a kind of file) in an empty folder.

        Args:
            folder: An empty folder, deleted afterwards.
            short: Whether to try a few cases of each kind only, as `make test` does.
        """
        ...
