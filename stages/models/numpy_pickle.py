"""Read pickles of NumPy arrays without NumPy's own unpickling, and without running anything.

The functions that such a pickle calls are replaced by ones that only keep what they are given;
arrays are made afterwards, when types, shapes and numbers of bytes have been compared. (NumPy's own
would let a file change the byte order of `float32` for the whole process.)

Source: `__reduce__` of NumPy's arrays, scalars and dtypes, versions 1 and 2, protocols 2 to 5.
"""

from __future__ import annotations

import math
import pickle
from dataclasses import dataclass
from typing import IO, Any, Final

import numpy as np
import torch

_DTYPES: Final = {"f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "b1"}
_MOST_AXES: Final = 16


class OtherObjectsError(Exception):
    """A pickle holds objects other than tensors and arrays; the message names one."""


@dataclass(slots=True, eq=False)
class StoredDtype:
    """A dtype as a pickle describes it: NumPy's code, such as f4, and its byte order."""

    code: str
    order: str = "="

    def __setstate__(self, state: Any) -> None:
        """Take the byte order; the rest of the state is that of dtypes that are not read."""
        self.order = str(state[1])


@dataclass(slots=True, eq=False)
class StoredArray:
    """An array, or a scalar, as a pickle describes it, not yet checked."""

    dtype: Any = None
    shape: Any = ()
    data: Any = b""
    by_column: bool = False

    def __setstate__(self, state: Any) -> None:
        """Take what `ndarray.__setstate__` takes: version, shape, dtype, order, bytes."""
        _, self.shape, self.dtype, self.by_column, self.data = state

    def tensor(self) -> torch.Tensor:
        """The array as a tensor.

        Raises:
            OtherObjectsError: If it holds anything but numbers of a size that tensors have.
            TypeError, ValueError: If types, shape and bytes do not fit each other.
        """
        if not isinstance(self.dtype, StoredDtype) or self.dtype.code not in _DTYPES:
            code = getattr(self.dtype, "code", type(self.dtype).__name__)
            raise OtherObjectsError(f"a NumPy array of {code}")
        dtype = np.dtype(self.dtype.code).newbyteorder("S" if self.dtype.order == ">" else "=")
        data = self.data.encode("latin1") if isinstance(self.data, str) else self.data
        if not isinstance(data, (bytes, bytearray)):
            raise TypeError(f"an array whose content is a {type(data).__name__}")
        if not isinstance(self.shape, tuple) or len(self.shape) > _MOST_AXES:
            raise ValueError("an array without a shape")
        if not all(isinstance(side, int) and side >= 0 for side in self.shape):
            raise ValueError("an array whose shape is no numbers")
        if math.prod(self.shape) * dtype.itemsize != len(data):
            raise ValueError(f"an array of {self.shape} with {len(data)} bytes")
        array = np.frombuffer(data, dtype).reshape(self.shape, order="F" if self.by_column else "C")
        return torch.from_numpy(array.astype(dtype.newbyteorder("="), order="C"))


@dataclass(frozen=True, slots=True)
class StandIn:
    """Takes the place of a function that a pickle calls; its own attributes cannot be set."""

    make: Any

    def __call__(self, *arguments: Any) -> Any:
        """What stands for the function's result."""
        return self.make(*arguments)

    def __setstate__(self, state: Any) -> None:
        """Nothing in a file changes a function."""
        raise ValueError("a function whose attributes the pickle would set")


def _scalar(dtype: Any, data: Any = b"") -> StoredArray:
    return StoredArray(dtype, (), data)


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> StoredArray:
    return StoredArray(dtype, shape, data, order == "F")


def _bytes_of(text: str, _encoding: str = "latin1") -> bytes:
    return text.encode("latin1")


_EMPTY_ARRAY: Final = StandIn(lambda *_: StoredArray())
_SCALAR, _BUFFER = StandIn(_scalar), StandIn(_from_buffer)
_BYTES: Final = StandIn(_bytes_of)
_MAPPING: Final = StandIn(dict)
_MODULES: Final = ("numpy.core", "numpy._core")
STAND_INS: Final[dict[tuple[str, str], Any]] = {
    ("numpy", "dtype"): StandIn(lambda code, *_: StoredDtype(str(code))),
    ("numpy", "ndarray"): StandIn(lambda *_: StoredArray()),
    **{(f"{module}.multiarray", "_reconstruct"): _EMPTY_ARRAY for module in _MODULES},
    **{(f"{module}.multiarray", "scalar"): _SCALAR for module in _MODULES},
    **{(f"{module}.numeric", "_frombuffer"): _BUFFER for module in _MODULES},
    ("_codecs", "encode"): _BYTES,
    ("collections", "OrderedDict"): _MAPPING,
}


class NumpyUnpickler(pickle.Unpickler):
    """Makes `StoredArray`s, and Python's own numbers, texts and containers."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(stream, encoding="latin1")  # as Python 2 wrote texts and bytes

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in of a function or class.

        Raises:
            OtherObjectsError: If there is none.
        """
        stand_in = STAND_INS.get((module, name))
        if stand_in is None:
            raise OtherObjectsError(f"{module}.{name}")
        return stand_in

    def persistent_load(self, pid: Any) -> Any:
        """See `pickle.Unpickler`: there is nothing outside the pickle."""
        raise ValueError(f"a reference to something outside the file ({type(pid).__name__})")
