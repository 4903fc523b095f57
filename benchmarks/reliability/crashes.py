"""Crashes: every command that writes is killed, and loses power, between its calls."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from benchmarks.reliability import commands
from benchmarks.reliability.attacks import (
    Attack,
    attack_all,
    check_again,
    check_same,
    counts,
    spread,
)
from benchmarks.reliability.commands import content
from benchmarks.reliability.power_loss import EMPTY, ZEROS, Flushed
from benchmarks.reliability.syscalls import FLUSHING, KILL, Call

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.reliability.section import Count

TITLE: Final = "Crashes"
ABOUT: Final = (
    "Each command is killed before one of its calls that change files. Three folders then go on: "
    "as the kill left it; as a power cut would, with all names but without the content that was "
    "not flushed (empty files, or zeros); and with no name that its folder was not flushed with. "
    "What is visible must be whole or absent, the same command must end byte-identical, and "
    "nothing else may be left."
)
_POINTS, _SHORT_POINTS = 13, 1  # of each command, and one after its end
_OF_NAMES: Final = ("rename", "renameat", "fsync", "unlink", "unlinkat", "rmdir", "mkdir")


def trials(folder: Path, *, short: bool) -> dict[str, Count]:
    """See `Section.trials`: a kind for each command."""
    return attack_all(folder, crash, short=short)


def crash(attack: Attack, count: Count, short: bool) -> None:
    """Crash a command before several of its calls, and at its end."""
    points = _points(attack.calls, _SHORT_POINTS if short else _POINTS)
    for point in points if short else [*points, len(attack.calls)]:
        where = "at its end"
        if point < len(attack.calls):
            call = attack.calls[point]
            where = f"before call {point + 1}, {call.name} {call.path.name}"
        ended = _crash_before(attack, point)
        for state in sorted(_states(attack).iterdir()):
            with count.case(f"rc {attack.command.words}, {state.name} {where}"):
                commands.put(state, attack.trial)
                if ended:
                    there = content(attack.trial)
                    whole = {name: there[name] for name in there if name in attack.after}
                    check_same(attack, whole, "what was finished is not there")
                check_again(attack)


def _points(calls: Sequence[Call], wanted: int) -> list[int]:
    """Calls to be killed before, from 0, half of them of names and flushes."""
    of_names = [i for i, call in enumerate(calls) if call.name in _OF_NAMES]
    others = [i for i, call in enumerate(calls) if call.name not in _OF_NAMES]
    return sorted([*spread(of_names, wanted - wanted // 2), *spread(others, wanted // 2)])


def _crash_before(attack: Attack, point: int) -> bool:
    """Run the command and kill it before a call; whether it had ended before.

    `_states` then has a folder for each state that the crash may leave.
    """
    commands.put(attack.before, attack.trial)
    flushed, passed = Flushed(attack.trial), 0

    def answer(call: Call) -> int:
        nonlocal passed
        if call.name in FLUSHING:
            flushed.flush(call.handle)
        passed += counts(call, attack.trial)
        return KILL if passed > point else 0

    ended, _ = commands.run(attack.words, attack.trial, answer)
    states = _states(attack)
    shutil.rmtree(states, ignore_errors=True)
    states.mkdir()
    filling = ZEROS if point % 2 else EMPTY
    flushed.cut(states / f"without power, {filling} files", names_kept=True, filling=filling)
    flushed.cut(states / "without power, names gone", names_kept=False, filling=filling)
    flushed.close()
    attack.trial.rename(states / "killed")
    return ended.code == 0


def _states(attack: Attack) -> Path:
    return attack.trial.with_name("states")
