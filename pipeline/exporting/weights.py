"""Weights of a model artifact, as files for other programs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.exporting.output_files import draft_file, draft_folder, folder_name, with_suffix
from pipeline.store import catalog
from pipeline.store.tables import models
from schemas.errors import ArtifactError, OptionError
from stages.models.tokenizer_files import NAMES
from stages.models.weights_files import CONFIG, SAFE_FILE, SUFFIXES

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact
    from stages.models.weights_export import ModelFiles

FORMATS: Final = {"open_clip": "", "regionclip": ".pth", "onnx": ".onnx"}  # "": a folder
_VERB: Final = "export-weights"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraModels:
    """Further models in the same file, in RegionCLIP's layout.

    Attributes:
        teacher: Address of a teacher or student; its image tower is written too.
        rpn: Address of a proposal network, which is written too.
    """

    teacher: str | None = None
    rpn: str | None = None


def export_weights(
    root: Path, address: str, out: Path, form: str, extra: ExtraModels, *, force: bool
) -> tuple[Path, str]:
    """Write the weights of an artifact; return the path and a phrase about its content.

    Args:
        root: The store.
        address: A teacher, student or detector, as table, table@prefix or address.
        out: File to write; the suffix of the format is added if it has none. For open_clip, a
            folder.
        form: One of `FORMATS`.
        extra: Further models in the file; for the format regionclip only.
        force: Whether to replace files that exist.

    Raises:
        ArtifactError: If the artifact is not a network of this kind, or lacks its files.
        OptionError: If a file exists, or options exclude each other.
        SourceError: If the network does not fit the format.
    """
    if form != "regionclip" and (extra.teacher or extra.rpn):
        raise OptionError(f"rc {_VERB}: --with-teacher and --with-rpn need --format regionclip")
    model = _network_files(catalog.find(root, address))
    if form == "open_clip":
        target = folder_name(_VERB, out, SUFFIXES)
        return target, _write_open_clip(model, target, force=force)
    target = with_suffix(_VERB, out, FORMATS[form])
    with draft_file(_VERB, target, force=force) as draft:
        if form == "regionclip":
            return target, _write_regionclip(model, draft, root, extra)
        from stages.models.onnx_export import write_onnx

        return target, f"outputs {', '.join(write_onnx(model, draft))}"


def _write_open_clip(model: ModelFiles, folder: Path, *, force: bool) -> str:
    from stages.models.weights_export import write_open_clip

    names = (SAFE_FILE, CONFIG, *NAMES)
    with draft_folder(_VERB, folder, names.__contains__, force=force) as draft:
        write_open_clip(model, draft / SAFE_FILE, draft / CONFIG)
        model.tokenizer().write(draft)
    return f"open_clip.create_model_from_pretrained('local-dir:{folder}')"


def _write_regionclip(model: ModelFiles, draft: Path, root: Path, extra: ExtraModels) -> str:
    from stages.models.weights_export import (
        lost_in_regionclips_layout,
        offline_rpn,
        write_regionclip,
    )

    teacher = _network_files(catalog.find(root, extra.teacher)) if extra.teacher else None
    rpn = offline_rpn(_model_files(catalog.find(root, extra.rpn), ("rpns",))) if extra.rpn else None
    phrase = f"{write_regionclip(model, draft, teacher, rpn)} tensors"
    lost = " and ".join(lost_in_regionclips_layout(model))
    if not lost:
        return phrase
    return (
        f"{phrase}; the file does not hold {lost}: import it with this model's model.json as "
        f"--architecture, or export it with --format open_clip"
    )


def _network_files(artifact: Artifact) -> ModelFiles:
    return _model_files(artifact, models(with_language=True))


def _model_files(artifact: Artifact, tables: tuple[str, ...]) -> ModelFiles:
    from stages.models.weights_export import ModelFiles

    if artifact.manifest.artifact not in tables:
        allowed = ", ".join(f"{table}@…" for table in tables)
        raise ArtifactError(
            f"rc {_VERB}: {artifact.address} is not such a network; give one of {allowed}"
        )
    attached = [artifact.attachments(name) for name in ("model.json", "weights.safetensors")]
    missing = [files for files in attached if len(files) != 1 or not files[0].is_file()]
    if missing:
        raise ArtifactError(
            f"{artifact.address} lacks its weights or their description; recompute it with "
            f"'rc {artifact.manifest.stage.name} --force'"
        )
    (config,), (weights,) = attached
    return ModelFiles(config, weights)
