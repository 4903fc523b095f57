"""`rc doctor` checks the installation and the store; `rc config` shows the options of a stage."""

from __future__ import annotations

import os
import shutil
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.run_options import STORE, NewStore
from pipeline.verbs import VERBS
from schemas.errors import OptionError

_LIBRARIES = {
    "torch": "torch",
    "torchvision": "torchvision.ops",
    "open_clip_torch": "open_clip",
    "spacy": "spacy",
    "pyarrow": "pyarrow",
    "duckdb": "duckdb",
    "faiss-cpu": "faiss",
    "h5py": "h5py",
    "simplejpeg": "simplejpeg",
}


def add_commands(app: typer.Typer) -> None:
    """Add these verbs to the application."""
    app.command("doctor")(doctor)
    app.command("config")(config)


def doctor(store: NewStore = STORE) -> None:
    """Check libraries, devices, disk and the store.

    Two seconds of training in float32 and bfloat16 say which --precision is faster here. Exit code
    1 if anything is wrong.
    """
    bad = 0
    for name, module in _LIBRARIES.items():
        problem = _import_problem(module)
        bad += bool(problem)
        status = "bad" if problem else "ok"
        typer.echo(f"{status:<4} {name} {_version(name, module)} {problem}".rstrip())
    typer.echo(f"ok   device: {_device()}; search: {_search_device()}")
    typer.echo(f"ok   precision: {_precision_advice()}")
    free = shutil.disk_usage(store if store.exists() else ".").free
    typer.echo(f"ok   disk: {free / 1e9:.1f} GB free for {store}")
    bad += _check_store(store)
    if bad:
        raise typer.Exit(1)


def config(
    verb: Annotated[str, typer.Argument(help="a stage, such as label")],
) -> None:
    """Show the options of a stage, and where they come from.

    The value of each, and whether it is a default or from RC_*.
    """
    from pipeline.cli.stage import environment_variable, option_fields

    if verb not in VERBS:
        raise OptionError(f"rc config: '{verb}' is not a stage; the stages are {', '.join(VERBS)}")
    for name, _, default, meta in option_fields(VERBS[verb].load()):
        variable = environment_variable(verb, name)
        value = os.environ.get(variable)
        origin = "default" if value is None else f"environment {variable}"
        decides = "rows" if meta["recipe"] else "speed"
        typer.echo(
            f"{name:<24} {value if value is not None else default!s:<20} {origin}; {decides}"
        )


def _import_problem(module: str) -> str:
    try:
        import_module(module)
    except Exception as error:  # a broken binary may raise anything; we report it
        return f"cannot be imported: {_reason(error)}"
    return ""


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _version(name: str, module: str) -> str:
    """Version of the package, or of the module if another package brings it, as faiss-gpu."""
    try:
        return version(name)
    except PackageNotFoundError:
        return str(getattr(sys.modules.get(module), "__version__", "not installed"))


def _device() -> str:
    try:
        module = import_module("stages.models.device")
        return str(module.resolve("auto"))
    except Exception as error:  # as above: a library that is missing or broken was reported there
        return f"unknown ({_reason(error)})"


def _precision_advice() -> str:
    """What float32 and bfloat16 cost here, and which to train with."""
    try:
        measure = import_module("stages.training.precision_comparison").measure_precisions
        return str(measure().sentence())
    except OptionError as error:  # the device has no bfloat16, and the sentence says so
        return str(error)
    except Exception as error:
        return f"unknown ({_reason(error)})"


def _search_device() -> str:
    """Where FAISS searches: cuda needs a FAISS build with CUDA and a device."""
    try:
        return str(import_module("pipeline.store.index").best_device())
    except Exception as error:
        return f"unknown ({_reason(error)})"


def _check_store(store: Path) -> int:
    from pipeline.store import catalog

    folders = catalog.committed(store)
    bad = [why for path in folders if (why := catalog.damage(path))]
    for why in bad:
        typer.echo(f"bad  {why}")
    unfinished = sum(why == "unfinished" for why in catalog.sweepable(store).values())
    typer.echo(f"ok   store: {len(folders) - len(bad)} artifacts, {unfinished} unfinished")
    return len(bad)
