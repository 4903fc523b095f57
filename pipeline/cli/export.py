"""Verbs that hand on what the store holds, in the formats of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.shared import STORE, Store
from schemas.errors import OptionError

_Out = Annotated[Path, typer.Argument(help="file to make; its suffix may be left out")]
_Force = Annotated[bool, typer.Option("--force", help="replace files that exist")]


def add_commands(app: typer.Typer) -> None:
    """Put these verbs on the application."""
    app.command("export")(export)
    app.command("export-weights")(export_weights)
    app.command("export-features")(export_features)
    app.command("export-detections")(export_detections)


def export(  # noqa: PLR0913 - one a flag
    form: Annotated[
        str,
        typer.Argument(help="coco, lvis, yolo, webdataset, parquet or fiftyone", metavar="FORMAT"),
    ],
    out: Annotated[Path, typer.Argument(help="folder to make")],
    store: Store = STORE,
    labels: Annotated[
        str | None, typer.Option("--pseudo-labels", help="pseudo_labels@…; default: the newest")
    ] = None,
    where: Annotated[
        str, typer.Option("--where", help="SQL predicate over pseudo_labels")
    ] = "kept",
    categories: Annotated[
        Path | None,
        typer.Option(
            "--categories",
            help="names in their order: one a line, a JSON list, or coco-80, coco-65, coco-48, "
            "coco-17; default: the pool",
        ),
    ] = None,
    images: Annotated[
        str, typer.Option("--images", help="link, copy or none: the pixels beside the labels")
    ] = "link",
) -> None:
    """Write pseudo-labels as training data for other programs: COCO, LVIS, YOLO, WebDataset, ...

    Ids are those of the store's order, whatever is left out; scores are kept; files get names of
    their own, and carry the image_id where the format has room.
    """
    from pipeline.exporting import labels as formats
    from pipeline.exporting.labelled import ExportRequest
    from stages.evaluation.vocabulary import quoted_names, read_categories

    if form not in formats.FORMATS:
        known = ", ".join(formats.FORMATS)
        raise OptionError(f"rc export: FORMAT must be one of {known}, got {form!r}")
    if images not in formats.IMAGES:
        known = ", ".join(formats.IMAGES)
        raise OptionError(f"rc export: --images must be one of {known}, got {images!r}")
    names = tuple(read_categories(categories)) if categories else None
    made = formats.export_labels(store, out, form, ExportRequest(labels, where, names), images)
    if names and made.strangers:
        told = quoted_names(made.strangers)
        typer.echo(f"warning: the concept pool has no {told}, so no label is called so", err=True)
    typer.echo(f"{out}  {made.images} images, {made.labels} labels")


def export_weights(  # noqa: PLR0913 - one a flag
    address: Annotated[str, typer.Argument(help="teachers@…, students@… or detectors@…")],
    out: _Out,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="open_clip (.safetensors), regionclip (.pth, the reference's names), or onnx "
            "(pixels and boxes to features, or to a detector's probabilities and boxes)",
        ),
    ] = "open_clip",
    with_teacher: Annotated[
        str | None,
        typer.Option("--with-teacher", help="write its image tower along, as teacher_backbone.*"),
    ] = None,
    with_rpn: Annotated[
        str | None, typer.Option("--with-rpn", help="write rpns@… along, as offline_*")
    ] = None,
    force: _Force = False,
    store: Store = STORE,
) -> None:
    """Write a model's weights for another program: open_clip, RegionCLIP, or ONNX runtimes."""
    from pipeline.exporting import weights

    _one_of("export-weights", form, weights.FORMATS)
    beside = weights.Beside(teacher=with_teacher, rpn=with_rpn)
    path, told = weights.export_weights(store, address, out, form, beside, force=force)
    typer.echo(f"{path}  {told}")


def export_features(
    address: Annotated[str, typer.Argument(help="features@…, or features for the newest")],
    out: _Out,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="npy (an array, and a .parquet of keys), h5 (features, boxes, offsets, image_id) "
            "or parquet",
        ),
    ] = "npy",
    where: Annotated[
        str | None,
        typer.Option(
            "--where",
            help="SQL predicate over image_id, region, x0, y0, x1, y1, objectness, width, height, "
            "split, feature",
        ),
    ] = None,
    force: _Force = False,
    store: Store = STORE,
) -> None:
    """Write region features with their boxes, float32 and not normalised: NumPy, HDF5, Parquet."""
    from pipeline.exporting import features

    _one_of("export-features", form, features.FORMATS)
    path, count = features.export_features(store, address, out, form, where, force=force)
    typer.echo(f"{path}  {count} rows")


def _one_of(verb: str, form: str, known: dict[str, str]) -> None:
    if form not in known:
        raise OptionError(f"rc {verb}: --format must be one of {', '.join(known)}, got {form!r}")


def export_detections(
    address: Annotated[str, typer.Argument(help="detections@…, or detections for the newest")],
    out: Annotated[Path, typer.Argument(help="COCO JSON to make; .json may be left out")],
    pictures: Annotated[
        int, typer.Option("--pictures", min=0, help="draw the first N images with detections")
    ] = 0,
    min_score: Annotated[
        float, typer.Option("--min-score", help="leave out what is less sure")
    ] = 0.0,
    force: Annotated[bool, typer.Option("--force", help="replace the file if it exists")] = False,
    store: Store = STORE,
) -> None:
    """Write detections as COCO JSON, and pictures with their boxes to a folder beside it."""
    from pipeline.exporting import detections

    path, count = detections.export_coco(store, address, out, min_score, force=force)
    typer.echo(f"{path}  {count} detections")
    if pictures:
        folder = path.with_suffix("")
        drawn = detections.export_pictures(store, address, folder, pictures, min_score)
        typer.echo(f"{folder}  {len(drawn)} pictures")
