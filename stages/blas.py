"""One thread for NumPy's matrix products, if NumPy's BLAS library can set its threads.

Products are then the same bits on any number of cores. And the parser, which multiplies many small
matrices, is faster: NumPy's OpenBLAS does that about twice as fast as the library that comes with
spaCy, but with several threads it mostly waits, even more if other processes run at the same time.
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


def can_set_threads() -> bool:
    """Whether the number of threads can be set: true for NumPy as installed from its wheels."""
    return _thread_functions() is not None


@contextmanager
def one_thread() -> Iterator[None]:
    """Multiply on one thread inside the block; afterwards restore the number of threads."""
    functions = _thread_functions()
    if functions is None:
        yield
        return
    get_threads, set_threads = functions
    threads = get_threads()
    set_threads(1)
    try:
        yield
    finally:
        set_threads(threads)


@cache
def _thread_functions() -> tuple[Any, Any] | None:
    """Functions that get and set the number of threads; None if this build has none."""
    try:
        library = ctypes.CDLL(np.linalg._umath_linalg.__file__)
    except (AttributeError, OSError):
        return None
    for prefix in _PREFIXES:
        for suffix in _SUFFIXES:
            get_threads = getattr(library, f"{prefix}_get_num_threads{suffix}", None)
            set_threads = getattr(library, f"{prefix}_set_num_threads{suffix}", None)
            if get_threads and set_threads:
                return get_threads, set_threads
    return None
