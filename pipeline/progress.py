"""The interface for progress reports of a run, and a reporter that ignores them."""

from __future__ import annotations

from typing import Protocol


class Reporter(Protocol):
    """Receives the progress of a run, for example to show a bar in the terminal."""

    def start(self, verb: str, total: int | None, unit: str) -> None:
        """A stage begins, with `total` units of work if their number is known."""
        ...

    def advance(self, count: int) -> None:
        """`count` more units are done."""
        ...

    def say(self, sentence: str) -> None:
        """Show the user a sentence."""
        ...

    def stop(self) -> None:
        """The stage has ended."""
        ...


class Silent:
    """A reporter that ignores everything."""

    def start(self, verb: str, total: int | None, unit: str) -> None:
        """Ignore the beginning of a stage."""

    def advance(self, count: int) -> None:
        """Ignore progress."""

    def say(self, sentence: str) -> None:
        """Ignore a sentence."""

    def stop(self) -> None:
        """Ignore the end of a stage."""
