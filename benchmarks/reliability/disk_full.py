"""Disk full: from one of its calls on, no call of a command that needs room succeeds."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING, Final

from benchmarks.reliability import commands
from benchmarks.reliability.attacks import (
    Attack,
    attack_all,
    check_again,
    check_visible,
    counts,
    spread,
)
from benchmarks.reliability.syscalls import GROWING, Call

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.reliability.section import Count

TITLE: Final = "Disk full"
ABOUT: Final = (
    "From one of its calls on, every call of a command that needs room fails (ENOSPC). It must end "
    "with one sentence that says so and names a path, not by a signal; what is visible must be "
    "whole or absent, a checkpoint that was there must be as it was, and with room the same "
    "command must end byte-identical."
)
_POINTS, _SHORT_POINTS = 6, 1  # of each command
_SAYS: Final = re.compile(r"the disk or the quota is full: (.+) could not be written\.")


def trials(folder: Path, *, short: bool) -> dict[str, Count]:
    """See `Section.trials`: a kind for each command that needs room."""
    counts = attack_all(folder, fill, short=short)
    return {name: count for name, count in counts.items() if count.tried}


def fill(attack: Attack, count: Count, short: bool) -> None:
    """Fill the disk before several calls of a command."""
    growing = [i for i, call in enumerate(attack.calls) if call.name in GROWING]
    for point in spread(growing, _SHORT_POINTS if short else _POINTS):
        call = attack.calls[point]
        with count.case(f"rc {attack.command.words}, full at {call.name} {call.path.name}"):
            _check_full(attack, growing.index(point))


def _check_full(attack: Attack, grown: int) -> None:
    """What a command does whose disk is full after so many calls that needed room.

    Raises:
        AssertionError: If it does not do what it should.
    """
    commands.put(attack.before, attack.trial)
    passed, checkpoints = 0, dict[str, bytes]()

    def answer(call: Call) -> int:
        nonlocal passed, checkpoints
        if call.name not in GROWING or not counts(call, attack.trial):
            return 0
        passed += 1
        if passed == grown + 1:
            checkpoints = _checkpoints(attack.trial)
        return errno.ENOSPC if passed > grown else 0

    ended, _ = commands.run(attack.words, attack.trial, answer)
    full = _SAYS.findall(ended.output)
    assert ended.code >= 0, f"it ends by signal {-ended.code}: {ended.output[-300:]}"
    assert "Traceback" not in ended.output, f"it ends with {ended.output[-300:]}"
    if ended.code == 0:  # what failed was a cache, which it can do without
        assert not checkpoints, "it ends as if nothing had happened"
    else:
        assert len(full) == 1, f"it says {ended.output[-300:]}"
        assert (attack.trial / full[0]).is_relative_to(attack.trial), f"it names {full[0]}"
    left = _checkpoints(attack.trial)
    assert ended.code == 0 or left == checkpoints, "a checkpoint is gone or differs"
    check_visible(attack)
    check_again(attack)


def _checkpoints(trial: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in trial.glob("store/*/*/.scratch/**/*.pt")}
