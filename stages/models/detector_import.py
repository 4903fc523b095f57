"""Import detectors from RegionCLIP's fine-tuned files: the student and the head.

Shapes: K categories, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from schemas.errors import SourceError
from stages.models.clip_import import extract_clip
from stages.models.detector import Detector, HeadSpec
from stages.models.embeddings_import import read_names, require_as_many
from stages.models.tokenizer_source import TokenizerPlaces
from stages.models.weights import length, load_state, read_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stages.models.key_report import KeyReport

BOX: Final = "roi_heads.box_predictor."
_TRAIN_EMBEDDINGS: Final = BOX + "cls_score.weight"
_TEST_EMBEDDINGS: Final = BOX + "test_cls_score.weight"  # of the vocabulary for tests
_BACKGROUND: Final = BOX + "cls_bg_score.weight"
_DELTAS: Final = (BOX + "bbox_pred.weight", BOX + "bbox_pred.bias")


def import_detector(
    path: Path,
    categories: Path,
    architecture: str | None = None,
    *,
    temperature: float = 0.01,
    untrained: bool = False,
) -> tuple[Detector, KeyReport]:
    """The detector of a fine-tuned file, in evaluation mode, and how each tensor was used.

    Args:
        path: Weights with `backbone.*` and `roi_heads.box_predictor.*`.
        categories: File of K names, one a line, in the order of the rows of `cls_score`; or of
            `test_cls_score`, if only that has K rows. A last line "background" is dropped.
        architecture: As in `clip_import.extract_clip`.
        temperature: Divides cosine similarity; files do not contain it.
        untrained: As in `clip_import.extract_clip`.

    Raises:
        SourceError: If the head is missing, the numbers of names and embeddings differ, or tensors
            are missing, of another shape or not finite.
    """
    raw = read_tensors(path)
    if _TRAIN_EMBEDDINGS not in raw:
        raise SourceError(
            f"{path.name} has no {_TRAIN_EMBEDDINGS}, so it is not a fine-tuned detector; import "
            f"it with --as student, then finetune or evaluate it"
        )
    names = _category_names(raw, categories)
    source = _embeddings_key(raw, len(names))
    require_as_many(names, length(raw[source], 0), categories, f"{source} of {path.name}")
    places = TokenizerPlaces.of(None, path, architecture)
    clip, report = extract_clip(
        raw, path, "detector", architecture, untrained=untrained, places=places
    )
    head = HeadSpec(
        categories=tuple(names),
        regression=_regression_kind(raw, len(names), path.name),
        background=_background_kind(raw),
        temperature=temperature,
    )
    detector = Detector(clip, head)
    layers = {"embeddings": raw[source]}
    layers["background"] = _background_vector(raw.get(_BACKGROUND), clip.width)
    used = [source, *([_BACKGROUND] if _BACKGROUND in raw else [])]
    if head.num_deltas:
        layers |= {name.removeprefix(BOX): raw[name] for name in _DELTAS}
        used += _DELTAS
    load_state(detector.layers, layers, path.name)
    return detector.eval(), report.also_used(used)


def _category_names(raw: Mapping[str, torch.Tensor], categories: Path) -> list[str]:
    names = read_names(categories)
    names_background = names[-1].lower() in ("background", "__background__")
    if names_background and len(names) - 1 in {
        length(raw[n], 0) for n in (_TRAIN_EMBEDDINGS, _TEST_EMBEDDINGS) if n in raw
    }:
        return names[:-1]
    return names


def _embeddings_key(raw: Mapping[str, torch.Tensor], count: int) -> str:
    if (
        length(raw[_TRAIN_EMBEDDINGS], 0) != count
        and _TEST_EMBEDDINGS in raw
        and length(raw[_TEST_EMBEDDINGS], 0) == count
    ):
        return _TEST_EMBEDDINGS
    return _TRAIN_EMBEDDINGS


def _regression_kind(raw: Mapping[str, torch.Tensor], count: int, source: str) -> str:
    if _DELTAS[0] not in raw:
        return "none"
    rows = length(raw[_DELTAS[0]], 0)
    if rows == 4:
        return "agnostic"
    if rows == 4 * count:
        return "specific"
    raise SourceError(
        f"{_DELTAS[0]} of {source} has {rows} rows: neither 4, nor 4 for each of {count} "
        f"categories; a box layer with rows for each category needs the names it was trained on"
    )


def _background_kind(raw: Mapping[str, torch.Tensor]) -> str:
    value = raw.get(_BACKGROUND)
    return "learned" if value is not None and bool((value != 0).any()) else "zero"


def _background_vector(background: torch.Tensor | None, width: int) -> torch.Tensor:
    return torch.zeros(width) if background is None else background.flatten()
