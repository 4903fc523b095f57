"""What the tensors of a file do not show: activation and preprocessing, decided in one place.

Whoever opens weights of others comes here. What was given decides; then whose names the tensors
have, for OpenAI's and RegionCLIP's are all alike; then open_clip's description beside the file;
then what open_clip publishes for the architecture. Where all are silent, the user is asked.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

import open_clip

from schemas.errors import SourceError
from stages.models.architectures import identify_architecture, may_fit
from stages.models.clip_spec import known_preprocessing, spec_of
from stages.models.given_architecture import Architecture, architecture_beside, read_architecture
from stages.models.preprocessing import CLIPS, Preprocessing
from stages.models.weights_files import CONFIG

if TYPE_CHECKING:
    from pathlib import Path

    from stages.models.clip_spec import ClipSpec
    from stages.models.import_keys import MappedClip

_AS_CLIP: Final = ("RegionCLIP", "OpenAI")  # layouts with QuickGELU and CLIP's own preprocessing
_EXAMPLE: Final = (
    '{"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "resize_mode": "squash", '
    '"interpolation": "bicubic"}'
)


def imported_spec(mapped: MappedClip, architecture: str | None, path: Path) -> ClipSpec:
    """The spec of the CLIP in a file of weights.

    Args:
        mapped: Its tensors.
        architecture: As `read_architecture` takes it; None to take what lies beside the file, or
            to identify it by the shapes.
        path: Of the file.

    Raises:
        SourceError: If the architecture, the activation or the preprocessing is not known.
    """
    beside = architecture_beside(path) if mapped.layout not in _AS_CLIP else None
    if beside and not may_fit(mapped.state, beside.config):
        beside = None  # of another file in the folder
    if architecture:
        chosen = read_architecture(architecture)
    else:
        chosen = beside or _identified(mapped, path.name)
    if beside and _timm_name(beside) != _timm_name(chosen):
        beside = None
    config = dict(chosen.config)
    if "logit_bias" in mapped.state:  # of a sigmoid loss; a configuration only has where it began
        config.setdefault("init_logit_bias", float(mapped.state["logit_bias"]))
    if "quick_gelu" not in config and not chosen.settled:
        said = beside.config.get("quick_gelu") if beside else None
        if mapped.layout in _AS_CLIP or said:
            config["quick_gelu"] = True
    spec = spec_of(chosen, _preprocessing(mapped, chosen, beside, path.name))
    origin = f"{mapped.layout} {path.name} ({mapped.visual.rstrip('.')})"
    return dataclasses.replace(spec, config=config, origin=origin, language=mapped.language)


def _timm_name(architecture: Architecture) -> object:
    return architecture.config["vision_cfg"].get("timm_model_name")


def _identified(mapped: MappedClip, source: str) -> Architecture:
    name = identify_architecture(mapped.state, source)
    chosen = read_architecture(name)
    if mapped.layout in _AS_CLIP or "quick_gelu" in chosen.config:
        return chosen
    quick = f"{name}-quickgelu"
    if quick in open_clip.list_models():
        other = f"give the architecture {quick} (as OpenAI's are) or {name}"
    else:
        other = (
            f"give a JSON file as the architecture "
            f'({{"architecture": "{name}", "quick_gelu": true}}) or {name}'
        )
    raise SourceError(
        f"the tensors of {source} do not show whether it was trained with QuickGELU, and the wrong "
        f"choice gives wrong features: {other} (as most of open_clip's are)"
    )


def _preprocessing(
    mapped: MappedClip, chosen: Architecture, beside: Architecture | None, source: str
) -> Preprocessing:
    if chosen.preprocessing:
        return chosen.preprocessing
    if mapped.layout in _AS_CLIP:
        return CLIPS
    known = (beside.preprocessing if beside else None) or known_preprocessing(chosen)
    if known:
        return known
    name = chosen.name
    tags = open_clip.list_pretrained_tags_by_model(name) if name else []
    with_tag = f"give the architecture as {name}:TAG ({', '.join(tags)}), or " if tags else ""
    raise SourceError(
        f"nothing says how images are prepared for {source}, and another mean, deviation or "
        f"resizing gives wrong features: {with_tag}put the {CONFIG} that it was published with "
        f'beside it, or give a JSON file as the architecture, with "preprocess_cfg": {_EXAMPLE}'
    )
