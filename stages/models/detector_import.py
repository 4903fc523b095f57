"""Detectors out of RegionCLIP's fine-tuned files: the student, and the head beside it.

Shapes: K categories, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch

from schemas.errors import SourceError
from stages.models.clip_import import take_clip
from stages.models.detector import Detector, Head
from stages.models.embeddings_import import read_names, require_as_many
from stages.models.weights import load_state, read_tensors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stages.models.key_report import KeyReport

BOX: Final = "roi_heads.box_predictor."
_LEARNED: Final = BOX + "cls_score.weight"
_ASKED: Final = BOX + "test_cls_score.weight"  # the vocabulary to be tested with
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
    """The detector of a fine-tuned file, in evaluation mode, and what became of each tensor.

    Args:
        path: Weights with `backbone.*` and `roi_heads.box_predictor.*`.
        categories: File of K names, one a line, in the order of the rows of `cls_score`, or, if
            only that has as many, of `test_cls_score`. A last line "background" is left out.
        architecture: As in `clip_import.take_clip`.
        temperature: Divides cosine similarity; no file says it.
        untrained: As in `clip_import.take_clip`.

    Raises:
        SourceError: If there is no such head, names and embeddings disagree in number, or tensors
            are missing, of another shape or not finite.
    """
    raw = read_tensors(path)
    if _LEARNED not in raw:
        raise SourceError(
            f"{path.name} has no {_LEARNED}, so it is no fine-tuned detector; import it with "
            f"--as student, and finetune it or evaluate it as it is"
        )
    names = _names(raw, categories)
    source = _embeddings_name(raw, len(names))
    require_as_many(names, len(raw[source]), categories, f"{source} of {path.name}")
    clip, report = take_clip(raw, path.name, "detector", architecture, untrained=untrained)
    head = Head(
        categories=tuple(names),
        regression=_regression(raw, len(names), path.name),
        background=_background(raw),
        temperature=temperature,
    )
    detector = Detector(clip, head)
    layers = {"embeddings": raw[source].float()}
    layers["background"] = _flat(raw.get(_BACKGROUND), clip.width)
    used = [source, *([_BACKGROUND] if _BACKGROUND in raw else [])]
    if head.num_deltas:
        layers |= {name.removeprefix(BOX): raw[name].float() for name in _DELTAS}
        used += _DELTAS
    load_state(detector.layers, layers, path.name)
    return detector.eval(), report.also_used(used)


def _names(raw: Mapping[str, torch.Tensor], categories: Path) -> list[str]:
    names = read_names(categories)
    named_too = names[-1].lower() in ("background", "__background__")
    if named_too and len(names) - 1 in {len(raw[n]) for n in (_LEARNED, _ASKED) if n in raw}:
        return names[:-1]
    return names


def _embeddings_name(raw: Mapping[str, torch.Tensor], count: int) -> str:
    if len(raw[_LEARNED]) != count and _ASKED in raw and len(raw[_ASKED]) == count:
        return _ASKED
    return _LEARNED


def _regression(raw: Mapping[str, torch.Tensor], count: int, source: str) -> str:
    if _DELTAS[0] not in raw:
        return "none"
    rows = len(raw[_DELTAS[0]])
    if rows == 4:
        return "agnostic"
    if rows == 4 * count:
        return "specific"
    raise SourceError(
        f"{_DELTAS[0]} of {source} has {rows} rows: neither 4, nor 4 for each of {count} "
        f"categories; a box layer for each category goes with the names it was trained on"
    )


def _background(raw: Mapping[str, torch.Tensor]) -> str:
    value = raw.get(_BACKGROUND)
    return "learned" if value is not None and bool((value != 0).any()) else "zero"


def _flat(background: torch.Tensor | None, width: int) -> torch.Tensor:
    return torch.zeros(width) if background is None else background.float().flatten()
