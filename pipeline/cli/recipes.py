"""`rc run`: a chain of stages from a recipe; what is done is skipped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.shared import STORE, Run, Store
from schemas.errors import OptionError, SourceError

if TYPE_CHECKING:
    from pipeline.recipe import Step

RECIPES = Path(__file__).parents[1] / "recipes"


def add_commands(app: typer.Typer) -> None:
    """Put this verb on the application."""
    app.command("run")(run)


def run(
    recipe: Annotated[str, typer.Argument(help="a TOML file, or the name of one that we ship")],
    store: Store = STORE,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="name=value for {name} in the recipe")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="processes, a part each")] = 1,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="say what the first unfinished step would do")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress")] = False,
) -> None:
    """Run the stages of a recipe in order; finished ones are skipped."""
    how = Run(store=store, workers=workers, dry_run=dry_run, quiet=quiet)
    run_recipe(recipe_path(recipe), _settings(settings or []), how)


def recipe_path(name: str) -> Path:
    """The file of a recipe: as given, or among those shipped.

    Raises:
        SourceError: If there is none.
    """
    for path in (Path(name), RECIPES / name, RECIPES / f"{name}.toml"):
        if path.is_file():
            return path
    shipped = ", ".join(sorted(path.stem for path in RECIPES.glob("*.toml")))
    raise SourceError(f"no recipe '{name}': give a TOML file, or one of {shipped}")


def run_recipe(path: Path, settings: dict[str, Any], how: Run) -> dict[str, str]:
    """Run every step; the address of each step's artifact, by the step's name."""
    from pipeline import recipe

    addresses: dict[str, str] = {}
    for step in recipe.load(path, settings):
        if not how.quiet:
            typer.echo(f"== {step.label}", err=True)
        address = _run_step(step, addresses, how)
        if address is None:
            typer.echo("later steps depend on this one; a dry run ends here", err=True)
            break
        addresses[step.label] = address
    return addresses


def _run_step(step: Step, addresses: dict[str, str], how: Run) -> str | None:
    from pipeline.cli.stage import execute
    from pipeline.verbs import VERBS

    stage = VERBS[step.verb].load()
    pinned = {role: _address(step, name, addresses) for role, name in step.inputs.items()}
    artifact = execute(stage, step.options, pinned, replace(how))
    return artifact.address if artifact else None


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
