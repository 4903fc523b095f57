"""Apple's names of MobileCLIP's tensors, changed to open_clip's by the converter of open_clip.

Source: github.com/apple/ml-mobileclip; `open_clip.convert`.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

import torch
from open_clip.convert import convert_mobile_clip_state_dict
from torch import nn

from schemas.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

APPLES_VISUAL: Final = "image_encoder.model."
_APPLES_TEXT: Final = "text_encoder."
_FASTVIT: Final = f"{APPLES_VISUAL}patch_embed.0.rbr_conv.0.conv.weight"
_VIT: Final = f"{APPLES_VISUAL}patch_emb.0.block.conv.weight"
_FOLDED: Final = ".reparam_conv."
# What the converter looks at in a network: that it ends in a linear layer, and its positions.
# Without these, those of the file are left as they are, and checked with all others.
_HEAD: Final = SimpleNamespace(fc=nn.Linear(1, 1, device="meta"))  # draws no random numbers
_NETWORK: Final = SimpleNamespace(
    visual=SimpleNamespace(trunk=SimpleNamespace(head=_HEAD, pos_embed=None))
)


def is_mobileclip(raw: Mapping[str, torch.Tensor]) -> bool:
    """Whether tensors have the names that Apple gave them."""
    folded = any(name.startswith(APPLES_VISUAL) and _FOLDED in name for name in raw)
    return folded or _FASTVIT in raw or _VIT in raw


def from_mobileclip(
    raw: Mapping[str, torch.Tensor], source: str
) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The tensors with open_clip's names, and the name in the file of each that comes from it.

    Args:
        raw: All tensors of the file.
        source: Name of the file in error messages.

    Raises:
        SourceError: If its branches are folded, or two tensors would get one name.
    """
    if any(_FOLDED in name for name in raw):
        raise SourceError(
            f"{source} is a MobileCLIP folded for inference, which cannot be trained and which "
            f"open_clip does not load; import the file as Apple publishes it"
        )
    own = [n for n in raw if n.startswith((APPLES_VISUAL, _APPLES_TEXT)) or n == "logit_scale"]
    try:
        tags = _converted({name: torch.tensor([[n]]) for n, name in enumerate(own, 1)})
        state = _converted({name: raw[name] for name in own})
    except Exception as error:  # of what it does not expect in a file, the converter checks nothing
        raise SourceError(
            f"{source} has the names of Apple's MobileCLIP, but not its tensors; fetch it again"
        ) from error
    sources = {new: own[int(tag) - 1] for new, tag in tags.items() if int(tag)}
    if lost := sorted(set(own) - set(sources.values())):
        raise SourceError(f"{source} has two tensors for one of open_clip's: {lost[0]} is one")
    return state, sources


def _converted(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Under open_clip's names; a bias that Apple's tower does not have is 0."""
    converted: dict[str, torch.Tensor] = convert_mobile_clip_state_dict(
        _NETWORK, state, fastvit=_FASTVIT in state
    )
    return converted
