"""Read files of tensors that are pickles, whatever their names end with, without running them.

Four kinds: `torch.save`'s archives and its older form, TorchScript archives, and plain pickles of
NumPy arrays, as detectron2's model zoo has them.
"""

from __future__ import annotations

import mmap
import pickle
import re
import warnings
from typing import TYPE_CHECKING, Any, Final
from zipfile import ZipFile

import torch

from schemas.errors import SourceError
from stages.models.numpy_pickle import (
    STAND_INS,
    NumpyUnpickler,
    OtherObjectsError,
    StoredArray,
    StoredDtype,
)
from stages.models.pickle_guard import require_bounded
from stages.models.torchscript import read_script_tensors
from stages.models.weights_files import printable

if TYPE_CHECKING:
    from pathlib import Path

_ZIP: Final = b"PK\x03\x04"  # begin of an archive, as torch tells it too
_OLDER: Final = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)  # begin of torch.save's old files
_OLDER_PICKLES: Final = 5  # of which such a file consists, before the bytes of its tensors
_NUMPY: Final[list[Any]] = [
    *((made, f"{module}.{name}") for (module, name), made in STAND_INS.items()),
    (StoredArray, f"{StoredArray.__module__}.StoredArray"),
    (StoredDtype, f"{StoredDtype.__module__}.StoredDtype"),
]


def read_pickle(path: Path) -> Any:
    """The content of a file; NumPy's arrays and numbers at the first two levels become tensors.

    Raises:
        SourceError: If the file is damaged or no pickle, or holds other objects.
    """
    script = False
    try:
        if _begins_with(path, _ZIP):
            with ZipFile(path) as archive:
                root, script = _inspect(archive, path.stat().st_size)
                if script:
                    return read_script_tensors(archive, root)
            return _with_tensors(_torch_load(path))
        return _with_tensors(_read_bare(path))
    except OtherObjectsError as error:
        raise SourceError(_other_objects(path, script=script, name=str(error))) from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror or error})") from None
    except Exception as error:  # what is wrong in a file shows as an error of any kind
        raise SourceError(
            f"{path} is damaged, not complete, or no file of weights "
            f"({printable(_first_line(error))}); fetch it again"
        ) from None


def _begins_with(path: Path, mark: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(mark)) == mark


def _inspect(archive: ZipFile, size: int) -> tuple[str, bool]:
    """The folder in an archive, and whether it is a TorchScript archive; refuse bombs."""
    names = archive.namelist()
    if len({name.lower() for name in names}) < len(names):  # torch does not look at case
        raise ValueError("two records of one name")
    roots = [name.removesuffix("/data.pkl") for name in names if name.endswith("/data.pkl")]
    roots = [root for root in roots if "/" not in root]
    if len(roots) != 1:
        raise ValueError("an archive without data.pkl")
    code = f"{roots[0]}/code/"  # never read, whatever its size
    read = [record for record in archive.infolist() if not record.filename.startswith(code)]
    if sum(record.file_size for record in read) > size:
        raise ValueError("its records would be longer than the file")
    with archive.open(f"{roots[0]}/data.pkl") as stream:
        require_bounded(stream)
    return roots[0], f"{roots[0]}/constants.pkl" in names


def _read_bare(path: Path) -> Any:
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        older = content[: len(_OLDER)] == _OLDER
        for _ in range(_OLDER_PICKLES if older else 1):
            require_bounded(content)  # type: ignore[arg-type]  # reads like a file
        if older:
            return _torch_load(path)
        file.seek(0)
        return NumpyUnpickler(file).load()


def _torch_load(path: Path) -> Any:
    try:
        with torch.serialization.safe_globals(_NUMPY), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old forms of tensors, which are read
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if name := re.search(r"GLOBAL (\S+)", str(error)):
            raise OtherObjectsError(name[1]) from None
        raise ValueError(_reason(error)) from None


def _reason(error: Exception) -> str:
    """What torch says is wrong, without its advice to read the file in a way that runs code."""
    _, _, reason = str(error).rpartition("WeightsUnpickler error: ")
    return reason.strip().splitlines()[0].partition(". ")[0] if reason.strip() else "no pickle"


def _with_tensors(content: Any) -> Any:
    if isinstance(content, StoredArray):
        return content.tensor()
    if not isinstance(content, dict):
        return content
    return {name: _member(value) for name, value in content.items()}


def _member(value: Any) -> Any:
    if isinstance(value, StoredArray):
        return value.tensor()
    if not isinstance(value, dict):
        return value
    return {n: v.tensor() if isinstance(v, StoredArray) else v for n, v in value.items()}


def _other_objects(path: Path, *, script: bool, name: str) -> str:
    if script:
        return (
            f"{path} is a TorchScript archive with more than modules and tensors "
            f"({printable(name)}), so it was not read; where you trust its program, write its "
            f"tensors alone: torch.save(torch.jit.load(FILE).state_dict(), 'weights.pt')"
        )
    return (
        f"{path} holds objects other than tensors ({printable(name)}), which could run code, so it "
        f"was not read; where it was made, save the network's state_dict() alone"
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
