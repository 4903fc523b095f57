"""`rc demo` runs the pipeline on synthetic scenes; `rc draw` writes synthetic pictures."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.run_options import RunOptions
from schemas.errors import OptionError

if TYPE_CHECKING:
    from pipeline.demo import Score


def add_commands(app: typer.Typer) -> None:
    """Add these verbs to the application."""
    app.command("demo")(demo)
    app.command("draw")(draw)


def demo(
    out: Annotated[
        Path, typer.Option("--out", help="folder for scenes, store and pictures")
    ] = Path("demo"),
    scenes: Annotated[int, typer.Option("--scenes", min=10, help="training scenes")] = 800,
    holdout: Annotated[int, typer.Option("--holdout", min=10, help="test scenes")] = 200,
    seed: Annotated[int, typer.Option("--seed", min=0, help="another seed makes other scenes")] = 0,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="processes; each works on one part")
    ] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress")] = False,
) -> None:
    """Run the whole pipeline on synthetic scenes.

    With the bundled teacher; prints the accuracies at the end.
    """
    from pipeline import demo as world
    from pipeline import demo_pictures
    from pipeline.cli.recipes import run_recipe

    started = time.monotonic()
    settings = world.render_demo_scenes(out, scenes, holdout, seed)
    store = out / "store"
    run = RunOptions(store=store, workers=workers, quiet=quiet)
    addresses = run_recipe(world.RECIPE, settings, run)
    evaluations = {name: a for name, a in addresses.items() if a.startswith("metrics/")}
    labels = addresses["labels"]
    scores = world.scores(store, evaluations)
    teacher, student = world.teacher_score(scores), scores[-1]
    sides = (teacher.name, teacher.address), (student.name, student.address)
    pictures = [
        demo_pictures.save_pseudo_label_sheet(store, labels, out / "pictures"),
        demo_pictures.save_comparison_sheet(store, *sides, out / "pictures"),
    ]
    typer.echo(_accuracy_table(scores, holdout))
    for picture in filter(None, pictures):
        typer.echo(f"picture: {picture}")
    typer.echo(f"\n{world.gain(scores, scenes)}\n")
    place = shlex.quote(str(store))
    typer.echo(f"look at it in a browser: {_this_command()} view --store {place}")
    typer.echo(f"ask with SQL: {_this_command()} sql --store {place}")
    typer.echo(f"{time.monotonic() - started:.0f} seconds", err=True)


def _this_command() -> str:
    """How to call this program again: by its path, unless the shell finds it as `rc`.

    Other programs are called rc too, so the one that the shell finds must be this one.
    """
    program, first = Path(sys.argv[0]), shutil.which("rc")
    same = first is not None and Path(first).resolve() == program.resolve()
    return "rc" if same or program.stem != "rc" else shlex.quote(str(program))


def _accuracy_table(scores: list[Score], holdout: int) -> str:
    """Accuracies as text, one line per model."""
    lines = [
        f"Zero-shot recognition in the ground-truth boxes of {holdout} held-out scenes, per cent",
        f"{'':<40} {'top-1':>6} {'top-5':>6} {'base':>6} {'novel':>6}",
    ]
    for score in scores:
        numbers = (score.top1, score.top5, score.base, score.novel)
        cells = " ".join("     -" if n is None else f"{100 * n:6.1f}" for n in numbers)
        lines.append(f"{score.name:<40} {cells}")
    return "\n".join(lines)


def draw(
    kind: Annotated[
        str,
        typer.Argument(
            help="web (WebDataset tars), or a COCO folder: scenes, or pictures of one object each"
        ),
    ],
    out: Annotated[Path, typer.Argument(help="folder to write to")],
    count: Annotated[int, typer.Option("--count", min=1, help="number of pictures")] = 100,
    seed: Annotated[int, typer.Option("--seed", help="another seed makes other pictures")] = 0,
    split: Annotated[
        str, typer.Option("--split", help="name of the split of the COCO folder")
    ] = "scenes",
) -> None:
    """Write synthetic pictures with captions, or boxes too."""
    from pipeline.store.atomic import flush_folder, flush_tree, make_folder
    from stages.synthetic.dataset_writers import write_pictures, write_scenes, write_web_images

    make_folder(out.parent)
    if kind == "web":
        write_web_images(out, count, seed)
    elif kind in ("scenes", "pictures"):
        write = write_scenes if kind == "scenes" else write_pictures
        write(out, split, count, seed)
    else:
        raise OptionError(f"rc draw: kind must be web, scenes or pictures, got {kind!r}")
    flush_tree(out)
    flush_folder(out.parent)
    typer.echo(f"{out}  {count} pictures")
