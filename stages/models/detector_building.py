"""Build detectors: a head over a given model, and the names that it chooses from.

Shapes: K learned categories, K2 categories to choose from, D width.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from schemas.errors import ArtifactError, OptionError
from schemas.table import as_matrix
from stages.models.clip import load_clip, read_clip
from stages.models.detector import Detector, HeadSpec, is_detector, load_detector, read_detector
from stages.models.network import Clip
from stages.models.similarity import Similarity
from stages.models.text_embeddings import embed_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa
    from torch import nn

    from stages.text.prompt_options import Averaging

_PROMPTS = 1024  # encoded in one batch
_SHOWN = 5  # names in an error message before "and N more"


@dataclass(frozen=True)
class NameEmbeddingConfig:
    """How names become embeddings.

    Attributes:
        templates: Sentences for the language encoder, with a hole for the name.
        averaging: Over prompts, see `stages.models.text_embeddings.average`.
        table: Rows of `concept_embeddings` that replace the language encoder.
    """

    templates: tuple[str, ...]
    averaging: Averaging
    table: pa.Table | None = None


def load_model(config: Path, weights: Path, device: str) -> Clip | Detector:
    """The detector of two files, or the CLIP if there is no detector; frozen and shared.

    Raises:
        SourceError: If the files are missing, damaged, or do not fit each other.
    """
    load = load_detector if is_detector(config) else load_clip
    return load(config, weights, device)


def read_model(config: Path, weights: Path, device: str) -> Clip | Detector:
    """A new model of the same kind, with all parameters trainable; not shared."""
    read = read_detector if is_detector(config) else read_clip
    return read(config, weights, device)


def clip_of(model: Clip | Detector) -> Clip:
    """The model itself if it is a CLIP, else the CLIP of a detector."""
    return model.clip if isinstance(model, Detector) else model


def own_temperature(model: Clip | Detector) -> float:
    """What a model was trained at: in a detector's description, or in the weights of a CLIP.

    Raises:
        SourceError: If the weights hold no usable number.
    """
    if isinstance(model, Detector):
        return model.head.temperature
    return Similarity.of(model).temperature


def own_bias(model: Clip | Detector) -> float | None:
    """What the sigmoid loss adds to a CLIP's logits; None without it, and for a detector.

    Raises:
        SourceError: If the weights hold no usable number.
    """
    return None if isinstance(model, Detector) else Similarity.of(model).logit_bias


def reset_image_tower(clip: Clip, seed: int) -> None:
    """Replace the weights of the image tower by random ones in place, as in a new model."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = Clip(clip.spec)
    clip.network.visual.load_state_dict(fresh.network.visual.state_dict())


def build_detector(
    model: Clip | Detector, head: HeadSpec, embeddings: torch.Tensor, seed: int, dense: str = "auto"
) -> Detector:
    """A detector to train, with the layers of `model` where they fit, else random ones.

    Args:
        model: Its CLIP is shared, not copied; its box layer and background are copied.
        head: Description of the new head.
        embeddings: (K, D).
        seed: Of random weights.
        dense: How regions of a vision transformer are read, see `stages.models.dense_option`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        detector = Detector(clip_of(model).with_dense(dense), head, embeddings)
    if isinstance(model, Detector):
        _copy_layers(detector, model)
    return detector


def detector_for_names(
    model: Clip | Detector,
    names: Sequence[str],
    embeddings: torch.Tensor,
    temperature: float | None = None,
) -> Detector:
    """A detector that chooses from other names, without training; it shares the model's tensors.

    Args:
        model: A teacher or student does not move boxes, and its background is zeros.
        names: K2 of them.
        embeddings: (K2, D).
        temperature: Divides cosine similarity; None for the model's own.

    Raises:
        OptionError: If the detector has deltas for each learned category, and a name is new.
    """
    temperature = own_temperature(model) if temperature is None else temperature
    if not isinstance(model, Detector):
        head = HeadSpec(tuple(names), regression="none", temperature=temperature)
        return Detector(model, head, embeddings).eval()
    head = replace(model.head, categories=tuple(names), temperature=temperature)
    detector = Detector(model.clip, head, embeddings).requires_grad_(False)
    _copy_layers(detector, model)
    if head.regression == "specific":
        _select_deltas(detector, model)
    return detector.eval()


def name_embeddings(
    model: Clip | Detector, names: Sequence[str], config: NameEmbeddingConfig
) -> tuple[tuple[str, ...], torch.Tensor, str]:
    """Names with their embeddings, and the source of these.

    Args:
        model: Its language encoder reads prompts; a detector has embeddings of its own names.
        names: If empty, all names of the table, or all that the detector learned.
        config: Where embeddings come from.

    Returns:
        K names, their embeddings (K, D) on the CPU, and a phrase for people.

    Raises:
        ArtifactError: If there is no name at all, or a name is not in the table.
        SourceError: If the language encoder is needed and the model has none.
    """
    if config.table is not None:
        table = config.table.sort_by("concept_id")
        row_names = table["concept"].to_pylist()
        matrix = torch.from_numpy(as_matrix(table, "embedding").astype(np.float32))
        return _rows_of(names or row_names, row_names, matrix, "imported")
    if isinstance(model, Detector) and set(names) <= set(model.head.categories):
        learned, matrix = model.head.categories, model.embeddings.detach().cpu()
        return _rows_of(names or learned, learned, matrix, "the detector's own")
    if not names:
        raise ArtifactError(
            "there are no names to look for: a teacher or student has no categories of its own; "
            "give names, or embeddings that have them"
        )
    embeddings = embed_names(clip_of(model), names, config.templates, config.averaging, _PROMPTS)
    source = f"{len(config.templates)} templates, averaging {config.averaging}"
    return tuple(names), embeddings, source


def _copy_layers(detector: Detector, model: Detector) -> None:
    """Copy the box layer and a learned background from `model`, if it has them and they fit."""
    old, new = model.bbox_pred, detector.bbox_pred
    if old is not None and new is not None and old.weight.shape == new.weight.shape:
        new.load_state_dict(old.state_dict())
    if detector.head.background == model.head.background == "learned":
        with torch.no_grad():
            detector.background.copy_(model.background)


def _select_deltas(detector: Detector, model: Detector) -> None:
    """Give each name the deltas that `model` learned for it."""
    learned = model.head.categories
    unknown = [name for name in detector.head.categories if name not in learned]
    if unknown:
        raise OptionError(
            f"this detector moves boxes for each category it learned, and {_quoted(unknown)} are "
            f"not among these; to detect others, use a detector of --regression agnostic"
        )
    indices = [learned.index(name) for name in detector.head.categories]

    def selected(layer: nn.Linear) -> dict[str, torch.Tensor]:
        weight = layer.weight.unflatten(0, (-1, 4))[indices].flatten(0, 1)  # type: ignore[no-untyped-call]
        return {"weight": weight, "bias": layer.bias.view(-1, 4)[indices].flatten()}

    if detector.bbox_pred is not None and model.bbox_pred is not None:
        detector.bbox_pred.load_state_dict(selected(model.bbox_pred))


def _rows_of(
    names: Sequence[str], row_names: Sequence[str], matrix: torch.Tensor, source: str
) -> tuple[tuple[str, ...], torch.Tensor, str]:
    rows = {name: row for row, name in enumerate(row_names)}
    if missing := [name for name in names if name not in rows]:
        raise ArtifactError(
            f"{len(missing)} names have no embedding ({_quoted(missing)}); give embeddings that "
            f"have them, or leave --embeddings out so that the language encoder makes them"
        )
    return tuple(names), matrix[[rows[name] for name in names]], source


def _quoted(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(f"'{name}'" for name in names[:_SHOWN]) + more
