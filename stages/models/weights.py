"""Weights on disk: read without running anything in them, checked name by name, written whole."""

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

_WRAPPERS = ("state_dict", "model")  # what training scripts put a state under
SCALARS = ("input_resolution", "context_length", "vocab_size")  # OpenAI's files carry these
_SHOWN = 3  # names a complaint lists before "and N more"


def read_state(path: Path) -> State:
    """The tensors of a weights file by name, floating ones in float32.

    Takes safetensors, and pickles (.pt, .pth, .bin) that hold nothing but tensors, bare or under
    "state_dict" or "model", with or without the "module." of a wrapped network.

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
    strangers = [name for name, value in raw.items() if not isinstance(value, torch.Tensor)]
    if strangers:
        raise SourceError(
            f"{path} holds values that are no tensors ({some(strangers)}); "
            f"save the network's state_dict() alone, best as .safetensors"
        )
    prefix = "module." if raw and all(name.startswith("module.") for name in raw) else ""
    return {name.removeprefix(prefix): value for name, value in raw.items()}


def read_content(path: Path) -> Any:
    """What a weights file holds, out of the wrappings of training scripts: tensors by name, or one.

    Raises:
        SourceError: If the file is missing, damaged, or holds what could run code.
    """
    if not path.is_file():
        raise SourceError(f"weights file {path} does not exist; check its name, or fetch it first")
    return _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)


def load_state(network: nn.Module, state: Mapping[str, torch.Tensor], source: str) -> None:
    """Fill `network` with `state`, every tensor accounted for.

    Counters of batches (`num_batches_tracked`), which frozen batch norms lack, may be absent.

    Raises:
        SourceError: If names are missing or unexpected, shapes differ, values are not finite, or
            batch-norm statistics would be left at their initial values.
    """
    wanted = network.state_dict()
    filled = dict(state)
    for name, value in wanted.items():
        if name.endswith("num_batches_tracked"):
            filled.setdefault(name, torch.zeros_like(value))
    _require_names(wanted, filled, source)
    _require_values(wanted, filled, source)
    network.load_state_dict(filled, strict=True)


def require_trained_statistics(state: Mapping[str, torch.Tensor], source: str) -> None:
    """Pass if some batch norm has seen data; a file with none left that way makes ~0 AP silently.

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
    """Write tensors as safetensors: equal states give equal bytes, floats stored as `dtype`."""
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
        raise SourceError(f"{path} is not a whole safetensors file ({error})") from error


def _read_pickle(path: Path) -> Any:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).strip().splitlines()[0]
        raise SourceError(
            f"{path} was not opened: it is damaged, a TorchScript archive, or holds more than "
            f"tensors, NumPy arrays for instance, which could run code ({reason}); where you "
            f"trust it, load it, turn its values into tensors with torch.as_tensor, and save them "
            f"by name as .safetensors"
        ) from error
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), (dict, torch.Tensor)):
            content = content[wrapper]
    return content


def _require_names(
    wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor], source: str
) -> None:
    missing = sorted(wanted.keys() - given.keys())
    unexpected = sorted(given.keys() - wanted.keys())
    statistics = [n for n in missing if n.endswith(("running_mean", "running_var"))]
    if statistics:
        raise SourceError(
            f"{source} lacks batch-norm statistics ({some(statistics)}), which would be left at "
            f"their initial values and ruin every feature; export the network with its buffers"
        )
    if missing or unexpected:
        raise SourceError(
            f"{source} does not fit the architecture: missing {some(missing)}; "
            f"unexpected {some(unexpected)}; give the configuration it was trained with"
        )


def _require_values(
    wanted: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor], source: str
) -> None:
    clashes = [
        f"{name} is {tuple(given[name].shape)}, not {tuple(value.shape)}"
        for name, value in wanted.items()
        if given[name].shape != value.shape
    ]
    if clashes:
        raise SourceError(f"{source} does not fit the architecture: {some(clashes)}")
    broken = [name for name in wanted if not bool(torch.isfinite(given[name]).all())]
    if broken:
        raise SourceError(f"{source} has NaN or infinite weights in {some(broken)}")


def some(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "nothing") + more
