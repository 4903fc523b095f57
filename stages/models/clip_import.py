"""Import CLIPs from published files: read once, load once, then check the loaded values.

The reference loads a second checkpoint over the first, which can put the frozen statistics of
batch norms back to their initial values and with them every score to about 0, silently. Here all
tensors of a network come from one reading, and each has exactly one source. After loading, the
statistics of every batch norm are compared with the file.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import torch

from schemas.errors import SourceError
from stages.models.import_keys import MappedClip, language_tensors, map_clip, with_text_prefix
from stages.models.imported_spec import imported_spec
from stages.models.key_report import KeyReport
from stages.models.network import Clip
from stages.models.network_building import has_custom_text, require_size
from stages.models.tokenizer_source import NO_PLACES, TokenizerPlaces, with_tokenizer
from stages.models.weights import load_state, read_tensors, require_trained_statistics

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stages.models.weights import State

_STATISTICS = ("running_mean", "running_var")


def import_clip(
    path: Path,
    kind: str,
    architecture: str | None = None,
    *,
    untrained: bool = False,
    tokenizer: Path | None = None,
) -> tuple[Clip, KeyReport]:
    """The CLIP of a published file, in evaluation mode; see `extract_clip`.

    Its tokenizer, where it is not CLIP's, is in the folder `tokenizer`, or beside the files.
    """
    places = TokenizerPlaces.of(tokenizer, path, architecture)
    raw = read_tensors(path)
    return extract_clip(raw, path, kind, architecture, untrained=untrained, places=places)


def extract_clip(
    raw: Mapping[str, torch.Tensor],
    path: Path,
    kind: str,
    architecture: str | None = None,
    *,
    untrained: bool = False,
    places: TokenizerPlaces = NO_PLACES,
) -> tuple[Clip, KeyReport]:
    """The CLIP among the tensors of a file, in evaluation mode, and how each tensor was used.

    Args:
        raw: Tensors by their names in the file.
        path: Of the file; open_clip's description is looked for beside it.
        kind: "teacher", "student" or "detector".
        architecture: As `read_architecture` takes it; None to take the description beside the file,
            or to identify it by the shapes.
        untrained: Accept batch norms that all have their initial statistics.
        places: Where the tokenizer's files may be.

    Raises:
        SourceError: If a tensor of the network is missing, of another shape or not finite, a
            batch-norm statistic is not in the file, or the architecture cannot be identified.
    """
    source = path.name
    mapped = map_clip(raw, kind, source)
    spec = with_tokenizer(imported_spec(mapped, architecture, path), places)
    state = with_text_prefix(mapped.state) if has_custom_text(spec.config) else mapped.state
    if not untrained:
        require_trained_statistics(state, source)
    require_size(spec, sum(value.numel() for value in state.values()), source)
    clip = Clip(spec).eval()
    load_state(clip.network, state, source)
    require_statistics_of_file(clip.network.state_dict(), state, source)
    missing = sorted(clip.network.state_dict().keys() - _keys_from_file(mapped, state))
    return clip, KeyReport(
        mapped.layout, sorted(mapped.sources.values()), mapped.unused(raw), missing
    )


def require_statistics_of_file(
    loaded: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor], source: str
) -> None:
    """Pass if every batch-norm statistic of a network equals the value in the file, bit for bit.

    Raises:
        SourceError: If one differs: something has overwritten it.
    """
    for name, value in loaded.items():
        if name.endswith(_STATISTICS) and not torch.equal(value.cpu(), state[name].to(value.dtype)):
            raise SourceError(
                f"{name} differs from its value in {source}: statistics were overwritten while the "
                f"network was loaded, and every feature would be wrong"
            )


def language_digest(clip: Clip) -> str:
    """A hash of the language encoder, to compare it with another; "none" without an encoder."""
    if not clip.spec.language:
        return "none"
    config = clip.spec.config
    settings = {"quick_gelu": bool(config.get("quick_gelu")), "text": dict(config["text_cfg"])}
    settings |= {"tokenizer": clip.spec.tokenizer.digests()} if clip.spec.tokenizer else {}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, value in sorted(language_tensors(clip.network.state_dict()).items()):
        digest.update(name.encode())
        digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _keys_from_file(mapped: MappedClip, state: State) -> set[str]:
    """Names of `state` that have a source in the file."""
    constants = mapped.state.keys() - mapped.sources.keys()
    return set(state) - constants
