"""Limits on what a foreign file may hold and unpack to, and how a user raises them.

They keep a few bytes from filling a memory or a day (SECURITY.md, "Limits"), and honest data is far
below them. For data that is not, one option multiplies them all. Readers ask `allowed` when they
compare; a stage reads through `raised` and `raised_over`, so that the next one has its own limits.
"""

from __future__ import annotations

from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from stages.base import Stage, option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

T = TypeVar("T")

SIZE_LIMITS: Final = "size_limits"
_TIMES: Final = ContextVar("times", default=1)
_END: Final = object()


@dataclass(frozen=True, kw_only=True)
class SizeLimitedStage(Stage):
    """A stage that reads foreign files."""

    size_limits: int = option(
        1,
        "times the usual limits on what a file may hold and unpack to, SECURITY.md; only for files "
        "that you trust",
        recipe="changed",
        at_least=1,
        at_most=1000,
    )


def allowed(usual: int) -> int:
    """A limit as it is for what is read now.

    >>> raised(3, allowed, 100), allowed(100)
    (300, 100)
    """
    return usual * _TIMES.get()


def raised(times: int, function: Callable[..., T], *args: Any) -> T:
    """What a function returns that reads with limits raised so many times.

    Of a function that returns an iterator, see `raised_over`: it reads later.
    """
    context = copy_context()
    context.run(_TIMES.set, times)
    return context.run(function, *args)


def raised_over(times: int, items: Iterable[T]) -> Iterator[T]:
    """The same items, each of them read with limits raised so many times.

    >>> list(raised_over(2, (allowed(number) for number in (1, 2))))
    [2, 4]
    """
    context = copy_context()
    context.run(_TIMES.set, times)
    iterator = iter(items)
    while (item := context.run(next, iterator, _END)) is not _END:
        yield item  # type: ignore[misc] # the end is no item
