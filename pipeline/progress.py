"""What a run reports while it works, to whom ever listens."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """Told of a run's progress; a terminal bar is one, silence another."""

    def start(self, verb: str, total: int | None, unit: str) -> None:
        """A stage begins; `total` units of work are ahead, if known."""
        ...

    def advance(self, count: int) -> None:
        """So many units are done."""
        ...

    def say(self, sentence: str) -> None:
        """Something the user should know."""
        ...

    def stop(self) -> None:
        """The stage is over."""
        ...


class Silent:
    """A reporter that reports nothing."""

    def start(self, verb: str, total: int | None, unit: str) -> None:
        """Ignore the beginning of a stage."""

    def advance(self, count: int) -> None:
        """Ignore progress."""

    def say(self, sentence: str) -> None:
        """Ignore a sentence."""

    def stop(self) -> None:
        """Ignore the end of a stage."""
