"""Progress on standard error: a bar on a terminal, otherwise a line every few seconds."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, Task, TaskID

_INTERVAL_S = 5.0  # seconds between plain lines


class TerminalReporter:
    """Shows progress with rate and remaining time; never writes to standard output."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._verb, self._unit, self._total = "", "", 0
        self._count, self._last_line = 0, 0.0
        self._first: tuple[float, int] | None = None  # time and count of the first report

    def start(self, verb: str, total: int | None, unit: str) -> None:
        """See `pipeline.progress.Reporter`."""
        self._verb, self._unit, self._total = verb, unit, total or 0
        self._count, self._first = 0, None
        self._last_line = time.monotonic()
        if sys.stderr.isatty() and not self._quiet:
            self._bar = _progress_bar(unit)
            self._task = self._bar.add_task(verb, total=total)
            self._bar.start()

    def advance(self, count: int) -> None:
        """See `pipeline.progress.Reporter`."""
        self._count += count
        self._first = self._first or (time.monotonic(), self._count)
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, count)
        elif time.monotonic() - self._last_line > _INTERVAL_S:
            self._last_line = time.monotonic()
            self.say(self._line())

    def say(self, sentence: str) -> None:
        """See `pipeline.progress.Reporter`."""
        if self._quiet:
            return
        if self._bar is not None:
            self._bar.console.print(
                sentence, markup=False, emoji=False, highlight=False, soft_wrap=True
            )
        else:
            sys.stderr.write(sentence + "\n")
            sys.stderr.flush()

    def stop(self) -> None:
        """See `pipeline.progress.Reporter`."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _line(self) -> str:
        of_total = f" of {self._total:,}" if self._total else ""
        line = f"{self._verb}: {self._count:,}{of_total} {self._unit}"
        since, before = self._first or (0.0, self._count)
        done, seconds = self._count - before, time.monotonic() - since
        if not done or seconds <= 0:  # what came before is loading, and tells no rate
            return line
        left = max(self._total - self._count, 0) * seconds / done
        line += f", {_pace(done / seconds)}"
        return f"{line}, {left:,.0f} s left" if self._total else line


def _pace(per_second: float) -> str:
    """How fast it goes: so many a second, or seconds for each."""
    return f"{per_second:,.1f}/s" if per_second >= 1 else f"{1 / per_second:,.1f} s each"


def _progress_bar(unit: str) -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(_pace(task.speed) if task.speed else "")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        Rate(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
