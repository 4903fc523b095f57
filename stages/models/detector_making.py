"""New detectors: a head over a model that was given, and the names it is to choose from.

Shapes: K categories, K2 categories asked for, D width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from schemas.errors import ArtifactError, OptionError
from schemas.table import as_matrix
from stages.models.clip import load_clip, read_clip
from stages.models.detector import Detector, Head, is_detector, load_detector, read_detector
from stages.models.network import Clip
from stages.models.text_embeddings import embed_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa
    from torch import nn

_PROMPTS = 1024  # encoded together
_SHOWN = 5  # names a complaint lists before "and N more"


@dataclass(frozen=True)
class Wording:
    """How names become embeddings.

    Attributes:
        templates: Prompts that the language encoder reads, with a hole for the name.
        averaging: Over prompts, see `stages.models.text_embeddings.average`.
        table: Rows of `concept_embeddings` to take them from instead.
    """

    templates: tuple[str, ...]
    averaging: str
    table: pa.Table | None = None


def load_any(config: Path, weights: Path, device: str) -> Clip | Detector:
    """The detector of two files, or the CLIP if they hold no more; frozen and shared.

    Raises:
        SourceError: If the files are missing, damaged, or do not fit each other.
    """
    load = load_detector if is_detector(config) else load_clip
    return load(config, weights, device)


def read_any(config: Path, weights: Path, device: str) -> Clip | Detector:
    """The same, one's own and trainable."""
    read = read_detector if is_detector(config) else read_clip
    return read(config, weights, device)


def clip_of(model: Clip | Detector) -> Clip:
    """The CLIP that a model is, or has."""
    return model.clip if isinstance(model, Detector) else model


def forget_images(clip: Clip, seed: int) -> None:
    """Give the image tower random weights in place, as if new; the language encoder stays."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = Clip(clip.spec)
    clip.network.visual.load_state_dict(fresh.network.visual.state_dict())


def make_detector(
    model: Clip | Detector, head: Head, embeddings: torch.Tensor, seed: int
) -> Detector:
    """A detector to train, whose layers are those of `model` where they fit, else drawn.

    Args:
        model: Its CLIP is shared, not copied; its box layer and background go on.
        head: What is learned.
        embeddings: (K, D).
        seed: Of what is drawn.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made = Detector(clip_of(model), head, embeddings)
    if isinstance(model, Detector):
        _continue(made, model)
    return made


def asked_for(
    model: Clip | Detector,
    names: Sequence[str],
    embeddings: torch.Tensor,
    temperature: float | None = None,
) -> Detector:
    """A model that chooses from other names, without training; its tensors are shared.

    Args:
        model: A teacher or student moves no boxes, its background is zeros.
        names: K2 of them.
        embeddings: (K2, D).
        temperature: Divides cosine similarity; None for a detector's own, else 0.01.

    Raises:
        OptionError: If the detector has boxes for each category it learned, and a name is none.
    """
    if not isinstance(model, Detector):
        head = Head(tuple(names), regression="none", temperature=temperature or 0.01)
        return Detector(model, head, embeddings).eval()
    head = replace(
        model.head, categories=tuple(names), temperature=temperature or model.head.temperature
    )
    made = Detector(model.clip, head, embeddings).requires_grad_(False)
    _continue(made, model)
    if head.regression == "specific":
        _pick_boxes(made, model)
    return made.eval()


def name_embeddings(
    model: Clip | Detector, names: Sequence[str], wording: Wording
) -> tuple[tuple[str, ...], torch.Tensor, str]:
    """Names with their embeddings, and where these come from.

    Args:
        model: Its language encoder reads prompts; a detector has embeddings of its own names.
        names: None for all that the table has, or that the detector learned.
        wording: How.

    Returns:
        K names, their embeddings (K, D) on the CPU, and a phrase for people.

    Raises:
        ArtifactError: If there is no name at all, or a name is not in the table.
        SourceError: If prompts are to be read and the model has no language encoder.
    """
    if wording.table is not None:
        table = wording.table.sort_by("concept_id")
        known = table["concept"].to_pylist()
        matrix = torch.from_numpy(as_matrix(table, "embedding").astype(np.float32))
        return _rows(names or known, known, matrix, "imported")
    if isinstance(model, Detector) and set(names) <= set(model.head.categories):
        known, matrix = model.head.categories, model.embeddings.detach().cpu()
        return _rows(names or known, known, matrix, "the detector's own")
    if not names:
        raise ArtifactError(
            "nobody says what to look for: a teacher or student has no categories of its own; "
            "give names, or embeddings that have them"
        )
    made = embed_names(clip_of(model), names, wording.templates, wording.averaging, _PROMPTS)
    source = f"{len(wording.templates)} templates, averaging {wording.averaging}"
    return tuple(names), made, source


def _continue(made: Detector, model: Detector) -> None:
    """Copy the box layer and a learned background, where there are any that fit."""
    old, new = model.bbox_pred, made.bbox_pred
    if old is not None and new is not None and old.weight.shape == new.weight.shape:
        new.load_state_dict(old.state_dict())
    if made.head.background == model.head.background == "learned":
        with torch.no_grad():
            made.background.copy_(model.background)


def _pick_boxes(made: Detector, model: Detector) -> None:
    """Give each name the deltas that the detector learned for it."""
    learned = model.head.categories
    strangers = [name for name in made.head.categories if name not in learned]
    if strangers:
        raise OptionError(
            f"this detector moves boxes for each category it learned, and {_some(strangers)} are "
            f"none of these; ask for others with a detector of --regression agnostic"
        )
    places = [learned.index(name) for name in made.head.categories]

    def pick(layer: nn.Linear) -> dict[str, torch.Tensor]:
        weight = layer.weight.unflatten(0, (-1, 4))[places].flatten(0, 1)  # type: ignore[no-untyped-call]
        return {"weight": weight, "bias": layer.bias.view(-1, 4)[places].flatten()}

    if made.bbox_pred is not None and model.bbox_pred is not None:
        made.bbox_pred.load_state_dict(pick(model.bbox_pred))


def _rows(
    names: Sequence[str], known: Sequence[str], matrix: torch.Tensor, source: str
) -> tuple[tuple[str, ...], torch.Tensor, str]:
    places = {name: row for row, name in enumerate(known)}
    if missing := [name for name in names if name not in places]:
        raise ArtifactError(
            f"{len(missing)} names have no embedding ({_some(missing)}); name embeddings that have "
            f"them, or leave --embeddings out so that the language encoder makes them"
        )
    return tuple(names), matrix[[places[name] for name in names]], source


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(f"'{name}'" for name in names[:_SHOWN]) + more
