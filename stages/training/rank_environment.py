"""Which of several processes that train together this one is, as its environment says.

torchrun, scripts for Slurm and Ray Train say it in the same five variables. A process without them,
or the only one, trains alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from schemas.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLES: Final = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
_ADVICE: Final = "start it with torchrun, or with --ranks on one machine, or unset them"


@dataclass(frozen=True, slots=True)
class RankPlace:
    """The place of a process among those that train together.

    Attributes:
        rank: Its number, from 0 on.
        ranks: How many there are; 2 or more.
        local_rank: Its number among those of its machine: which of the devices is its own.
        address: Of the machine of rank 0.
        port: Where the ranks meet there.
    """

    rank: int
    ranks: int
    local_rank: int
    address: str
    port: int


def rank_place(environment: Mapping[str, str]) -> RankPlace | None:
    """The place of this process; None if it trains alone.

    Raises:
        OptionError: If the environment says a part of it only, or what cannot be.
    """
    given = {name: environment[name] for name in _VARIABLES if environment.get(name)}
    if not given.keys() & {"RANK", "WORLD_SIZE"}:
        return None
    alone = given.get("WORLD_SIZE") == "1" and given.get("RANK", "0") == "0"
    if alone:
        return None
    if missing := [name for name in _VARIABLES if name not in given]:
        said = ", ".join(f"{name}={value}" for name, value in given.items())
        raise OptionError(
            f"the environment has {said} but no {' and no '.join(missing)}, so it is not known "
            f"which processes train together: {_ADVICE}"
        )
    rank, ranks, local_rank, port = (
        _number(name, given[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_PORT")
    )
    if rank >= ranks or local_rank > rank or not 0 < port < 1 << 16:
        said = ", ".join(f"{name}={value}" for name, value in given.items())
        raise OptionError(f"the environment has {said}, which cannot be: {_ADVICE}")
    return RankPlace(rank, ranks, local_rank, given["MASTER_ADDR"], port)


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise OptionError(f"the environment has {name}={text}, which is no number: {_ADVICE}")
    return int(text)
