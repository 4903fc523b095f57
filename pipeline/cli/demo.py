"""`rc draw`: pictures of the drawn demo world, in the formats `rc ingest` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import OptionError


def add_commands(app: typer.Typer) -> None:
    """Put this verb on the application."""
    app.command("draw")(draw)


def draw(
    kind: Annotated[str, typer.Argument(help="web (WebDataset tars) or scenes (a COCO folder)")],
    out: Annotated[Path, typer.Argument(help="folder to write to")],
    count: Annotated[int, typer.Option("--count", min=1, help="pictures to draw")] = 100,
    seed: Annotated[int, typer.Option("--seed", help="any other seed draws other pictures")] = 0,
    split: Annotated[str, typer.Option("--split", help="name of the scenes' split")] = "scenes",
) -> None:
    """Draw pictures of the demo world: web pictures with captions, or scenes with boxes too."""
    from stages.drawn.write import write_scenes, write_web

    if kind == "web":
        write_web(out, count, seed)
    elif kind == "scenes":
        write_scenes(out, split, count, seed)
    else:
        raise OptionError(f"rc draw: kind must be web or scenes, got {kind!r}")
    typer.echo(f"{out}  {count} pictures")
