"""Import CLIPs from published files: read once, load once, then check the loaded values.

The reference loads a second checkpoint over the first, which can put the frozen statistics of
batch norms back to their initial values and with them every score to about 0, silently. Here all
tensors of a network come from one reading, and each has exactly one source. After loading, the
statistics of every batch norm are compared with the file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from schemas.errors import SourceError
from stages.models.architectures import identify_architecture
from stages.models.clip_creation import create_clip
from stages.models.clip_spec import ClipSpec, architecture_spec
from stages.models.import_keys import MappedClip, language_tensors, map_clip, with_text_prefix
from stages.models.key_report import KeyReport
from stages.models.network import Clip
from stages.models.network_building import has_custom_text
from stages.models.tokenizer_source import NO_PLACES, TokenizerPlaces, with_tokenizer
from stages.models.weights import SUFFIXES, load_state, read_tensors, require_trained_statistics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stages.models.weights import State

_STATISTICS = ("running_mean", "running_var")
_PUBLISHED_WITH_QUICK_GELU = ("RegionCLIP", "OpenAI")


def is_file(source: str) -> bool:
    """Whether `source` means a file of weights rather than one of open_clip's tags."""
    return Path(source).suffix in SUFFIXES or Path(source).exists()


def import_tag(
    tag: str, architecture: str | None, tokenizer: Path | None = None
) -> tuple[Clip, KeyReport]:
    """The CLIP that open_clip downloads for a tag.

    Raises:
        SourceError: If the tag is unknown, or no architecture is given.
    """
    if architecture is None:
        raise SourceError(
            f"'{tag}' is not a file; if it is one of open_clip's tags, give its --architecture too"
        )
    clip = create_clip(architecture, tag, tokenizer=tokenizer)
    return clip, KeyReport("open_clip", sorted(clip.network.state_dict()), ())


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
    return extract_clip(raw, path.name, kind, architecture, untrained=untrained, places=places)


def extract_clip(
    raw: Mapping[str, torch.Tensor],
    source: str,
    kind: str,
    architecture: str | None = None,
    *,
    untrained: bool = False,
    places: TokenizerPlaces = NO_PLACES,
) -> tuple[Clip, KeyReport]:
    """The CLIP among the tensors of a file, in evaluation mode, and how each tensor was used.

    Args:
        raw: Tensors by their names in the file.
        source: What the file is called.
        kind: "teacher", "student" or "detector".
        architecture: As in `clip_spec.architecture_spec`; None to identify it by the shapes.
        untrained: Accept batch norms that all have their initial statistics.
        places: Where the tokenizer's files may be.

    Raises:
        SourceError: If a tensor of the network is missing, of another shape or not finite, a
            batch-norm statistic is not in the file, or the architecture cannot be identified.
    """
    mapped = map_clip(raw, kind, source)
    spec = with_tokenizer(_spec(mapped, architecture, source), places)
    state = with_text_prefix(mapped.state) if has_custom_text(spec.config) else mapped.state
    if not untrained:
        require_trained_statistics(state, source)
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


def _spec(mapped: MappedClip, architecture: str | None, source: str) -> ClipSpec:
    spec = architecture_spec(architecture or identify_architecture(mapped.state, source))
    config = dict(spec.config)
    if "logit_bias" in mapped.state:  # of a sigmoid loss; a configuration only has where it began
        config.setdefault("init_logit_bias", float(mapped.state["logit_bias"]))
    if "quick_gelu" not in config and not _is_model_json(architecture):
        if mapped.layout in _PUBLISHED_WITH_QUICK_GELU:
            config["quick_gelu"] = True
        elif architecture is None:
            name = spec.architecture
            raise SourceError(
                f"the tensors of {source} do not show whether it was trained with QuickGELU, and "
                f"the wrong choice gives wrong features: give --architecture {name}-quickgelu (as "
                f"OpenAI's are) or --architecture {name} (as most of open_clip's are)"
            )
    origin = f"{mapped.layout} {source} ({mapped.visual.rstrip('.')})"
    return dataclasses.replace(spec, config=config, origin=origin, language=mapped.language)


def _is_model_json(architecture: str | None) -> bool:
    """Whether this is one of our own model.json files, where an absent key means no."""
    if not architecture or not architecture.endswith(".json"):
        return False
    content: dict[str, Any] = json.loads(Path(architecture).read_text("utf-8"))
    return "origin" in content


def _keys_from_file(mapped: MappedClip, state: State) -> set[str]:
    """Names of `state` that have a source in the file."""
    constants = mapped.state.keys() - mapped.sources.keys()
    return set(state) - constants
