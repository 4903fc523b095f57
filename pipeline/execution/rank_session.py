"""Ranks that something else started: they agree on the plan, and rank 0 makes the artifact.

torchrun, a script for Slurm or Ray Train runs the same command several times. Rank 0 goes the way
of every command. The others plan the same and take part in the training; they write nothing, and
they say nothing that rank 0 says. What they tell each other, by name:

    plan/R     by each rank: its program and its artifact, or why it has none
    end        by rank 0: `done`, or empty if it failed
    heard/R    by the others: that they know how it ended

and what `pipeline.execution.engines.joined_ranks` has for the training itself.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import threading
import time
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pipeline.execution.engines import describe
from pipeline.execution.engines.joined_ranks import BEGIN, GONE, follow, others
from pipeline.execution.engines.node_probe import program
from pipeline.store.artifact import open_artifact
from schemas.errors import OptionError, StageError
from stages.training.options import TrainingStage
from stages.training.rank_environment import rank_place

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.execution.planning import Plan
    from pipeline.store.artifact import Artifact
    from stages.base import Stage
    from stages.training.rank_environment import RankPlace
    from stages.training.rank_group import RankGroup

    Planned = Callable[[Stage], Plan]
    Make = Callable[[Stage], Artifact]

_ANSWER_S: Final = 300.0  # seconds that a rank has for its plan
_PARTING_S: Final = 5.0  # that rank 0 waits, before it ends, until others know; they wait longer


def together(stage: Stage, planned: Planned, make: Make) -> Artifact:
    """What `make` returns, made on all ranks of which the environment says that this is one.

    Args:
        stage: A verb with its options; of training only, ranks are of no meaning to others.
        planned: Plans a stage, and writes nothing.
        make: Makes the artifact of a stage; only called on rank 0, and by whoever is alone.

    Raises:
        OptionError: If the environment is not whole, or names other ranks than `--ranks`.
        StageError: If ranks do not come, or differ in what they would make.
        SystemExit: On another rank than 0, if rank 0 says why all of it failed.
    """
    place = _place(stage)
    if place is None:
        return make(stage)
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")  # before torch: what is wrong, it raises
    from stages.training import rank_group

    stage = with_ranks(stage)
    _end_with_launcher()
    if place.rank:
        _be_quiet()
    with rank_group.joined(place, stage.device) as group:
        if place.rank == 0:
            return _lead(group, stage, planned, make)
        return _follow(group, stage, planned)


def with_ranks(stage: Stage) -> Stage:
    """A stage with as many ranks as the environment names: where they decide, another artifact.

    Raises:
        OptionError: If the environment is not whole, or names other ranks than `--ranks`.
    """
    place = _place(stage)
    if place is None:
        return stage
    asked = getattr(stage, "ranks", 1)
    if asked not in (1, place.ranks):
        raise OptionError(
            f"rc {stage.name}: --ranks {asked} was given to one of {place.ranks} ranks, which "
            f"something else started: leave it out"
        )
    return replace(stage, ranks=place.ranks)  # type: ignore[call-arg]  # of a TrainingStage


def follows(stage: Stage) -> bool:
    """Whether this process is another rank than 0, so that it says nothing.

    Raises:
        OptionError: If the environment is not whole.
    """
    place = _place(stage)
    return place is not None and place.rank > 0


def refuse_recipe() -> None:
    """Pass if the environment names no ranks: a recipe has steps that are no training.

    Raises:
        OptionError: If it does.
    """
    if place := rank_place(os.environ):
        raise OptionError(
            f"a recipe cannot be run by {place.ranks} ranks at once: run it once, with `ranks` in "
            f"its training steps, or run the commands of these steps on the ranks"
        )


def _place(stage: Stage) -> RankPlace | None:
    return rank_place(os.environ) if isinstance(stage, TrainingStage) else None


def _lead(group: RankGroup, stage: Stage, planned: Planned, make: Make) -> Artifact:
    try:
        _agree(group, stage, planned)
        artifact = make(stage)
    except Exception:
        group.leave()
        _part(group, "")
        raise
    _part(group, "done")
    return artifact


def _part(group: RankGroup, end: str) -> None:
    """Tell the others how it ended, and give them a moment to hear it: the texts go with us."""
    group.tell("end", end)
    if group.told(BEGIN, 0.01) is None:
        group.tell(BEGIN, "")
    late = time.monotonic() + _PARTING_S
    for rank in others(group):
        group.told(f"heard/{rank}", max(0.01, late - time.monotonic()))


def _follow(group: RankGroup, stage: Stage, planned: Planned) -> Artifact:
    try:
        work = _agree(group, stage, planned)
        follow(group, work.tasks[0])
        end = group.told("end")
        if end is None:
            raise StageError(GONE.format(rank=0))  # noqa: TRY301 - said as all that is above
    except Exception:
        if _heard(group, group.told("end", 2 * _PARTING_S)) == "":
            raise SystemExit(1) from None
        raise
    if _heard(group, end) == "":
        raise SystemExit(1)
    return open_artifact(work.folder)


def _heard(group: RankGroup, end: str | None) -> str | None:
    group.tell(f"heard/{group.place.rank}", "")
    return end


def _agree(group: RankGroup, stage: Stage, planned: Planned) -> Plan:
    """The plan of this rank, once all ranks have the same.

    Raises:
        StageError: If one has none, or another one; the same sentence on every rank.
    """
    here = {"host": socket.gethostname(), "program": program(), "address": "", "why": ""}
    work, failure = None, None
    try:
        work = planned(stage)
        here["address"] = work.address
    except Exception as error:
        failure, here["why"] = error, describe(error)
    group.tell(f"plan/{group.place.rank}", json.dumps(here))
    plans = [group.told(f"plan/{rank}", _ANSWER_S) for rank in range(group.place.ranks)]
    if failure and group.place.rank == 0:
        raise failure
    for rank, text in enumerate(plans):
        if objection := _objection(rank, text, plans[0]):
            raise StageError(objection)
    assert work is not None  # else there was an objection
    return work


def _objection(rank: int, text: str | None, first: str | None) -> str:
    """What is wrong with the plan of a rank, beside that of rank 0; empty if nothing is."""
    if text is None or first is None:
        return f"rank {rank} did not say what it would make within {_ANSWER_S:.0f} seconds"
    its, leader = json.loads(text), json.loads(first)
    who = f"rank {rank}, on {its['host']},"
    if its["why"]:
        return f"{who} said: {its['why']}"
    if its["program"] != leader["program"]:
        return (
            f"{who} has {its['program']} of this program, and rank 0 {leader['program']}: "
            f"install the same on both"
        )
    if its["address"] != leader["address"]:
        return (
            f"{who} would make {its['address']}, and rank 0 {leader['address']}: give every rank "
            f"the same command and the same store"
        )
    return ""


def _be_quiet() -> None:
    """Leave warnings to rank 0, and end at once by a signal, also within a step."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)


def _end_with_launcher() -> None:
    """End this process when torchrun is gone, which leaves its ranks behind if it is killed."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:  # whoever else starts ranks may end before them
        return
    launcher = os.getppid()

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
