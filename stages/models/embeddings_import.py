"""Import concept embeddings from published files: a bare matrix, and a list of its names.

Shapes: C concepts, D width.

Source: github.com/microsoft/RegionCLIP, files `*_emb.pth` and `concepts.txt`: rows in the order
of the lines, not normalised; a pool of a single concept was squeezed to one dimension.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import torch

from schemas.errors import SourceError
from stages.models.weights import first_names, read_content
from stages.sources.name_checks import names_fault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_COUNTED = re.compile(r"(.+),\s*\d+")  # RegionCLIP's lists of nouns: "dog,31415"


def read_matrix(path: Path) -> torch.Tensor:
    """Embeddings (C, D) float32 as stored; one concept may be (D,).

    Takes .pth and .pt (a tensor, or a single one by name), .safetensors with a single tensor, and
    .npy.

    Raises:
        SourceError: If the file is missing or damaged, or holds something else, a value that is
            not finite, or a row of zeros.
    """
    matrix = _read_npy(path) if path.suffix == ".npy" else _single_tensor(read_content(path), path)
    if matrix.ndim == 1:
        matrix = matrix[None]
    if matrix.ndim != 2 or not matrix.is_floating_point() or not matrix.numel():
        raise SourceError(
            f"{path} holds a tensor {tuple(matrix.shape)} of {matrix.dtype}; embeddings are "
            f"floating-point numbers, with a row for each concept"
        )
    matrix = matrix.float().contiguous()
    if not bool(torch.isfinite(matrix).all()):
        raise SourceError(f"{path} has NaN or infinite values, so it is damaged; make it again")
    zero_rows = (matrix == 0).all(dim=1).nonzero().flatten().tolist()
    if zero_rows:
        raise SourceError(
            f"row {zero_rows[0]} of {path} is all zeros, so it has no direction (counted from 0; "
            f"{len(zero_rows)} such rows); leave such rows and their names out"
        )
    return matrix


def read_names(path: Path) -> list[str]:
    """Names, one a line; if every line ends with a comma and a count, counts are dropped.

    Raises:
        SourceError: If the file cannot be read, a name is blank, or two cannot be told apart.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read as a list of names: {error}") from error
    while lines and not lines[-1].strip():
        del lines[-1]
    counted = [_COUNTED.fullmatch(line.strip()) for line in lines]
    names = [
        m[1].strip() if all(counted) and m else line.strip()
        for m, line in zip(counted, lines, strict=True)
    ]
    blank = [str(number) for number, name in enumerate(names, 1) if not name]
    if blank or not names:
        problem = f"line {first_names(blank)} is blank" if blank else "it is empty"
        raise SourceError(f"{path} must have a name on every line: {problem}")
    if fault := names_fault(names, ignore_case=False):
        raise SourceError(f"{path} {fault}; each row needs its own name")
    return names


def require_as_many(names: Sequence[str], rows: int, names_path: Path, source: str) -> None:
    """Pass if there is a name for every row.

    Raises:
        SourceError: If there are more or fewer.
    """
    if len(names) != rows:
        raise SourceError(
            f"{names_path} has {len(names)} names and {source} {rows} rows: each row needs its "
            f"name, in the same order; a list shifted by one gives every row a wrong name"
        )


def _single_tensor(content: object, path: Path) -> torch.Tensor:
    values = list(content.values()) if isinstance(content, dict) else [content]
    tensors = [value for value in values if isinstance(value, torch.Tensor)]
    if len(values) != 1 or not tensors:
        raise SourceError(
            f"{path} holds {len(values)} values, {len(tensors)} of them tensors; embeddings are "
            f"one tensor, with a row for each concept"
        )
    return tensors[0]


def _read_npy(path: Path) -> torch.Tensor:
    try:
        return torch.from_numpy(np.load(path, allow_pickle=False))
    except (OSError, ValueError, TypeError) as error:
        raise SourceError(f"{path} is not a complete .npy file of numbers: {error}") from error
