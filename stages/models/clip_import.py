"""CLIPs out of published files: one file, read once, loaded once, and looked at afterwards.

The reference loads a second checkpoint over the first, which can put the frozen statistics of
batch norms back to their initial values and with them every score to about 0, silently. Here all
tensors of a network come from one reading, each has exactly one source, and the statistics of
every batch norm are compared with the file once they are in place.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from schemas.errors import SourceError
from stages.models.architectures import recognise
from stages.models.create import create_clip
from stages.models.key_maps import Mapped, language_part, map_clip, under_own_text
from stages.models.key_report import KeyReport
from stages.models.network import Clip
from stages.models.spec import Spec, describe
from stages.models.weights import SUFFIXES, load_state, read_tensors, require_trained_statistics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stages.models.weights import State

_STATISTICS = ("running_mean", "running_var")
_PUBLISHED_WITH_QUICK_GELU = ("RegionCLIP", "OpenAI")


def is_file(source: str) -> bool:
    """Whether `source` means a file of weights rather than one of open_clip's tags."""
    return Path(source).suffix in SUFFIXES or Path(source).exists()


def import_tag(tag: str, architecture: str | None) -> tuple[Clip, KeyReport]:
    """The CLIP that open_clip fetches under a tag.

    Raises:
        SourceError: If it has none, or no architecture is given.
    """
    if architecture is None:
        raise SourceError(
            f"'{tag}' is no file; if it is one of open_clip's tags, say of which --architecture"
        )
    clip = create_clip(architecture, tag)
    return clip, KeyReport("open_clip", sorted(clip.network.state_dict()), ())


def import_clip(
    path: Path, kind: str, architecture: str | None = None, *, untrained: bool = False
) -> tuple[Clip, KeyReport]:
    """The CLIP of a published file, in evaluation mode; see `take_clip`."""
    return take_clip(read_tensors(path), path.name, kind, architecture, untrained=untrained)


def take_clip(
    raw: Mapping[str, torch.Tensor],
    source: str,
    kind: str,
    architecture: str | None = None,
    *,
    untrained: bool = False,
) -> tuple[Clip, KeyReport]:
    """The CLIP among the tensors of a file, in evaluation mode, and what became of each tensor.

    Args:
        raw: Tensors by their names in the file.
        source: What the file is called.
        kind: "teacher", "student" or "detector".
        architecture: As in `spec.describe`; None to tell it from the shapes.
        untrained: Take batch norms that all have their initial statistics.

    Raises:
        SourceError: If a tensor of the network is missing, of another shape or not finite, a
            batch-norm statistic is not in the file, or the architecture cannot be told.
    """
    mapped = map_clip(raw, kind, source)
    spec = _spec(mapped, architecture, source)
    state = under_own_text(mapped.state) if spec.config.get("custom_text") else mapped.state
    if not untrained:
        require_trained_statistics(state, source)
    clip = Clip(spec).eval()
    load_state(clip.network, state, source)
    require_statistics_of_file(clip.network.state_dict(), state, source)
    missing = sorted(clip.network.state_dict().keys() - _renamed(mapped, state))
    return clip, KeyReport(
        mapped.layout, sorted(mapped.sources.values()), mapped.unused(raw), missing
    )


def require_statistics_of_file(
    loaded: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor], source: str
) -> None:
    """Pass if every batch-norm statistic of a network is, bit for bit, the one that was read.

    Raises:
        SourceError: If one is not: something has put other values over it.
    """
    for name, value in loaded.items():
        if name.endswith(_STATISTICS) and not torch.equal(value.cpu(), state[name].to(value.dtype)):
            raise SourceError(
                f"{name} does not hold what {source} says: statistics were overwritten while the "
                f"network was loaded, and every feature would be wrong"
            )


def language_digest(clip: Clip) -> str:
    """What tells one language encoder from another; "none" if there is none."""
    if not clip.spec.language:
        return "none"
    config = clip.spec.config
    told = {"quick_gelu": bool(config.get("quick_gelu")), "text": dict(config["text_cfg"])}
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for name, value in sorted(language_part(clip.network.state_dict()).items()):
        digest.update(name.encode())
        digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _spec(mapped: Mapped, architecture: str | None, source: str) -> Spec:
    spec = describe(architecture or recognise(mapped.state, source))
    config = dict(spec.config)
    if "quick_gelu" not in config and not _is_model_json(architecture):
        if mapped.layout in _PUBLISHED_WITH_QUICK_GELU:
            config["quick_gelu"] = True
        elif architecture is None:
            name = spec.architecture
            raise SourceError(
                f"whether {source} was trained with QuickGELU cannot be seen in its tensors, and "
                f"features would be wrong with the other: give --architecture {name}-quickgelu (as "
                f"OpenAI's are) or --architecture {name} (as most of open_clip's are)"
            )
    origin = f"{mapped.layout} {source} ({mapped.visual.rstrip('.')})"
    return dataclasses.replace(spec, config=config, origin=origin, language=mapped.language)


def _is_model_json(architecture: str | None) -> bool:
    """Whether this is a full description as we write them, where an absent key says no."""
    if not architecture or not architecture.endswith(".json"):
        return False
    content: dict[str, Any] = json.loads(Path(architecture).read_text("utf-8"))
    return "origin" in content


def _renamed(mapped: Mapped, state: State) -> set[str]:
    """Names of `state` that have a source in the file."""
    made_up = mapped.state.keys() - mapped.sources.keys()
    return set(state) - made_up
