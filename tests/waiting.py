"""Waiting for an event: a file that appears, a process that ends; never for a time to pass."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HANG_S = 1200  # nothing is this slow on the busiest machine: only a hang ever meets the bound


def until(happened: Callable[[], object], missing: str) -> None:
    """Return once it has happened; of a hang, say what is missing."""
    late = time.monotonic() + HANG_S
    while not happened():
        assert time.monotonic() < late, missing
        time.sleep(0.02)


def until_busy(pid: int, seconds: float = 0.3) -> None:
    """Return once a process has worked for so long, however busy the machine is beside it."""
    before = _worked_s(pid)
    if before is not None:
        until(lambda: (_worked_s(pid) or 0.0) - before > seconds, "the process does not work")


def until_asleep(pid: int) -> None:
    """Return once the main thread of a process waits: a signal wakes it, and cannot be lost."""
    until(lambda: _state(pid)[:1] in ([], ["S"]), "the process never waits")


def until_ended(*pids: int) -> bool:
    """Return once processes are gone, or are only kept because nobody asked how they ended."""
    until(lambda: all(_state(pid)[:1] in ([], ["Z"]) for pid in pids), "a process stays behind")
    return True


def _worked_s(pid: int) -> float | None:
    """Seconds of the cores that a process has had; None where the system does not tell."""
    words = _state(pid)
    return sum(map(int, words[11:13])) / os.sysconf("SC_CLK_TCK") if words else None


def _state(pid: int) -> list[str]:
    """What the system tells of a process, from its state on; nothing where it does not tell."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
