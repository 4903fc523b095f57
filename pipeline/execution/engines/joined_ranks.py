"""The training of ranks that something else started; see `pipeline.execution.rank_session`.

What they tell each other, by name:

    begin      by rank 0: that training begins, with a probe of the store; empty: there is none
    sight/R    by the others: empty, or why it is not the same store
    failure/R  by the others: what failed; empty: they lost another rank
"""

from __future__ import annotations

import json
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Final

from pipeline.execution.engines import describe
from pipeline.execution.engines.node_probe import NodeProbe, probe_left
from schemas.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.execution.task import Task
    from pipeline.store.parts import Receipt
    from stages.training.rank_group import RankGroup

BEGIN: Final = "begin"
GONE: Final = "rank {rank} is gone. Run the same command again: it goes on from the last checkpoint"
_LOST: Final = (
    "another rank is gone, and whatever started it knows why. Run the same command again: it goes "
    "on from the last checkpoint"
)
_SIGHT_S: Final = 60.0  # seconds that a rank has to look at the store
_LINGER_S: Final = 5.0  # that rank 0 waits for a reason, when it lost another rank


def others(group: RankGroup) -> range:
    """All ranks but 0."""
    return range(1, group.place.ranks)


def led(group: RankGroup, task: Task, advance: Callable[[int], None]) -> Receipt:
    """The receipt of a task that rank 0 computes with all others.

    Raises:
        StageError: If another rank does not see the same store, or failed.
    """
    with probe_left(task.folder) as probe:
        group.tell(BEGIN, json.dumps([probe.path.name, probe.content, probe.program]))
        for rank in others(group):
            objection = group.told(f"sight/{rank}", _SIGHT_S)
            if objection != "":
                raise StageError(objection or GONE.format(rank=rank))
    try:
        return task(advance)
    except Exception as error:
        if not _is_loss(error):
            raise
        raise StageError(_reason(group)) from error


def follow(group: RankGroup, task: Task) -> None:
    """Take part in a task that rank 0 computes, if it does; write nothing.

    Raises:
        StageError: If rank 0 is gone, this rank sees another store, or its work failed.
    """
    me = group.place.rank
    begin = group.told(BEGIN)
    if begin is None:
        raise StageError(GONE.format(rank=0))
    if not begin:
        return
    name, content, program = json.loads(begin)
    probe = NodeProbe(task.folder / name, content, program)
    objection = probe.objection(f"rank {me}, on {socket.gethostname()},")
    group.tell(f"sight/{me}", objection)
    if objection:
        raise StageError(objection)
    try:
        task.follow()
    except Exception as error:
        lost = _is_loss(error)
        group.tell(f"failure/{me}", "" if lost else describe(error))
        group.leave()
        raise StageError(_LOST if lost else f"rank {me} said: {describe(error)}") from error


def _is_loss(error: BaseException) -> bool:
    from stages.training.rank_group import is_loss_of_rank

    return is_loss_of_rank(error)


def _reason(group: RankGroup) -> str:
    """Why another rank is gone, as far as one says it."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # of a launcher: it is over, say why
    late = time.monotonic() + _LINGER_S
    for rank in others(group):
        if said := group.told(f"failure/{rank}", max(0.01, late - time.monotonic())):
            return f"rank {rank} said: {said}"
    return _LOST
