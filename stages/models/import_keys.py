"""Keys of tensors on import: from the names in published files to ours (open_clip's).

One file can hold several networks: RegionCLIP's have the student (`backbone.`), the language
encoder (`lang_encoder.`), the teacher (`teacher_backbone.`), a proposal network (`offline_`) and
the heads of a detector (`roi_heads.`). The tensors of one CLIP get one set of names and are loaded
once; every key of the file is reported as used or unused.

Source: github.com/microsoft/RegionCLIP, names of the modules in `clip_rcnn.py`, `fast_rcnn.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from schemas.errors import SourceError
from stages.models.mobileclip_keys import APPLES_VISUAL, from_mobileclip, is_mobileclip
from stages.models.weights import SCALARS, State, first_names, length

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VISUAL: Final = "visual."  # prefix of the image tower in open_clip
_TEXT_PREFIX: Final = "text."  # of a language encoder that is a module of its own in open_clip
_DECODER: Final = "text_decoder."  # of CoCa, which writes captions
_LANGUAGE: Final = "lang_encoder."
_IMAGE_PREFIXES: Final = {
    "teacher": ("teacher_backbone.", "backbone.", VISUAL),
    "student": ("backbone.", VISUAL),
    "detector": ("backbone.",),
}
_TEXT_ROOTS: Final = (
    *("token_embedding.", "positional_embedding", "transformer.", "ln_final.", "text_projection"),
    _TEXT_PREFIX,
)
# prefixes that only RegionCLIP's files have
_REGIONCLIP: Final = ("teacher_backbone.", "teacher_lang_encoder.", _LANGUAGE)
_CONSTANTS: Final = ("attn_mask", "position_ids")  # in older files; the network has its own
_UNSUPPORTED: Final = {
    "backbone.bottom_up.": "a detector with a feature pyramid, whose CLIP is pooled from several "
    "maps; of RegionCLIP's detectors, only the C4 ones can be imported",
    "backbone.body.": "a torchvision detector; import its proposal network with --as rpn",
    "clip.visual.": "a detector of this toolkit; use it without import",
    "vision_model.": "a CLIP with the names of transformers; convert it to open_clip's names",
}


@dataclass(frozen=True)
class MappedClip:
    """The tensors of one CLIP with open_clip's names, and their names in the file.

    Attributes:
        state: Floating-point tensors are float32; each name has at most one source.
        sources: Name in the file for each name of `state`; added constants have none.
        layout: "RegionCLIP", "OpenAI", "open_clip", or "MobileCLIP" as Apple names its tensors.
        visual: Prefix of the image tower in the file.
        language: Whether the language encoder is among them.
    """

    state: State
    sources: Mapping[str, str]
    layout: str
    visual: str
    language: bool

    def unused(self, names: Iterable[str]) -> list[str]:
        """The `names` of the file that were not used, sorted."""
        return sorted(set(names) - set(self.sources.values()))


def map_clip(raw: Mapping[str, torch.Tensor], kind: str, source: str) -> MappedClip:
    """The CLIP in a file: image tower, and language encoder if it fits the tower.

    Args:
        raw: All tensors of the file.
        kind: "teacher" takes `teacher_backbone.` where there is one; "student" and "detector"
            take `backbone.`; teacher and student also take `visual.` of OpenAI's and open_clip's,
            and what Apple's MobileCLIPs have.
        source: Name of the file in error messages.

    Raises:
        SourceError: If there is no such image tower.
    """
    if kind != "detector" and is_mobileclip(raw):
        return _map_mobileclip(raw, source)
    visual = _visual_prefix(raw, kind, source)
    layout = _layout(raw, visual)
    names = {name: VISUAL + name.removeprefix(visual) for name in raw if name.startswith(visual)}
    names |= _language_names(raw)
    if not _has_one_space(raw, names):
        names = {old: new for old, new in names.items() if new.startswith(VISUAL)}
    names = {old: new for old, new in names.items() if not new.endswith(_CONSTANTS)}
    _require_one_each(names, source)
    state = {new: _in_float32(raw[old]) for old, new in names.items()}
    if "logit_scale" in raw:
        names["logit_scale"] = "logit_scale"
        state["logit_scale"] = _single_number(raw, "logit_scale", source)
    elif layout == "RegionCLIP":  # it always divides by 0.01, not by what CLIP has learned
        state["logit_scale"] = torch.tensor(math.log(100))
    if "logit_bias" in raw:
        names["logit_bias"] = "logit_bias"
        state["logit_bias"] = _single_number(raw, "logit_bias", source)
    return MappedClip(
        state,
        {new: old for old, new in names.items()},
        layout,
        visual,
        language=any(new.startswith(_TEXT_ROOTS) for new in names.values()),
    )


def _map_mobileclip(raw: Mapping[str, torch.Tensor], source: str) -> MappedClip:
    converted, sources = from_mobileclip(raw, source)
    state = {name: _in_float32(value) for name, value in converted.items()}
    state["logit_scale"] = _single_number(state, "logit_scale", source)
    language = any(name.startswith(_TEXT_PREFIX) for name in state)
    return MappedClip(state, sources, "MobileCLIP", APPLES_VISUAL, language)


def with_text_prefix(state: Mapping[str, torch.Tensor]) -> State:
    """The same tensors with the names of a configuration with `custom_text`.

    Raises:
        SourceError: If one is there under both names.
    """
    names = {
        name: _TEXT_PREFIX + name
        if name.startswith(_TEXT_ROOTS) and not name.startswith(_TEXT_PREFIX)
        else name
        for name in state
    }
    _require_one_each(names, "the file")
    return {new: state[old] for old, new in names.items()}


def language_tensors(state: Mapping[str, torch.Tensor]) -> State:
    """Only the tensors of the language encoder, with CLIP's names."""
    return {
        name.removeprefix(_TEXT_PREFIX): value
        for name, value in state.items()
        if name.startswith(_TEXT_ROOTS)
    }


def _visual_prefix(raw: Mapping[str, torch.Tensor], kind: str, source: str) -> str:
    for prefix, description in _UNSUPPORTED.items():
        if any(name.startswith(prefix) for name in raw):
            raise SourceError(f"{source} holds {description}")
    for prefix in _IMAGE_PREFIXES[kind]:
        if any(name.startswith(prefix) for name in raw):
            return prefix
    raise SourceError(
        f"{source} holds no image tower for a {kind}: no name begins with "
        f"{' or '.join(_IMAGE_PREFIXES[kind])}; the names are {first_names(sorted(raw))}"
    )


def _language_names(raw: Mapping[str, torch.Tensor]) -> dict[str, str]:
    """Our name of each tensor of the language encoder, by its name in the file."""
    names = {n: n.removeprefix(_LANGUAGE) for n in raw if n.startswith(_LANGUAGE)}
    if not names:
        names = {name: name for name in raw if name.startswith((*_TEXT_ROOTS, _DECODER))}
    return {old: new for old, new in names.items() if new != "logit_scale"}


def _has_one_space(raw: Mapping[str, torch.Tensor], names: Mapping[str, str]) -> bool:
    """Whether tower and encoder embed into one space: a teacher may have another width."""
    sources = {new: old for old, new in names.items()}
    text = sources.get("text_projection")
    image = sources.get("visual.attnpool.c_proj.weight")
    if text is None or image is None or raw[text].ndim != 2:
        return True
    return raw[text].shape[1] == length(raw[image], 0)


def _layout(raw: Mapping[str, torch.Tensor], visual: str) -> str:
    if visual != VISUAL or any(name.startswith(_REGIONCLIP) for name in raw):
        return "RegionCLIP"
    return "OpenAI" if any(name in raw for name in SCALARS) else "open_clip"


def _in_float32(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.is_floating_point() else value


def _single_number(raw: Mapping[str, torch.Tensor], name: str, source: str) -> torch.Tensor:
    """A tensor of one number, which some files have in a list; a float32 scalar."""
    value = raw.get(name)
    if value is None:
        raise SourceError(f"{source} has no {name}: it is not complete, or no CLIP's")
    if value.numel() != 1 or not value.is_floating_point():
        dtype = str(value.dtype).removeprefix("torch.")
        raise SourceError(
            f"{name} of {source} is {dtype} {tuple(value.shape)}, not one floating-point number: "
            f"the file is damaged, or no CLIP's"
        )
    return value.float().reshape(())


def _require_one_each(names: Mapping[str, str], source: str) -> None:
    """Pass if no two tensors of a file are the same tensor of the network; old names to new."""
    sources: dict[str, str] = {}
    for old, new in names.items():
        other = sources.setdefault(new, old)
        if other != old:
            raise SourceError(
                f"{source} holds {new} twice, as {first_names([other])} and {first_names([old])}; "
                f"which one is right cannot be seen, so leave one out"
            )
