"""Read the tensors of a TorchScript archive without loading its program.

Such an archive, as OpenAI publishes CLIP, has code beside its tensors, which `torch.jit.load`
compiles. Here only the pickle of the module's attributes is read, with stand-ins for the classes of
modules, and the bytes of the tensors; the code is not opened.

Source: torch/csrc/jit/serialization: the pickle of `data.pkl`, whose tensors refer to `data/*`.
"""

from __future__ import annotations

import math
from typing import IO, TYPE_CHECKING, Any, Final

import torch

from stages.models.numpy_pickle import NumpyUnpickler, OtherObjectsError, StandIn

if TYPE_CHECKING:
    from zipfile import ZipFile

_DTYPES: Final = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
_LISTS: Final = ("build_intlist", "build_doublelist", "build_boollist", "build_tensorlist")
_DEEPEST: Final = 64  # modules inside each other
_MOST_MEMBERS: Final = 100_000  # modules and tensors; one that is held twice counts twice


class ScriptModule:
    """A module of the archive: its attributes alone."""

    __slots__ = ("attributes",)

    def __init__(self) -> None:
        self.attributes: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        """Take the attributes."""
        if not isinstance(state, dict):
            raise TypeError("a module without attributes")
        self.attributes = state


def read_script_tensors(archive: ZipFile, root: str) -> dict[str, torch.Tensor]:
    """The tensors of the module in a TorchScript archive, by their names in its `state_dict()`.

    Args:
        archive: Opened, and its records as long as they say.
        root: The folder in it.

    Raises:
        OtherObjectsError: If it holds what is neither a tensor nor a module.
        ValueError: If it is no such archive, or a tensor does not fit its record.
    """
    order = f"{root}/byteorder"
    if order in archive.namelist() and archive.read(order) != b"little":
        raise ValueError("tensors of another byte order")
    with archive.open(f"{root}/data.pkl") as stream:
        module = _ScriptUnpickler(stream, archive, root).load()
    if not isinstance(module, ScriptModule):
        raise OtherObjectsError(f"a {type(module).__name__} that is no module")
    return _named_tensors(module)


class _ScriptUnpickler(NumpyUnpickler):
    def __init__(self, stream: IO[bytes], archive: ZipFile, root: str) -> None:
        super().__init__(stream)
        self._archive, self._root = archive, root
        self._records: dict[str, bytearray] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "__torch__":
            return ScriptModule
        if module == "torch" and name in _DTYPES:
            return name
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _VIEW
        if module == "torch.jit._pickle" and name in _LISTS:
            return _SAME
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Any:
        """The storage that ("storage", type, key, device, number of elements) refers to."""
        kind, storage, key, _, _ = pid
        if kind != "storage" or storage not in _DTYPES or not isinstance(key, str):
            raise ValueError("a reference to what is no storage")
        if key not in self._records:
            self._records[key] = self._read(f"{self._root}/data/{key}")
        return _DTYPES[storage], self._records[key]

    def _read(self, name: str) -> bytearray:
        record = bytearray(self._archive.getinfo(name).file_size)
        with self._archive.open(name) as stream:
            done = 0
            while count := stream.readinto(memoryview(record)[done:]):  # type: ignore[attr-defined]
                done += count
        if done != len(record):
            raise ValueError(f"{name} ends after {done} of {len(record)} bytes")
        return record


def _view(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> torch.Tensor:
    """A tensor of its own, of elements of a storage that are all inside it."""
    dtype, record = storage
    numbers = (offset, *size, *stride)
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        raise ValueError("a tensor whose shape is no numbers")
    if len(size) != len(stride):
        raise ValueError("a tensor with more sides than steps")
    count = math.prod(size)
    if not count:
        return torch.empty(size, dtype=dtype)
    last = offset + sum((side - 1) * step for side, step in zip(size, stride, strict=True))
    elements = len(record) // dtype.itemsize
    if last >= elements or count > elements:
        raise ValueError(f"a tensor of {tuple(size)} in a storage of {elements:,} elements")
    whole = torch.frombuffer(record, dtype=dtype, count=elements)
    return whole.as_strided(size, stride, offset)


_VIEW, _SAME = StandIn(_view), StandIn(lambda values: values)


def _named_tensors(module: ScriptModule) -> dict[str, torch.Tensor]:
    tensors: dict[str, torch.Tensor] = {}
    waiting: list[tuple[str, int, ScriptModule]] = [("", 0, module)]
    visited = 0
    while waiting:
        prefix, depth, owner = waiting.pop()
        visited += 1
        for name, value in owner.attributes.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{prefix}{name}"] = value
            elif isinstance(value, ScriptModule):
                waiting.append((f"{prefix}{name}.", depth + 1, value))
        if depth > _DEEPEST or visited + len(tensors) + len(waiting) > _MOST_MEMBERS:
            raise ValueError("more modules inside each other than a network has")
    return tensors
