"""`rc run`: a chain of stages from a recipe; what is done is skipped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.shared import STORE, Run, Store
from schemas.errors import OptionError, SourceError

if TYPE_CHECKING:
    from pipeline.recipes.recipe import Recipe, Step

RECIPES = Path(__file__).parents[1] / "recipes"


def add_commands(app: typer.Typer) -> None:
    """Put this verb on the application."""
    app.command("run")(run)


def run(  # noqa: PLR0913  # each is a flag
    recipe: Annotated[str, typer.Argument(help="a TOML file, or the name of one that we ship")],
    store: Store = STORE,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="name=value for {name} in the recipe")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="with the smaller numbers of the recipe's [quick]")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", help="only this step or table, and what it needs; repeatable"),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", help="file for the recipe's tables; default: as it says"),
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="processes, a part each")] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what the first unfinished step would do")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress")] = False,
) -> None:
    """Run the stages of a recipe in order, finished ones are skipped; write its tables."""
    from pipeline.recipes.recipe import load

    how = Run(store=store, workers=workers, dry_run=dry_run, quiet=quiet)
    asked = load(recipe_path(recipe), _settings(settings or []), quick=quick)
    if only:
        asked = asked.only(only)
    addresses = run_steps(asked, how)
    if asked.tables and len(addresses) == len(asked.steps) and not dry_run:
        words = [f"--set {words}" for words in settings or []] + ["--quick"] * quick
        command = " ".join(["rc run", recipe, *words, *(f"--only '{name}'" for name in only or [])])
        _report(asked, addresses, report or asked.report, command, store)


def recipe_path(name: str) -> Path:
    """The file of a recipe: as given, or among those shipped.

    Raises:
        SourceError: If there is none.
    """
    shipped = (RECIPES / name, RECIPES / f"{name}.toml", RECIPES.parent / name)
    for path in (Path(name), *shipped):
        if path.is_file():
            return path
    known = sorted(str(p.relative_to(RECIPES).with_suffix("")) for p in RECIPES.rglob("*.toml"))
    raise SourceError(f"no recipe '{name}': give a TOML file, or one of {', '.join(known)}")


def run_recipe(path: Path, settings: dict[str, Any], how: Run) -> dict[str, str]:
    """Run every step; the address of each step's artifact, by the step's name."""
    from pipeline.recipes import recipe

    return run_steps(recipe.load(path, settings), how)


def run_steps(recipe: Recipe, how: Run) -> dict[str, str]:
    """Draw what the recipe draws, run every step; the artifacts' addresses by label."""
    if not how.dry_run:
        _draw(recipe, how)
    addresses: dict[str, str] = {}
    for step in recipe.steps:
        if not how.quiet:
            typer.echo(f"== {step.label}", err=True)
        address = _run_step(step, addresses, how)
        if address is None:
            typer.echo("later steps depend on this one; a dry run ends here", err=True)
            break
        addresses[step.label] = address
    return addresses


def _draw(recipe: Recipe, how: Run) -> None:
    from pipeline.recipes.synthetic_data import write_synthetic_data

    for drawing in recipe.synthetic_data:
        if write_synthetic_data(drawing) and not how.quiet:
            typer.echo(f"== drew {drawing.count} {drawing.kind} into {drawing.folder}", err=True)


def _run_step(step: Step, addresses: dict[str, str], how: Run) -> str | None:
    from pipeline.cli.stage import execute
    from pipeline.verbs import VERBS

    stage = VERBS[step.verb].load()
    pinned = {role: _address(step, name, addresses) for role, name in step.inputs.items()}
    artifact = execute(stage, step.options, pinned, replace(how))
    return artifact.address if artifact else None


def _report(
    recipe: Recipe, addresses: dict[str, str], file: Path | None, command: str, store: Path
) -> None:
    """Write the tables into a file with pictures beside it, or print them if there is none."""
    from pipeline.recipes import results_page

    measured = results_page.measure_tables(recipe, addresses, store)
    pictures = {}
    if file:
        from pipeline.recipes.results_plot import save_picture

        folder = file.parent / "pictures"
        folder.mkdir(parents=True, exist_ok=True)
        for one in measured:
            name = f"{file.stem}_{one.table.name.replace('-', '_')}.png"
            save_picture(one, folder / name)
            pictures[one.table.name] = f"pictures/{name}"
    seconds = results_page.seconds_by_verb(addresses, store)
    told = results_page.RunInfo(command, addresses, seconds, pictures)
    text = results_page.page(measured, recipe, told)
    if file:
        file.write_text(text)
        typer.echo(f"tables: {file}", err=True)
    else:
        typer.echo(text)


def _address(step: Step, name: str, addresses: dict[str, str]) -> str:
    if not name.startswith("@"):
        return name
    if name[1:] not in addresses:
        raise SourceError(f"step '{step.label}': no earlier step is called '{name[1:]}'")
    return addresses[name[1:]]


def _settings(words: list[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    for word, (_, equals, _) in zip(words, pairs, strict=True):
        if not equals:
            raise OptionError(f"rc run: --set takes name=value, got '{word}'")
    return {name: value for name, _, value in pairs}
