"""One thread for NumPy's matrix products, where the library behind them can be told so.

The parser multiplies many small matrices. NumPy's OpenBLAS does that about twice as fast as the
library that spaCy brings along, but only on one thread: on several it spends its time waiting, all
the more if other processes work beside it.
"""

from __future__ import annotations

import ctypes
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

_PREFIXES = ("scipy_openblas", "openblas")
_SUFFIXES = ("64_", "")


def can_be_single() -> bool:
    """Whether the number of threads can be set: true for NumPy as installed from its wheels."""
    return _switch() is not None


@contextmanager
def one_thread() -> Iterator[None]:
    """Multiply on one thread inside the block, on as many as before after it."""
    switch = _switch()
    if switch is None:
        yield
        return
    threads = switch[0]()
    switch[1](1)
    try:
        yield
    finally:
        switch[1](threads)


@cache
def _switch() -> tuple[Any, Any] | None:
    """How to read and to set the number of threads, or None if this build has no such thing."""
    try:
        library = ctypes.CDLL(np.linalg._umath_linalg.__file__)
    except (AttributeError, OSError):
        return None
    for prefix in _PREFIXES:
        for suffix in _SUFFIXES:
            read = getattr(library, f"{prefix}_get_num_threads{suffix}", None)
            write = getattr(library, f"{prefix}_set_num_threads{suffix}", None)
            if read and write:
                return read, write
    return None
