"""Weights on disk: read without running code in them, checked name by name, and written."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from schemas.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import nn

State = dict[str, torch.Tensor]

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")  # of files that `read_state` reads

_WRAPPERS = ("state_dict", "model")  # keys under which training scripts store a state
SCALARS = ("input_resolution", "context_length", "vocab_size")  # extra values in OpenAI's files
_SHOWN = 3  # names in an error message before "and N more"


def read_state(path: Path) -> State:
    """The tensors of a weights file by name, floating-point ones in float32.

    Reads safetensors, and pickles (.pt, .pth, .bin) that hold only tensors, at the top or under
    "state_dict" or "model", with or without the prefix "module." of a wrapped network.

    Raises:
        SourceError: If the file is missing, damaged, or holds anything but tensors.
    """
    return {
        name: value.float() if value.is_floating_point() else value
        for name, value in read_tensors(path).items()
        if name not in SCALARS
    }


def read_tensors(path: Path) -> State:
    """The tensors of a weights file as they are, `SCALARS` too; see `read_state`.

    Raises:
        SourceError: If the file is missing, damaged, or holds anything but tensors.
    """
    raw = read_content(path)
    if not isinstance(raw, dict) or not all(isinstance(name, str) for name in raw):
        raise SourceError(f"{path} holds a {type(raw).__name__}, not tensors by name")
    others = [name for name, value in raw.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise SourceError(
            f"{path} holds values that are no tensors ({first_names(others)}); "
            f"save only the network's state_dict(), best as .safetensors"
        )
    prefix = "module." if raw and all(name.startswith("module.") for name in raw) else ""
    return {name.removeprefix(prefix): value for name, value in raw.items()}


def read_content(path: Path) -> Any:
    """The content of a weights file without the wrappers of training scripts.

    Returns:
        Usually tensors by name, or one tensor; see `read_tensors` for a check.

    Raises:
        SourceError: If the file is missing or damaged, or could run code.
    """
    if not path.is_file():
        raise SourceError(
            f"weights file {path} does not exist; check its name, or download it first"
        )
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)


def load_state(network: nn.Module, state: Mapping[str, torch.Tensor], source: str) -> None:
    """Fill `network` with `state`; every tensor must have its counterpart.

    Counters of batches (`num_batches_tracked`) may be absent: frozen batch norms have none.

    Raises:
        SourceError: If names are missing or unexpected, shapes differ, values are not finite, or
            batch-norm statistics would keep their initial values.
    """
    expected = network.state_dict()
    filled = dict(state)
    for name, value in expected.items():
        if name.endswith("num_batches_tracked"):
            filled.setdefault(name, torch.zeros_like(value))
    _require_names(expected, filled, source)
    _require_values(expected, filled, source)
    network.load_state_dict(filled, strict=True)


def require_trained_statistics(state: Mapping[str, torch.Tensor], source: str) -> None:
    """Pass if some batch norm has trained statistics; a network without any gives ~0 AP silently.

    Raises:
        SourceError: If there are batch norms and all have mean 0 and variance 1.
    """
    means = [v for n, v in state.items() if n.endswith("running_mean")]
    variances = [v for n, v in state.items() if n.endswith("running_var")]
    untouched = all(bool((m == 0).all()) for m in means) and all(
        bool((v == 1).all()) for v in variances
    )
    if means and untouched:
        raise SourceError(
            f"all {len(means)} batch norms of {source} have their initial statistics (mean 0, "
            f"variance 1): they were lost when the file was written; export it again"
        )


def write_state(state: Mapping[str, torch.Tensor], path: Path, dtype: torch.dtype) -> None:
    """Write tensors as safetensors, floats as `dtype`; equal states give equal bytes."""
    tensors = {
        name: (value.to(dtype) if value.is_floating_point() else value)
        .detach()
        .cpu()
        .clone(memory_format=torch.contiguous_format)
        for name, value in sorted(state.items())
    }
    save_file(tensors, path)


def _read_safetensors(path: Path) -> State:
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise SourceError(f"{path} is not a complete safetensors file ({error})") from error


def _read_pickle(path: Path) -> Any:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise SourceError(
            f"{path} was not opened: it is damaged, a TorchScript archive, or holds more than "
            f"tensors, NumPy arrays for instance, which could run code ({reason}); if you "
            f"trust it, load it, turn its values into tensors with torch.as_tensor, and save them "
            f"by name as .safetensors"
        ) from error
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), (dict, torch.Tensor)):
            content = content[wrapper]
    return content


def _require_names(
    expected: Mapping[str, torch.Tensor], actual: Mapping[str, torch.Tensor], source: str
) -> None:
    missing = sorted(expected.keys() - actual.keys())
    unexpected = sorted(actual.keys() - expected.keys())
    statistics = [n for n in missing if n.endswith(("running_mean", "running_var"))]
    if statistics:
        raise SourceError(
            f"{source} lacks batch-norm statistics ({first_names(statistics)}), which would keep "
            f"their initial values and ruin every feature; export the network with its buffers"
        )
    if missing or unexpected:
        raise SourceError(
            f"{source} does not fit the architecture: missing {first_names(missing)}; "
            f"unexpected {first_names(unexpected)}; give the configuration it was trained with"
        )


def _require_values(
    expected: Mapping[str, torch.Tensor], actual: Mapping[str, torch.Tensor], source: str
) -> None:
    clashes = [
        f"{name} is {tuple(actual[name].shape)}, not {tuple(value.shape)}"
        for name, value in expected.items()
        if actual[name].shape != value.shape
    ]
    if clashes:
        raise SourceError(f"{source} does not fit the architecture: {first_names(clashes)}")
    broken = [name for name in expected if not bool(torch.isfinite(actual[name]).all())]
    if broken:
        raise SourceError(f"{source} has NaN or infinite weights in {first_names(broken)}")


def first_names(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "nothing") + more
