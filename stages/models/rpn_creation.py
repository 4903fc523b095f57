"""Create proposal networks with random weights, fill them from files, and save them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import torch

from schemas.errors import SourceError, StageError
from stages.models.rpn import Rpn
from stages.models.rpn_backbones import batch_norms
from stages.models.weights import (
    State,
    load_state,
    read_state,
    require_trained_statistics,
    write_state,
)

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from stages.models.rpn_spec import RpnSpec

# torchvision wrapped these convolutions in blocks; there are published files with both names
_OLD_NAMES: Final = (
    (re.compile(r"^(rpn\.head\.conv)\.(weight|bias)$"), r"\1.0.0.\2"),
    (re.compile(r"^(backbone\.fpn\.(?:inner|layer)_blocks\.\d+)\.(weight|bias)$"), r"\1.0.\2"),
)


def create_rpn(spec: RpnSpec, seed: int = 0) -> Rpn:
    """A network with random weights, decided by `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Rpn(spec)


def fill_rpn(rpn: Rpn, path: Path) -> tuple[int, bool]:
    """Fill a new network with the weights of a file.

    Args:
        rpn: Filled in place.
        path: Weights of one of our proposal networks, of a torchvision detector (`backbone.*` and
            `rpn.*` are used), or of a torchvision classifier (which fills the backbone).

    Returns:
        The number of unused tensors of the file, and whether the whole network was filled, not
        only its backbone.

    Raises:
        SourceError: If the file cannot be read, or does not fit the network.
    """
    state = {current_name(name): value for name, value in read_state(path).items()}
    require_trained_statistics(state, str(path))
    if any(name.startswith("rpn.") for name in state):
        used = {n: v for n, v in state.items() if n.startswith(("backbone.", "rpn."))}
        load_state(rpn, used, str(path))
        return len(state) - len(used), True
    return len(state) - _fill_body(rpn.backbone.body, state, path), False


def freeze_norms(rpn: Rpn) -> None:
    """Freeze gains, biases and statistics of all batch norms; call again after `train()`."""
    for norm in batch_norms(rpn):
        norm.eval()
        norm.requires_grad_(False)


def current_name(name: str) -> str:
    """Torchvision's current name of a tensor whose `name` may be an old one."""
    for old, new in _OLD_NAMES:
        name = old.sub(new, name)
    return name


def _fill_body(body: nn.Module, state: State, path: Path) -> int:
    bare = {name.removeprefix("features."): value for name, value in state.items()}
    used = {name: value for name, value in bare.items() if name in body.state_dict()}
    if not used:
        raise SourceError(
            f"{path} holds neither a proposal network (rpn.*) nor the layers of this backbone; "
            f"give the --backbone that the file belongs to"
        )
    load_state(body, used, str(path))
    return len(used)


def save_rpn(rpn: Rpn, config: Path, weights: Path, dtype: str = "float32") -> None:
    """Write model.json and weights.safetensors; equal networks give equal bytes.

    Raises:
        StageError: If a value does not fit into `dtype`.
    """
    kind: torch.dtype = getattr(torch, dtype)
    for name, value in rpn.state_dict().items():
        if value.is_floating_point() and not bool(torch.isfinite(value.to(kind)).all()):
            raise StageError(f"{name} is not finite in {dtype}; use --save-dtype float32")
    rpn.spec.write(config)
    write_state(rpn.state_dict(), weights, kind)
