"""Create CLIP models: an architecture with random weights, or with published weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import open_clip
import torch

from schemas.errors import SourceError
from stages.models.clip_import import import_clip
from stages.models.clip_spec import architecture_spec
from stages.models.download import quiet, require_weights
from stages.models.given_architecture import published
from stages.models.key_report import KeyReport
from stages.models.network import Clip
from stages.models.tokenizer_source import TokenizerPlaces, with_tokenizer
from stages.models.weights import load_state
from stages.models.weights_files import is_file

if TYPE_CHECKING:
    from stages.models.clip_spec import ClipSpec


def create_clip(
    architecture: str,
    pretrained: str | None = None,
    seed: int = 0,
    tokenizer: Path | None = None,
) -> Clip:
    """A CLIP in evaluation mode, with all parameters trainable.

    Args:
        architecture: As `read_architecture` takes it: a name known to open_clip, such as RN50, or a
            JSON file.
        pretrained: open_clip's tag of weights, which it downloads; or a file of weights, which is
            imported like a teacher; or None.
        seed: Of the random weights, if `pretrained` is None.
        tokenizer: Folder with the files of the tokenizer, where it is not CLIP's; None to look
            for them beside the files above, then on the network.

    Raises:
        SourceError: If the architecture, the tag or the file is unknown or does not fit.
    """
    places = TokenizerPlaces.of(tokenizer, pretrained, architecture)
    if pretrained is None:
        return _random_clip(with_tokenizer(architecture_spec(architecture), places), seed)
    if is_file(pretrained):
        return import_clip(Path(pretrained), "teacher", architecture, tokenizer=tokenizer)[0]
    return _clip_from_tag(architecture, pretrained, places)


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


def _random_clip(spec: ClipSpec, seed: int) -> Clip:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Clip(_changed(spec, origin=f"random, seed {seed}")).eval()


def _clip_from_tag(architecture: str, tag: str, places: TokenizerPlaces) -> Clip:
    name = architecture.partition(":")[0].replace("/", "-")
    known = published(name, tag)
    require_weights(known, tag, f"{name}:{tag}")
    spec = with_tokenizer(architecture_spec(f"{name}:{tag}"), places)
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
    origin = f"open_clip {name} {tag}"
    clip = Clip(_changed(spec, origin=origin)).eval()
    load_state(clip.network, fetched.state_dict(), origin)
    return clip


def _changed(spec: ClipSpec, **changes: Any) -> ClipSpec:
    return dataclasses.replace(spec, **changes)
