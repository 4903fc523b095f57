"""Weights of a model artifact, written for another program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.exporting.target import drafts, with_suffix
from pipeline.store import catalog
from schemas.errors import ArtifactError, OptionError

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact
    from stages.models.weights_export import ModelFiles

FORMATS: Final = {"open_clip": ".safetensors", "regionclip": ".pth", "onnx": ".onnx"}
_VERB: Final = "export-weights"
_NETWORKS: Final = ("teachers", "students", "detectors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What goes into the same file as a model, in RegionCLIP's layout.

    Attributes:
        teacher: Address of a teacher or student; its image tower is written along.
        rpn: Address of a proposal network.
    """

    teacher: str | None = None
    rpn: str | None = None


def export_weights(
    root: Path, address: str, out: Path, form: str, beside: Beside, *, force: bool
) -> tuple[Path, str]:
    """Write the weights of an artifact; where, and one phrase on what is there.

    Args:
        root: The store.
        address: A teacher, student or detector, as table, table@prefix or address.
        out: File to make; the suffix of the format is added if it has none.
        form: One of `FORMATS`.
        beside: What else goes into it; for the format regionclip only.
        force: Whether to replace files that exist.

    Raises:
        ArtifactError: If the artifact is no network of this kind, or lacks its files.
        OptionError: If a file exists, or options do not go together.
        SourceError: If the network does not fit the format.
    """
    if form != "regionclip" and (beside.teacher or beside.rpn):
        raise OptionError(f"rc {_VERB}: --with-teacher and --with-rpn need --format regionclip")
    target = with_suffix(_VERB, out, FORMATS[form])
    model = _model(catalog.find(root, address))
    if form == "open_clip":
        return target, _open_clip(model, target, force=force)
    with drafts(_VERB, [target], force=force) as (draft,):
        if form == "regionclip":
            return target, _regionclip(model, draft, root, beside)
        from stages.models.onnx_export import write_onnx

        return target, f"outputs {', '.join(write_onnx(model, draft))}"


def _open_clip(model: ModelFiles, target: Path, *, force: bool) -> str:
    from stages.models.weights_export import write_open_clip

    config = target.with_suffix(".json")
    with drafts(_VERB, [target, config], force=force) as (weights, description):
        name = write_open_clip(model, weights, description)
    if name is None:
        return f"open_clip.add_model_config('{config}'), then its model '{config.stem}'"
    return f"open_clip's model '{name}'"


def _regionclip(model: ModelFiles, draft: Path, root: Path, beside: Beside) -> str:
    from stages.models.weights_export import offline_rpn, write_regionclip

    teacher = _model(catalog.find(root, beside.teacher)) if beside.teacher else None
    rpn = offline_rpn(_files(catalog.find(root, beside.rpn), ("rpns",))) if beside.rpn else None
    return f"{write_regionclip(model, draft, teacher, rpn)} tensors"


def _model(artifact: Artifact) -> ModelFiles:
    return _files(artifact, _NETWORKS)


def _files(artifact: Artifact, tables: tuple[str, ...]) -> ModelFiles:
    from stages.models.weights_export import ModelFiles

    if artifact.manifest.artifact not in tables:
        allowed = ", ".join(f"{table}@…" for table in tables)
        raise ArtifactError(
            f"rc {_VERB}: {artifact.address} holds no such network; give one of {allowed}"
        )
    found = [artifact.attachments(name) for name in ("model.json", "weights.safetensors")]
    missing = [files for files in found if len(files) != 1 or not files[0].is_file()]
    if missing:
        raise ArtifactError(
            f"{artifact.address} lacks its weights or their description; recompute it with "
            f"'rc {artifact.manifest.stage.name} --force'"
        )
    (config,), (weights,) = found
    return ModelFiles(config, weights)
