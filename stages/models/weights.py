"""Weights on disk: read without running code in them, checked name by name, and written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from schemas.errors import SourceError
from stages.models.pickle_files import read_pickle
from stages.models.weights_files import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import nn

State = dict[str, torch.Tensor]

_WRAPPERS = ("state_dict", "model")  # keys under which training scripts store a state
SCALARS = ("input_resolution", "context_length", "vocab_size")  # extra values in OpenAI's files
_SHOWN = 3  # names in an error message before "and N more"
_SHARING = 8  # times the size of its file that tensors may have, where several share values
_ALWAYS = 1 << 26  # bytes that tensors may have in any case
_LONGEST = 1000  # characters of the name of a tensor


def read_state(path: Path) -> State:
    """The tensors of a weights file by name, floating-point ones in float32.

    Reads safetensors, and files of `pickle_files` that hold only tensors, at the top or under
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
    if path.suffix == ".npz":
        raise SourceError(
            f"{path} is an archive of NumPy, as Big Vision has SigLIP, and is not read; give the "
            f"open_clip_model.safetensors of the same model, or save the state_dict() of "
            f"open_clip.create_model(NAME, pretrained={path.name!r}) as .safetensors"
        )
    content = _read_safetensors(path) if path.suffix == ".safetensors" else read_pickle(path)
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), (dict, torch.Tensor)):
            content = content[wrapper]
    _require_plain(content, path)
    return content


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
            f"variance 1): they were lost when the file was written; export it again, or, if the "
            f"model was never trained, take it with 'rc import-weights --untrained-statistics'"
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
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError, MemoryError) as error:
        raise SourceError(
            f"{path} is not a complete safetensors file ({printable(str(error))})"
        ) from error


def _require_plain(content: Any, path: Path) -> None:
    """Pass if tensors are dense and no larger than their file, with names that can be printed."""
    members = content.items() if isinstance(content, dict) else [("", content)]
    tensors = {name: value for name, value in members if isinstance(value, torch.Tensor)}
    for name, value in tensors.items():
        if isinstance(name, str) and (len(name) > _LONGEST or not name.isprintable()):
            raise SourceError(f"{path} has a tensor of an impossible name ({printable(name)})")
        dense = value.layout == torch.strided and not value.is_quantized and not value.is_nested
        if not dense or value.device.type != "cpu":
            raise SourceError(
                f"{path} has a tensor without plain values ({printable(str(name))}: sparse, "
                f"quantized or without any); write it as a dense one"
            )
    total = sum(value.numel() * value.element_size() for value in tensors.values())
    if total > max(_SHARING * path.stat().st_size, _ALWAYS):
        raise SourceError(f"{path} is damaged: its tensors would take {total:,} bytes")


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
    whole = [
        f"{name} of {str(actual[name].dtype).removeprefix('torch.')}"
        for name, value in expected.items()
        if value.is_floating_point() and not actual[name].is_floating_point()
    ]
    if whole:
        raise SourceError(
            f"{source} has weights that are not floating-point numbers ({first_names(whole)}), as "
            f"if quantized; export it in float32 or float16"
        )
    broken = [name for name in expected if not bool(torch.isfinite(actual[name]).all())]
    if broken:
        raise SourceError(f"{source} has NaN or infinite weights in {first_names(broken)}")


def length(tensor: torch.Tensor | None, axis: int) -> int:
    """How long a tensor of a file is along an axis; 0 without a tensor or an axis."""
    return tensor.shape[axis] if tensor is not None and -tensor.ndim <= axis < tensor.ndim else 0


def first_names(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(printable(name) for name in names[:_SHOWN]) or "nothing") + more
