"""`rc export-detections`: what was found, as COCO JSON and as pictures with boxes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.shared import STORE, Store


def add_commands(app: typer.Typer) -> None:
    """Put this verb on the application."""
    app.command("export-detections")(export_detections)


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
