"""Starts the ranks of this machine by torch's elastic launcher, and says which of them failed.

Source: `torch.distributed.launcher.api`, as torchrun uses it: it sets the environment of each rank,
watches all, and ends them when one fails. They meet at 127.0.0.1 and are never started again.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
from contextlib import contextmanager
from multiprocessing import active_children
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, TypeVar

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from schemas.errors import StageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

T = TypeVar("T")

log = logging.getLogger(__name__)
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_HERE: Final = "127.0.0.1"


def launched(ranks: int, work: Callable[..., T], *arguments: Any) -> T:
    """What `work` returns on rank 0 of so many new processes, which all run it.

    What others than rank 0 write to the terminal is dropped.

    Args:
        ranks: How many.
        work: A function of a module; its process has the environment of a rank.
        *arguments: What it is called with; must be picklable.

    Raises:
        StageError: If a rank failed: which, and what it said or by what it was ended. All others
            are ended.
    """
    try:
        with TemporaryDirectory(prefix="rc-ranks-") as folder, _left_as_it_was(), _ended_after():
            values: dict[int, T] = elastic_launch(_config(ranks, folder), work)(*arguments)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        log.debug("rank %d failed: %s", rank, error)
        raise StageError(_sentence(rank, failure)) from None
    except SignalException as error:
        signal.raise_signal(error.sigval)  # now that all ranks are ended, by whoever handles it
        raise StageError(f"interrupted by {error.sigval.name}") from None
    return values[0]


def _config(ranks: int, folder: str) -> LaunchConfig:
    return LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=ranks,
        run_id="rc",
        rdzv_backend="c10d",
        rdzv_endpoint=f"{_HERE}:0",
        local_addr=_HERE,
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=folder, local_ranks_filter={0}),
    )


def _sentence(rank: int, failure: ProcessFailure) -> str:
    if said := _told(failure).get("message"):
        sentence = str(said).partition(": ")[2]  # the name of its class comes first
        return sentence if rank == 0 else f"rank {rank} said: {sentence}"
    if failure.exitcode < 0:
        cause = f"was ended by {failure.signal_name()}"
        if -failure.exitcode == signal.SIGKILL:
            cause += ", perhaps because memory ran out"
    else:
        cause = f"ended with exit code {failure.exitcode} and said nothing"
    return (
        f"rank {rank} {cause}, and the other ranks were ended. Run the same command again: it goes "
        f"on from the last checkpoint."
    )


def _told(failure: ProcessFailure) -> dict[str, Any]:
    """What a rank that raised an error left: the error, and where it came from."""
    message: Any = failure.message
    return message if isinstance(message, dict) else {}


@contextmanager
def _left_as_it_was() -> Iterator[None]:
    """After the block signals, logs and the environment are as before, whatever torch changed."""
    is_main = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    environment, disabled = dict(os.environ), logging.root.manager.disable
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")  # of ranks: what is wrong, they raise
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(disabled)
        for name in os.environ.keys() - environment:
            del os.environ[name]
        for number, handler in handlers.items() if is_main else ():
            signal.signal(number, handler)


@contextmanager
def _ended_after() -> Iterator[None]:
    """After the block no process is left that it started, even if it was interrupted."""
    before = set(active_children())
    try:
        yield
    finally:
        for process in set(active_children()) - before:
            process.kill()
            process.join()
