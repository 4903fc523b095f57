"""The processes that train together: they meet, and tell each other in texts what is no tensor.

Tensors go through torch's default group, see `stages.training.distributed`: with NCCL between GPUs,
each rank on the device of its local rank, and with gloo between CPUs.
"""

from __future__ import annotations

import os
import socket
import sys
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Final

import torch
from torch import distributed
from torch.distributed.distributed_c10d import PrefixStore, Store

from schemas.errors import OptionError, StageError
from stages.models.device import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stages.training.rank_environment import RankPlace

WAIT_S: Final = 300.0  # seconds that a rank waits for the others to come
_STEP: Final = timedelta(minutes=30)  # longest wait within a step, as for a rank on a busy disk
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_meetings = count()  # in this process: all ranks meet as often
_joined: RankGroup | None = None


class RankGroup:
    """The ranks that this process has joined.

    Args:
        place: Of this process.
        store: Where all of them leave texts under names.
        on_gpu: Whether they send tensors by NCCL.
    """

    def __init__(self, place: RankPlace, store: Store, *, on_gpu: bool) -> None:
        self.place = place
        self._store = store
        self._on_gpu = on_gpu

    def tell(self, name: str, text: str) -> None:
        """Leave a text for the others; of no effect if nobody is there to keep it."""
        try:
            self._store.set(name, text)
        except distributed.DistError:
            return

    def told(self, name: str, seconds: float | None = None) -> str | None:
        """What somebody has told under a name; waits for it, without end if not for `seconds`.

        Returns:
            None if the time is over, or the process that keeps the texts is gone.
        """
        while True:
            try:
                self._store.wait([name], timedelta(seconds=60 if seconds is None else seconds))
                return bytes(self._store.get(name)).decode()
            except distributed.DistStoreError:  # the time is over
                if seconds is not None:
                    return None
            except distributed.DistError:
                return None

    def leave(self) -> None:
        """Be none of those who send tensors any more: who waits for this rank's has lost it.

        Texts can still be told. NCCL would wait for ranks that are gone; there the end of this
        process does the same.
        """
        if distributed.is_initialized() and not self._on_gpu:
            distributed.destroy_process_group()


def current() -> RankGroup | None:
    """The group that this process has joined; None if it trains alone."""
    return _joined


@contextmanager
def joined(place: RankPlace, device: str) -> Iterator[RankGroup]:
    """Be one of the ranks for the block.

    Args:
        place: Of this process.
        device: As `--device` names it.

    Raises:
        OptionError: If this rank has no device of its own.
        StageError: If others do not come within `WAIT_S`.
    """
    global _joined
    on_gpu = resolve(device).type == "cuda"
    if on_gpu:
        _take_device(place, device)
    if place.address in _LOOPBACK:  # a name of this machine may lead gloo elsewhere
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo" if sys.platform == "linux" else "lo0")
    store = _meet(place)
    distributed.init_process_group(
        "cpu:gloo,cuda:nccl" if on_gpu else "gloo",
        store=PrefixStore("tensors", store),
        rank=place.rank,
        world_size=place.ranks,
        timeout=_STEP,
    )
    _joined = RankGroup(place, store, on_gpu=on_gpu)
    try:
        yield _joined
        distributed.destroy_process_group()
    except BaseException:
        _joined.leave()
        raise
    finally:
        _joined = None


def is_loss_of_rank(error: BaseException) -> bool:
    """Whether an error only says that another rank is not there any more."""
    return isinstance(error, distributed.DistError) or (
        isinstance(error, RuntimeError) and "gloo/" in str(error)
    )


def check_devices(ranks: int, device: str) -> None:
    """Pass if so many ranks of this machine have a device each.

    Raises:
        OptionError: If there are too few, or `device` names one for all.
    """
    if resolve(device).type != "cuda":
        return
    _refuse_one_device(device)
    if ranks > (devices := torch.cuda.device_count()):
        raise OptionError(
            f"--ranks {ranks} needs as many CUDA devices, and torch sees {devices} here: give "
            f"fewer ranks, or --device cpu"
        )


def _take_device(place: RankPlace, device: str) -> None:
    _refuse_one_device(device)
    devices = torch.cuda.device_count()
    if place.local_rank >= devices:
        raise OptionError(
            f"rank {place.rank} takes CUDA device {place.local_rank}, by LOCAL_RANK, and torch "
            f"sees {devices} on {socket.gethostname()}: start as many ranks as there are devices; "
            f"where each rank sees its own device alone, set LOCAL_RANK=0"
        )
    torch.cuda.set_device(place.local_rank)


def _refuse_one_device(device: str) -> None:
    if ":" in device:
        raise OptionError(
            f"--device {device} is one device, and each rank has its own: give --device cuda"
        )


def _meet(place: RankPlace) -> Store:
    """The store of texts, once all ranks are there."""
    # torchrun keeps a store for its ranks; otherwise rank 0 does
    keeps = place.rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    where = f"{place.address}:{place.port}"
    attempt = f"{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}.{next(_meetings)}"
    try:
        store = _store(place.address, place.port, place.ranks, keeps)
    except distributed.DistError as error:
        if keeps:
            raise StageError(
                f"rank 0 cannot wait for the other ranks at {where} ({_first_line(error)}): give "
                f"another MASTER_PORT, and as MASTER_ADDR this machine"
            ) from error
        raise StageError(
            f"rank {place.rank} of {place.ranks} found no rank 0 at {where} within {WAIT_S:.0f} "
            f"seconds: start the same command on every rank, with MASTER_ADDR and MASTER_PORT of "
            f"rank 0"
        ) from error
    meeting = PrefixStore(f"rc/{attempt}", store)
    meeting.set(f"here/{place.rank}", socket.gethostname())
    names = [f"here/{rank}" for rank in range(place.ranks)]
    try:
        meeting.wait(names, timedelta(seconds=WAIT_S))
    except distributed.DistError as error:
        absent = [str(rank) for rank, name in enumerate(names) if not _is_there(meeting, name)]
        who = f"rank {absent[0]}" if len(absent) == 1 else f"ranks {', '.join(absent)}"
        raise StageError(
            f"{who} of {place.ranks} did not come to {where} within {WAIT_S:.0f} seconds: start "
            f"the same command on every rank"
        ) from error
    return meeting


@cache
def _store(address: str, port: int, ranks: int, keeps: bool) -> Store:
    """Where texts lie, as long as the process lives that keeps them: for all its trainings."""
    store: Store = distributed.TCPStore(  # type: ignore[attr-defined]
        address, port, ranks, keeps, timedelta(seconds=WAIT_S), wait_for_workers=False
    )
    return store


def _is_there(store: Store, name: str) -> bool:
    try:
        return bool(store.check([name]))
    except distributed.DistError:
        return False


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0]
