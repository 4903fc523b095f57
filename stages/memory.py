"""Memory of a device: a batch that has no room is halved; one sentence says what else to do.

Whoever runs a network on a batch does so by `in_batches`. `watched` surrounds the work of one part:
sizes begin anew with each part, so they depend on no other part of the process.

On a CPU memory does not run out in this way. On a GPU the size of a batch may change the last bits
of a result, so a part whose batches were halved has a note of it, and its run a `remark`.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, Self, TypeVar

from schemas.errors import DeviceMemoryError
from stages.outcome import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from stages.base import Findings, Stage

NOTE: Final = "halved"  # by what a batch is of: how often it was cut to so many
_MESSAGES: Final = (  # of the libraries that torch calls; its own error has a type
    "CUDA error: out of memory",
    *("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED"),
    *("CUSOLVER_STATUS_ALLOC_FAILED", "CUFFT_ALLOC_FAILED"),
)
_HALVED: Final = ("images_per_batch", "block_concepts")  # options that a user may halve
_sizes: dict[str, int] = {}  # of batches since memory ran out, by what they are of
_times: dict[str, dict[str, int]] = {}  # see NOTE


class Batch(Protocol):
    """What can be cut: a list, a tensor, an array, a range."""

    def __len__(self) -> int:
        """How many it has."""
        ...

    def __getitem__(self, some: slice, /) -> Self:
        """Some of them."""
        ...


B = TypeVar("B", bound=Batch)
V = TypeVar("V")


def in_batches(items: B, size: int, work: Callable[[B], V], of: str) -> list[V]:
    """Results of `work` on one batch of the items after the other.

    Where memory runs out, the batch is halved, and later ones of the same kind have its size. If
    one item alone has no room, a caller whose batch it is part of may halve that.

    Args:
        items: None give no results.
        size: Of a batch, at most.
        work: Pure, since it is called again.
        of: What an item is, in the singular.

    Raises:
        RuntimeError: What `work` raised, if memory did not run out or one item has no room.
    """
    results: list[V] = []
    first = 0
    while first < len(items):
        batch = items[first : first + min(size, _sizes.get(of, size))]
        count = len(batch)
        try:
            results.append(work(batch))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if count == 1:
                error.add_note(f"one {of} alone has no room")
                _sizes.pop(of, None)  # smaller ones were no help
                _times.pop(of, None)
                raise
        else:
            first += count
            continue
        # Not in the handler: until it ends, the traceback keeps the tensors of the failed attempt.
        _halve(of, count // 2)
    return results


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device had no room for something that torch, or a library below it, asked for."""
    torch = sys.modules.get("torch")  # who has not loaded it raises no error of it
    if torch is None or not isinstance(error, RuntimeError):
        return False
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError) or any(m in text for m in _MESSAGES)


@contextmanager
def watched(stage: Stage, findings: Findings) -> Iterator[None]:
    """Count the batches of a part that are halved; turn what has no room at all into a sentence.

    Raises:
        DeviceMemoryError: If memory ran out and nothing could be halved.
    """
    _sizes.clear()
    _times.clear()
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise DeviceMemoryError(sentence(error, stage)) from None
    if _times:
        findings.count(NOTE, {of: dict(times) for of, times in _times.items()})


def sentence(error: BaseException, stage: Stage | None = None) -> str:
    """What to do after memory ran out: options of the stage to change, and to what."""
    why = getattr(error, "__notes__", ())[-1:]
    advice = _advice(stage) if stage else []
    workers = "give fewer --workers, " if stage and not stage.single_task else ""
    others = f"end other programs that use it, {workers}or say --device cpu"
    return ": ".join(["the device has too little memory", *why, "; or ".join([*advice, others])])


def remark(notes: Mapping[str, Any]) -> list[str]:
    """A sentence about batches that were halved, if any were.

    >>> remark({"halved": {"image": {"4": 1}, "region": {"32": 2, "16": 1}}})
    ['memory of the device ran out 4 times, so batches were halved, down to 4 images, 16 regions: \
last bits may differ from those of whole batches']
    """
    halved = notes.get(NOTE)
    if not halved:
        return []
    times = sum(sum(by_size.values()) for by_size in halved.values())
    least = ", ".join(counted(min(map(int, halved[of])), of) for of in sorted(halved))
    return [
        f"memory of the device ran out {counted(times, 'time')}, so batches were halved, down to "
        f"{least}: last bits may differ from those of whole batches"
    ]


def _halve(of: str, size: int) -> None:
    import torch

    torch.cuda.empty_cache()
    _sizes[of] = min(size, _sizes.get(of, size))
    by_size = _times.setdefault(of, {})
    by_size[str(size)] = by_size.get(str(size), 0) + 1


def _advice(stage: Stage) -> list[str]:
    """Options that need less memory, with the values to give."""
    options, advice = {**vars(stage), **stage.recipe()}, []
    pieces, ranks = options.get("accumulate", 0), options.get("ranks") or 1
    if pieces and 2 * pieces * ranks <= options["images_per_batch"]:
        advice.append(f"give --accumulate {2 * pieces}, which cuts each batch into so many pieces")
    for name in _HALVED:
        value = options.get(name, 1)
        if value > 1:
            flag = name.replace("_", "-")
            advice.append(f"give --{flag} {value // 2} instead of {value}")
    if "resize" in stage.recipe() and options.get("pooling") != "crop":
        advice.append("give a smaller --resize")
    return advice
