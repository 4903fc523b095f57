"""Create CLIP models: an architecture with random weights, or with published weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import open_clip
import torch
from open_clip.model import convert_to_custom_text_state_dict

from schemas.errors import SourceError
from stages.models.clip_spec import ClipSpec, architecture_spec, three_floats
from stages.models.download import quiet, require_weights
from stages.models.network import Clip
from stages.models.network_building import has_custom_text
from stages.models.tokenizer_source import TokenizerPlaces, with_tokenizer
from stages.models.weights import SUFFIXES, load_state, read_state, require_trained_statistics

if TYPE_CHECKING:
    from collections.abc import Mapping


def create_clip(
    architecture: str,
    pretrained: str | None = None,
    seed: int = 0,
    tokenizer: Path | None = None,
) -> Clip:
    """A CLIP in evaluation mode, with all parameters trainable.

    Args:
        architecture: Name known to open_clip, such as RN50, or the path of a JSON file with its
            configuration (bare, under "model_cfg", or a model.json).
        pretrained: open_clip's tag of weights, which it downloads; or a file of weights; or None.
        seed: Of the random weights, if `pretrained` is None.
        tokenizer: Folder with the files of the tokenizer, where it is not CLIP's; None to look
            for them beside the files above, then on the network.

    Raises:
        SourceError: If the architecture, the tag or the file is unknown or does not fit.
    """
    places = TokenizerPlaces.of(tokenizer, pretrained, architecture)
    spec = with_tokenizer(architecture_spec(architecture), places)
    if pretrained is None:
        return _random_clip(spec, seed)
    if Path(pretrained).suffix in SUFFIXES or Path(pretrained).is_file():
        return _clip_from_file(spec, Path(pretrained))
    return _clip_from_tag(spec, pretrained)


def _random_clip(spec: ClipSpec, seed: int) -> Clip:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Clip(_changed(spec, origin=f"random, seed {seed}")).eval()


def _clip_from_file(spec: ClipSpec, path: Path) -> Clip:
    state = read_state(path)
    require_trained_statistics(state, str(path))
    clip = Clip(_changed(spec, origin=path.name)).eval()
    if has_custom_text(spec.config) and "positional_embedding" in state:
        state = convert_to_custom_text_state_dict(state)
    load_state(clip.network, state, str(path))
    return clip


def _clip_from_tag(spec: ClipSpec, tag: str) -> Clip:
    name = spec.architecture or ""
    known = open_clip.get_pretrained_cfg(name, tag)
    if not known:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "none"
        raise SourceError(
            f"no weights '{tag}' are published for '{name}' (tags: {tags}) and no file has that "
            f"name; give one of these tags, or the path of a weights file"
        )
    config = dict(spec.config)
    if known.get("quick_gelu"):  # a text tower trained with QuickGELU is wrong without it
        config["quick_gelu"] = True
    require_weights(known, tag, _with_activation(name, known))
    try:
        with quiet():
            fetched = open_clip.create_model(
                name, pretrained=tag, force_quick_gelu=bool(known.get("quick_gelu"))
            )
    except Exception as error:  # open_clip and its download libraries share no base class
        raise SourceError(
            f"weights '{tag}' of '{name}' could not be fetched ({error}); check the network, or "
            f"download the file elsewhere and give its path"
        ) from error
    preprocessing = {k: three_floats(known[k]) for k in ("mean", "std") if known.get(k)}
    clip = Clip(
        _changed(spec, config=config, origin=f"open_clip {name} {tag}", **preprocessing)
    ).eval()
    load_state(clip.network, fetched.state_dict(), f"open_clip {name} {tag}")
    return clip


def _with_activation(name: str, known: Mapping[str, Any]) -> str:
    """The architecture with the activation that the weights were trained with."""
    quick = f"{name}-quickgelu"
    return quick if known.get("quick_gelu") and quick in open_clip.list_models() else name


def _changed(spec: ClipSpec, **changes: Any) -> ClipSpec:
    return dataclasses.replace(spec, **changes)
