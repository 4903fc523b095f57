"""The training log as TensorBoard events; outside the store, because event files hold times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.errors import OptionError
from stages.training.distributed import rank

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def event_writer(folder: str | None, verb: str) -> Callable[[Sequence[Mapping[str, Any]]], None]:
    """A function that writes rows of the training log to event files; without `folder`, nothing.

    Of several ranks, which all have the same log, the first one writes.

    Raises:
        OptionError: If TensorBoard is not installed.
    """
    if folder is None or rank() > 0:
        return lambda rows: None
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise OptionError(
            f"rc {verb}: --tensorboard needs the package 'tensorboard'; install it, or omit the "
            f"flag"
        ) from error
    writer = SummaryWriter(folder, purge_step=0)  # a resumed run writes all its rows again

    def write(rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            for name in row.keys() - {"step"}:
                writer.add_scalar(f"{verb}/{name}", row[name], row["step"])
        writer.flush()

    return write
