"""Options that every verb takes in addition to its own."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from schemas.errors import OptionError

if TYPE_CHECKING:
    from pipeline.execution.engines import RayCluster
    from pipeline.store.artifact import Artifact

PANEL = "Running"


def existing(store: Path) -> Path:
    """A store that a command only reads; what is not there has no answer, not an empty one."""
    from pipeline.store.missing import nothing_in
    from schemas.errors import ArtifactNotFoundError

    if not store.is_dir():
        raise ArtifactNotFoundError(nothing_in(store))
    return store


_STORE: dict[str, Any] = {"envvar": "RC_STORE", "help": "folder of artifacts"}
Store = Annotated[Path, typer.Option("--store", callback=existing, **_STORE)]
NewStore = Annotated[Path, typer.Option("--store", **_STORE)]  # one that may not be there yet
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="show no progress")]
STORE = Path("store")


@dataclass(frozen=True)
class RunOptions:
    """How to run a stage: where, how fast and with which output; never which rows."""

    store: Path = STORE
    workers: int = 1
    engine: Literal["local", "ray"] = "local"
    ray_address: str = ""
    cpus_per_worker: int = 1
    gpus_per_worker: float = 0.0
    dry_run: bool = False
    force: bool = False
    allow_empty: bool = False
    max_errors: float | None = None
    json: bool = False
    quiet: bool = False
    debug: bool = False

    @classmethod
    def take_from(cls, values: dict[str, Any]) -> RunOptions:
        """Take these options out of the values of a command line that has some of them."""
        return cls(**{f.name: values.pop(f.name) for f in fields(cls) if f.name in values})

    def cluster(self) -> RayCluster | None:
        """Where Ray runs the workers; None for this machine.

        Raises:
            OptionError: If an option of Ray is given without `--engine ray`, or has no such value.
        """
        from pipeline.execution.engines import RayCluster

        of_ray = (self.ray_address, self.cpus_per_worker, self.gpus_per_worker)
        if self.engine == "local":
            if of_ray != ("", 1, 0):
                raise OptionError(
                    "--ray-address, --cpus-per-worker and --gpus-per-worker need --engine ray"
                )
            return None
        address, cpus, gpus = of_ray
        return RayCluster(address=address, cpus_per_worker=cpus, gpus_per_worker=gpus)


_DECLARED: dict[str, tuple[Any, Any]] = {
    "store": (Path, typer.Option("--store", **_STORE)),
    "workers": (
        int,
        typer.Option(
            "--workers", envvar="RC_WORKERS", min=1, help="processes; each works on one part"
        ),
    ),
    "engine": (
        Literal["local", "ray"],
        typer.Option(
            "--engine",
            envvar="RC_ENGINE",
            help="who runs the workers: this machine, or Ray on the nodes of a cluster",
        ),
    ),
    "ray_address": (
        str,
        typer.Option(
            "--ray-address",
            metavar="auto|HOST:PORT",
            help="the cluster of --engine ray; default: start Ray here",
            show_default=False,
        ),
    ),
    "cpus_per_worker": (
        int,
        typer.Option("--cpus-per-worker", min=1, help="cores of each worker of --engine ray"),
    ),
    "gpus_per_worker": (
        float,
        typer.Option(
            "--gpus-per-worker",
            min=0,
            help="devices of each worker of --engine ray; a fraction shares one",
        ),
    ),
    "dry_run": (bool, typer.Option("--dry-run", help="print what would run; change nothing")),
    "force": (bool, typer.Option("--force", help="compute again even if finished")),
    "allow_empty": (
        bool,
        typer.Option("--allow-empty", help="accept inputs without rows, and an empty result"),
    ),
    "max_errors": (
        float | None,
        typer.Option(
            "--max-errors",
            min=0,
            help="exit code 3 if more records are refused: a number, or a fraction < 1",
        ),
    ),
    "json": (bool, typer.Option("--json", help="print the result as JSON")),
    "quiet": (bool, typer.Option("--quiet", "-q", help="show no progress")),
    "debug": (bool, typer.Option("--debug", help="show the traceback of an error")),
}
for _, _shown in _DECLARED.values():
    _shown.rich_help_panel = PANEL
RUN_OPTIONS = [
    inspect.Parameter(
        f.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=f.default,
        annotation=Annotated[_DECLARED[f.name][0], _DECLARED[f.name][1]],
    )
    for f in fields(RunOptions)
]
OF_PARTS = ("engine", "ray_address", "cpus_per_worker", "gpus_per_worker")  # none for one task


# The same of `rc run`, where a recipe may say them too.
Workers = Annotated[int | None, _DECLARED["workers"][1]]
EngineName = Annotated[Literal["local", "ray"] | None, _DECLARED["engine"][1]]
RayAddress = Annotated[str | None, _DECLARED["ray_address"][1]]
CpusPerWorker = Annotated[int | None, _DECLARED["cpus_per_worker"][1]]
GpusPerWorker = Annotated[float | None, _DECLARED["gpus_per_worker"][1]]


def check_budget(artifact: Artifact, budget: float | None) -> None:
    """Exit with code 3 if a finished stage refused more records than `budget` allows."""
    if budget is None:
        return
    dropped = sum(artifact.manifest.dropped.values())
    total = dropped + artifact.manifest.rows
    if dropped > (budget * total if budget < 1 else budget):
        typer.secho(
            f"done, but {dropped} of {total} records were refused, more than --max-errors "
            f"{budget:g} allows; see them with rc sql 'FROM quarantine'",
            err=True,
        )
        raise typer.Exit(3)


def check_losses(artifact: Artifact) -> None:
    """Exit with code 3 if a finished stage lost most of a kind of thing."""
    if losses := artifact.manifest.notes.get("losses"):
        typer.secho(f"finished, but look at this: {'; '.join(losses)}", err=True)
        raise typer.Exit(3)
