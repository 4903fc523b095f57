"""Archives of tensors as torch writes them, and as nobody should."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING
from zipfile import ZIP_STORED, ZipFile

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PICKLE_END = b"."


def write(path: Path, records: Mapping[str, bytes], compression: int = ZIP_STORED) -> Path:
    """An archive with the folder "a"."""
    with ZipFile(path, "w", compression) as archive:
        for name, content in records.items():
            archive.writestr(f"a/{name}", content)
    return path


def script(path: Path, pickled: bytes, **data: bytes) -> Path:
    """A TorchScript archive with this pickle and these storages."""
    records = {f"data/{name.removeprefix('_')}": content for name, content in data.items()}
    return write(path, {"data.pkl": pickled, "constants.pkl": b"\x80\x02).", **records})


def saved(module: torch.jit.ScriptModule) -> dict[str, bytes]:
    """The records of a TorchScript archive, without its folder."""
    stream = io.BytesIO()
    torch.jit.save(module, stream)
    with ZipFile(stream) as archive:
        return {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}


def tensor(key: str, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> bytes:
    """Instructions that make a float tensor of a storage."""
    return (
        b"ctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\n"
        + (b"U" + bytes([len(key)]) + key.encode())
        + (b"U\x03cpuK\x01tQ" + _number(offset))
        + (b"(" + b"".join(map(_number, size)) + b"t(" + b"".join(map(_number, stride)) + b"t")
        + b"\x89ccollections\nOrderedDict\n)RtR"
    )


def module(members: Mapping[str, bytes]) -> bytes:
    """Instructions that make a module with members."""
    named = b"".join(b"U" + bytes([len(n)]) + n.encode() + v for n, v in members.items())
    return b"c__torch__\nNet\n)\x81}(" + named + b"ub"


def _number(value: int) -> bytes:
    digits = value.to_bytes(12, "little", signed=True)
    return b"\x8a\x0c" + digits
