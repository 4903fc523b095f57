"""`rc run`: the stages of a recipe in order; finished stages are skipped."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.run_options import (
    STORE,
    CpusPerWorker,
    EngineName,
    GpusPerWorker,
    NewStore,
    RayAddress,
    RunOptions,
    Workers,
)
from schemas.errors import OptionError, SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.recipes.recipe import Recipe, Step

RECIPES = Path(__file__).parents[1] / "recipes"
_HOW = ("workers", "engine", "ray_address", "cpus_per_worker", "gpus_per_worker")


def add_commands(app: typer.Typer) -> None:
    """Add this verb to the application."""
    app.command("run")(run)


def run(  # noqa: PLR0913  # each is an option
    recipe: Annotated[str, typer.Argument(help="a TOML file, or the name of a bundled recipe")],
    store: NewStore = STORE,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="name=value, the value of {name} in the recipe"),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="use the smaller values of [quick] in the recipe")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", help="only this step, table or row, and what it needs; can be repeated"
        ),
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(
            "--rounds", min=1, help="so often the student becomes the teacher; see [rounds]"
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report", help="file for the tables of the recipe; default: as the recipe says"
        ),
    ] = None,
    workers: Workers = None,
    engine: EngineName = None,
    ray_address: RayAddress = None,
    cpus_per_worker: CpusPerWorker = None,
    gpus_per_worker: GpusPerWorker = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print what the first unfinished step would do")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="show no progress")] = False,
) -> None:
    """Run the stages of a recipe, without finished ones.

    In their order; then the tables of the recipe are written.
    """
    from pipeline.recipes.recipe import load

    loaded = load(recipe_path(recipe), _settings(settings or []), quick=quick, rounds=rounds)
    given = (workers, engine, ray_address, cpus_per_worker, gpus_per_worker)
    how = _how(loaded.running, dict(zip(_HOW, given, strict=True)))
    run_options = RunOptions(**how, store=store, dry_run=dry_run, quiet=quiet)
    run_options.cluster()  # whatever is wrong with it is wrong before the first step
    if only:
        loaded = loaded.only(only)
    addresses = run_steps(loaded, run_options)
    loaded = loaded.finished(addresses)
    if loaded.tables and not dry_run:
        words = [f"--set {words}" for words in settings or []] + ["--quick"] * quick
        words += [] if rounds is None else [f"--rounds {rounds}"]
        command = " ".join(
            ["rc run", recipe, *words, *(f"--only {quote(name)}" for name in only or [])]
        )
        _write_tables(loaded, addresses, report or loaded.report, command, store)


def _how(running: Mapping[str, Any], flags: Mapping[str, Any]) -> dict[str, Any]:
    """Options of a recipe's workers: as given (not None), else as its `[running]` says."""
    given = {name: value for name, value in flags.items() if value is not None}
    how = {**running, **given}
    if how.get("engine") == "ray":
        return how
    return {name: v for name, v in how.items() if name in given or name in ("engine", "workers")}


def recipe_path(name: str) -> Path:
    """The file of a recipe: a path, or the name of a bundled recipe.

    Raises:
        SourceError: If there is no such file.
    """
    bundled = (RECIPES / name, RECIPES / f"{name}.toml", RECIPES.parent / name)
    for path in (Path(name), *bundled):
        if path.is_file():
            return path
    known = sorted(str(p.relative_to(RECIPES).with_suffix("")) for p in RECIPES.rglob("*.toml"))
    raise SourceError(f"no recipe '{name}': give a TOML file, or one of {', '.join(known)}")


def run_recipe(path: Path, settings: dict[str, Any], run_options: RunOptions) -> dict[str, str]:
    """Run every step; return the address of each step's artifact by the step's name."""
    from pipeline.recipes import recipe

    return run_steps(recipe.load(path, settings), run_options)


def run_steps(recipe: Recipe, run_options: RunOptions) -> dict[str, str]:
    """Make the synthetic data of a recipe and run its steps; return the addresses by label.

    They lack the steps after the first that a dry run finds unfinished, and those of the rounds
    after one that is worse than the round before.
    """
    from pipeline.cli.rounds import RoundHistory
    from pipeline.execution.rank_session import refuse_recipe

    refuse_recipe()
    if run_options.dry_run and _says_what_is_to_be_drawn(recipe):
        return {}
    _make_synthetic_data(recipe, run_options)
    addresses: dict[str, str] = {}
    history = RoundHistory(recipe, run_options.store)
    for number in sorted({step.round for step in recipe.steps}):
        for step in recipe.of_round(number):
            if not run_options.quiet:
                typer.echo(f"== {step.label}", err=True)
            address = _run_step(step, addresses, run_options)
            if address is None:
                typer.echo("later steps depend on this one, so the dry run ends here", err=True)
                return addresses
            addresses[step.label] = address
        if not run_options.dry_run and not history.add(number, addresses):
            break
    return addresses


def _says_what_is_to_be_drawn(recipe: Recipe) -> bool:
    """Whether images of a recipe are not there yet; a dry run draws none, so it ends with them."""
    missing = [data for data in recipe.synthetic_data if not data.folder.exists()]
    for drawing in missing:
        typer.echo(f"would draw {drawing.count} {drawing.kind} into {drawing.folder}")
    if missing:
        typer.echo("the steps depend on these images, so the dry run ends here", err=True)
    return bool(missing)


def _make_synthetic_data(recipe: Recipe, run_options: RunOptions) -> None:
    from pipeline.recipes.synthetic_data import write_synthetic_data

    for drawing in recipe.synthetic_data:
        if write_synthetic_data(drawing) and not run_options.quiet:
            typer.echo(f"== drew {drawing.count} {drawing.kind} into {drawing.folder}", err=True)


def _run_step(step: Step, addresses: dict[str, str], run_options: RunOptions) -> str | None:
    from pipeline.cli.stage_running import execute
    from pipeline.verbs import VERBS

    stage = VERBS[step.verb].load()
    pinned = {role: _address(step, name, addresses) for role, name in step.inputs.items()}
    artifact = execute(stage, step.options, pinned, replace(run_options))
    return artifact.address if artifact else None


def _write_tables(
    recipe: Recipe, addresses: dict[str, str], file: Path | None, command: str, store: Path
) -> None:
    """Write the tables to a file, with pictures in a folder next to it; or print them."""
    from pipeline.recipes import results_page
    from pipeline.store.atomic import make_folder, sweep_drafts, whole_or_absent

    measured = results_page.measure_tables(recipe, addresses, store)
    pictures = {}
    if file:
        from pipeline.recipes.results_plot import save_picture

        folder = file.parent / "pictures"
        make_folder(folder)
        sweep_drafts(folder)
        for table in measured:
            name = f"{file.stem}_{table.table.name.replace('-', '_')}.png"
            with whole_or_absent(folder / name) as draft:
                save_picture(table, draft)
            pictures[table.table.name] = f"pictures/{name}"
    spent = results_page.seconds_by_verb(addresses, store)
    info = results_page.RunInfo(command, addresses, spent, pictures)
    text = results_page.page(measured, recipe, info)
    if file:
        sweep_drafts(file.parent, file.name)
        with whole_or_absent(file) as draft:
            draft.write_text(text)
        typer.echo(f"tables: {file}", err=True)
    else:
        typer.echo(text)


def _address(step: Step, name: str, addresses: dict[str, str]) -> str:
    if not name.startswith("@"):
        return name
    if name[1:] not in addresses:
        raise SourceError(f"step '{step.label}': no earlier step has the name '{name[1:]}'")
    return addresses[name[1:]]


def _settings(words: list[str]) -> dict[str, str]:
    pairs = [word.partition("=") for word in words]
    for word, (_, equals, _) in zip(words, pairs, strict=True):
        if not equals:
            raise OptionError(f"rc run: --set takes name=value, got '{word}'")
    return {name: value for name, _, value in pairs}
