"""`rc draw`: pictures of the drawn demo world, in the formats `rc ingest` reads."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared import Run
from schemas.errors import OptionError

if TYPE_CHECKING:
    from pipeline.demo import Score


def add_commands(app: typer.Typer) -> None:
    """Put this verb on the application."""
    app.command("demo")(demo)
    app.command("draw")(draw)


def demo(
    out: Annotated[Path, typer.Option("--out", help="folder for scenes, store, pictures")] = Path(
        "demo"
    ),
    scenes: Annotated[int, typer.Option("--scenes", min=10, help="scenes to learn from")] = 800,
    holdout: Annotated[int, typer.Option("--holdout", min=10, help="scenes to test on")] = 200,
    seed: Annotated[int, typer.Option("--seed", min=0, help="another seed, other scenes")] = 0,
    workers: Annotated[int, typer.Option("--workers", min=1, help="processes")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress")] = False,
) -> None:
    """Run the whole pipeline on drawn scenes with the bundled teacher; print what was learned."""
    from pipeline import demo as world
    from pipeline.cli.recipes import recipe_path, run_recipe

    started = time.monotonic()
    settings = world.render_demo_scenes(out, scenes, holdout, seed)
    store = out / "store"
    how = Run(store=store, workers=workers, quiet=quiet)
    addresses = run_recipe(recipe_path("demo"), settings, how)
    evaluated = {name: at for name, at in addresses.items() if at.startswith("metrics/")}
    labels = next(at for at in addresses.values() if at.startswith("pseudo_labels/"))
    found = world.scores(store, evaluated)
    ends = [(score.name, score.address) for score in (_teacher(found), found[-1])]
    pictures = [
        world.save_pseudo_label_sheet(store, labels, out / "pictures"),
        world.save_comparison_sheet(store, ends, out / "pictures"),
    ]
    typer.echo(_table(found, holdout))
    for picture in pictures:
        typer.echo(f"picture: {picture}")
    typer.echo(f"look further: rc sql --store {store} 'FROM artifacts'")
    typer.echo(f"{time.monotonic() - started:.0f} seconds", err=True)


def _teacher(found: list[Score]) -> Score:
    return next((score for score in found if score.name == "teacher"), found[0])


def _table(found: list[Score], holdout: int) -> str:
    """Accuracies as text, one model a line."""
    lines = [
        f"Zero-shot recognition in the ground-truth boxes of {holdout} held-out scenes, per cent",
        f"{'':<40} {'top-1':>6} {'top-5':>6} {'base':>6} {'novel':>6}",
    ]
    for score in found:
        numbers = (score.top1, score.top5, score.base, score.novel)
        shown = " ".join("     -" if n is None else f"{100 * n:6.1f}" for n in numbers)
        lines.append(f"{score.name:<40} {shown}")
    return "\n".join(lines)


def draw(
    kind: Annotated[str, typer.Argument(help="web (WebDataset tars) or scenes (a COCO folder)")],
    out: Annotated[Path, typer.Argument(help="folder to write to")],
    count: Annotated[int, typer.Option("--count", min=1, help="pictures to draw")] = 100,
    seed: Annotated[int, typer.Option("--seed", help="any other seed draws other pictures")] = 0,
    split: Annotated[str, typer.Option("--split", help="name of the scenes' split")] = "scenes",
) -> None:
    """Draw pictures of the demo world: web pictures with captions, or scenes with boxes too."""
    from stages.synthetic.dataset_writers import write_scenes, write_web_images

    if kind == "web":
        write_web_images(out, count, seed)
    elif kind == "scenes":
        write_scenes(out, split, count, seed)
    else:
        raise OptionError(f"rc draw: kind must be web or scenes, got {kind!r}")
    typer.echo(f"{out}  {count} pictures")
