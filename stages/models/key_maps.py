"""Names of tensors, from those of published files to ours (open_clip's), each accounted for.

One file holds several networks: RegionCLIP's have the student (`backbone.`), the language encoder
(`lang_encoder.`), the teacher (`teacher_backbone.`), a proposal network (`offline_`) and the heads
of a detector (`roi_heads.`). What is wanted is taken out under one set of names, then loaded once.

Source: github.com/microsoft/RegionCLIP, names of the modules in `clip_rcnn.py`, `fast_rcnn.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from schemas.errors import SourceError
from stages.models.weights import SCALARS, State, some

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VISUAL: Final = "visual."  # in front of the names of an image tower in open_clip
_OWN_TEXT: Final = "text."  # of a language encoder in those of its models that hold it apart
_LANGUAGE: Final = "lang_encoder."
_IMAGE: Final = {
    "teacher": ("teacher_backbone.", "backbone.", VISUAL),
    "student": ("backbone.", VISUAL),
    "detector": ("backbone.",),
}
_TEXT_ROOTS: Final = (
    *("token_embedding.", "positional_embedding", "transformer.", "ln_final.", "text_projection"),
    _OWN_TEXT,
)
_OTHERS: Final = ("teacher_backbone.", "teacher_lang_encoder.", _LANGUAGE)  # RegionCLIP's alone
_REBUILT: Final = ("attn_mask", "position_ids")  # constants that older files carry along
_STRANGERS: Final = {
    "backbone.bottom_up.": "a detector with a feature pyramid, whose CLIP is pooled from several "
    "maps; only RegionCLIP's C4 detectors have a counterpart here",
    "backbone.body.": "a torchvision detector; import its proposal network with --as rpn",
    "clip.visual.": "a detector of ours; it is used as it is, with no import",
    "vision_model.": "a CLIP under the names of transformers; convert it to open_clip's names",
}


@dataclass(frozen=True)
class Mapped:
    """The tensors of one CLIP under open_clip's names, and where they were.

    Attributes:
        state: Floating tensors in float32. Never holds two sources of one name.
        sources: Name in the file of each of `state`; those made up have none.
        layout: "RegionCLIP", "OpenAI" or "open_clip".
        visual: Prefix of the image tower in the file.
        language: Whether the language encoder is among them.
    """

    state: State
    sources: Mapping[str, str]
    layout: str
    visual: str
    language: bool

    def unused(self, names: Iterable[str]) -> list[str]:
        """Those of the file's `names` that were not taken, sorted."""
        return sorted(set(names) - set(self.sources.values()))


def map_clip(raw: Mapping[str, torch.Tensor], kind: str, source: str) -> Mapped:
    """The CLIP of a file: image tower, and language encoder if it fits the tower.

    Args:
        raw: All tensors of the file.
        kind: "teacher" takes `teacher_backbone.` where there is one; "student" and "detector"
            take `backbone.`; all but the latter take `visual.` of OpenAI's and open_clip's files.
        source: What to call the file in complaints.

    Raises:
        SourceError: If there is no such image tower.
    """
    visual = _visual_prefix(raw, kind, source)
    names = {name: VISUAL + name.removeprefix(visual) for name in raw if name.startswith(visual)}
    names |= _language_names(raw)
    if not _fits(raw, names):
        names = {old: new for old, new in names.items() if new.startswith(VISUAL)}
    names = {old: new for old, new in names.items() if not new.endswith(_REBUILT)}
    state = {new: _exact(raw[old]) for old, new in names.items()}
    if "logit_scale" in raw:
        names["logit_scale"] = "logit_scale"
        state["logit_scale"] = _exact(raw["logit_scale"]).reshape(())
    else:  # RegionCLIP divides by 0.01, whatever CLIP had learned
        state["logit_scale"] = torch.tensor(math.log(100))
    return Mapped(
        state,
        {new: old for old, new in names.items()},
        _layout(raw, visual),
        visual,
        language=any(new.startswith(_TEXT_ROOTS) for new in names.values()),
    )


def under_own_text(state: Mapping[str, torch.Tensor]) -> State:
    """The same tensors, named for a configuration with `custom_text`."""
    return {
        _OWN_TEXT + name
        if name.startswith(_TEXT_ROOTS) and not name.startswith(_OWN_TEXT)
        else name: value
        for name, value in state.items()
    }


def language_part(state: Mapping[str, torch.Tensor]) -> State:
    """The tensors of the language encoder alone, named as in CLIP."""
    return {
        name.removeprefix(_OWN_TEXT): value
        for name, value in state.items()
        if name.startswith(_TEXT_ROOTS)
    }


def _visual_prefix(raw: Mapping[str, torch.Tensor], kind: str, source: str) -> str:
    for prefix, what in _STRANGERS.items():
        if any(name.startswith(prefix) for name in raw):
            raise SourceError(f"{source} holds {what}")
    for prefix in _IMAGE[kind]:
        if any(name.startswith(prefix) for name in raw):
            return prefix
    raise SourceError(
        f"{source} holds no image tower for a {kind}: no name begins with "
        f"{' or '.join(_IMAGE[kind])}; there are {some(sorted(raw))}"
    )


def _language_names(raw: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Name with us of each tensor of the language encoder."""
    found = {n: n.removeprefix(_LANGUAGE) for n in raw if n.startswith(_LANGUAGE)}
    if not found:
        found = {name: name for name in raw if name.startswith(_TEXT_ROOTS)}
    return {old: new for old, new in found.items() if new != "logit_scale"}


def _fits(raw: Mapping[str, torch.Tensor], names: Mapping[str, str]) -> bool:
    """Whether tower and encoder embed into one space: a teacher may be of another width."""
    places = {new: old for old, new in names.items()}
    text = places.get("text_projection")
    image = places.get("visual.attnpool.c_proj.weight")
    if text is None or image is None or raw[text].ndim != 2:
        return True
    return raw[text].shape[1] == raw[image].shape[0]


def _layout(raw: Mapping[str, torch.Tensor], visual: str) -> str:
    if visual != VISUAL or any(name.startswith(_OTHERS) for name in raw):
        return "RegionCLIP"
    return "OpenAI" if any(name in raw for name in SCALARS) else "open_clip"


def _exact(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.is_floating_point() else value
