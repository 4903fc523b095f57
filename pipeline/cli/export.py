"""Verbs that export artifacts in the formats of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.run_options import STORE, Quiet, Store
from schemas.errors import OptionError

_Out = Annotated[
    Path, typer.Argument(help="file or folder to write; the suffix of a file may be left out")
]
_Force = Annotated[bool, typer.Option("--force", help="replace files that exist")]


def add_commands(app: typer.Typer) -> None:
    """Add these verbs to the application."""
    app.command("export")(export)
    app.command("export-weights")(export_weights)
    app.command("export-features")(export_features)
    app.command("export-detections")(export_detections)


def export(  # noqa: PLR0913  # each is an option
    form: Annotated[
        str,
        typer.Argument(
            help="coco, lvis, yolo, webdataset, parquet, fiftyone, label-studio or cvat",
            metavar="FORMAT",
        ),
    ],
    out: Annotated[Path, typer.Argument(help="folder to write")],
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
            help="names in their order: a file with one per line, a JSON list, or coco-80, "
            "coco-65, coco-48, coco-17; default: the concept pool",
        ),
    ] = None,
    images: Annotated[
        str, typer.Option("--images", help="how to write the pixels: link, copy or none")
    ] = "link",
    quiet: Quiet = False,
) -> None:
    """Write pseudo-labels as COCO, LVIS, YOLO, WebDataset, ...

    As training data for other programs, or for people who mend them.

    Ids follow the order of the store and do not depend on what is left out. Scores are kept. Files
    get new names; the image_id is written where the format has a field for it.
    """
    from pipeline.cli.progress_bar import TerminalReporter
    from pipeline.exporting import labels as formats
    from pipeline.exporting.labelled_images import ExportRequest
    from stages.evaluation.vocabulary import read_categories
    from stages.sources.name_checks import quoted_names

    if form not in formats.FORMATS:
        known = ", ".join(formats.FORMATS)
        raise OptionError(f"rc export: FORMAT must be one of {known}, got {form!r}")
    if images not in formats.IMAGE_MODES:
        known = ", ".join(formats.IMAGE_MODES)
        raise OptionError(f"rc export: --images must be one of {known}, got {images!r}")
    names = tuple(read_categories(categories)) if categories else None
    request, terminal = ExportRequest(labels, where, names), TerminalReporter(quiet=quiet)
    summary = formats.export_labels(store, out, form, request, images, terminal)
    if names and summary.unknown_categories:
        missing = quoted_names(summary.unknown_categories)
        typer.echo(f"warning: not in the concept pool, so without labels: {missing}", err=True)
    typer.echo(f"{out}  {summary.images} images, {summary.labels} labels")


def export_weights(  # noqa: PLR0913  # each is an option
    address: Annotated[str, typer.Argument(help="teachers@…, students@… or detectors@…")],
    out: _Out,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="open_clip (a folder), regionclip (.pth, with the names of the reference), or "
            "onnx (pixels and boxes to features, or to a detector's probabilities and boxes)",
        ),
    ] = "open_clip",
    with_teacher: Annotated[
        str | None,
        typer.Option("--with-teacher", help="also write its image tower, as teacher_backbone.*"),
    ] = None,
    with_rpn: Annotated[
        str | None, typer.Option("--with-rpn", help="also write rpns@…, as offline_*")
    ] = None,
    force: _Force = False,
    store: Store = STORE,
) -> None:
    """Write a model's weights for another program.

    For open_clip, RegionCLIP, or ONNX runtimes.
    """
    from pipeline.exporting import weights

    _check_format("export-weights", form, weights.FORMATS)
    extra = weights.ExtraModels(teacher=with_teacher, rpn=with_rpn)
    path, description = weights.export_weights(store, address, out, form, extra, force=force)
    typer.echo(f"{path}  {description}")


def export_features(
    address: Annotated[str, typer.Argument(help="features@…, or features for the newest")],
    out: _Out,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="npy (a folder of an array, and of keys as .parquet), h5 (features, boxes, "
            "offsets, image_id) or parquet",
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
    """Write region features as NumPy, HDF5 or Parquet.

    With their boxes, float32 and not normalised.
    """
    from pipeline.exporting import features

    _check_format("export-features", form, features.FORMATS)
    path, count = features.export_features(store, address, out, form, where, force=force)
    typer.echo(f"{path}  {count} rows")


def _check_format(verb: str, form: str, known: dict[str, str]) -> None:
    if form not in known:
        raise OptionError(f"rc {verb}: --format must be one of {', '.join(known)}, got {form!r}")


def export_detections(
    address: Annotated[str, typer.Argument(help="detections@…, or detections for the newest")],
    out: Annotated[Path, typer.Argument(help="COCO JSON to write; .json may be left out")],
    pictures: Annotated[
        int,
        typer.Option(
            "--pictures", min=0, help="also write pictures of the first N images with detections"
        ),
    ] = 0,
    min_score: Annotated[
        float, typer.Option("--min-score", help="leave out detections with a lower score")
    ] = 0.0,
    force: Annotated[bool, typer.Option("--force", help="replace the file if it exists")] = False,
    store: Store = STORE,
) -> None:
    """Write detections as COCO JSON, and pictures of them.

    The pictures, with their boxes, go to a folder next to the JSON.
    """
    from pipeline.exporting import detections

    path, count = detections.export_coco(store, address, out, min_score, pictures, force=force)
    typer.echo(f"{path}  {count} detections")
    if pictures:
        folder = path.with_suffix("")
        typer.echo(f"{folder}  {len(list(folder.iterdir()))} pictures")
