"""A stage runs as a command line asks, also as one of several ranks; what it made is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from pipeline.cli.progress_bar import TerminalReporter
from pipeline.cli.run_options import RunOptions, check_budget
from stages.base import Stage
from stages.option import with_presets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.execution.planning import Plan
    from pipeline.store.artifact import Artifact


def execute(
    cls: type[Stage], values: dict[str, Any], pinned: Mapping[str, str | None], run: RunOptions
) -> Artifact | None:
    """Run one stage as the command line asks; print its one line.

    None after a dry run, unless the artifact is already there; and on another rank than the first,
    which says what there is to say. `values` are the options given: a preset among them fills in
    others, defaults the rest.
    """
    from pipeline.execution import inputs, named_artifacts, planning, rank_session, runner
    from pipeline.store.artifact import open_artifact

    stage = cls(**with_presets(cls, {name: _as_tuple(value) for name, value in values.items()}))
    terminal = TerminalReporter(quiet=run.quiet)
    cluster = run.cluster()

    def planned(stage: Stage) -> Plan:
        chosen = inputs.resolve(stage, pinned, run.store)
        return planning.plan(stage, chosen, run.store, allow_empty=run.allow_empty)

    def made(stage: Stage) -> Artifact:
        chosen = inputs.resolve(stage, pinned, run.store)
        for line in named_artifacts.taken_unasked(stage, pinned, chosen, run.store):
            terminal.say(line)
        return runner.materialize(
            stage,
            chosen,
            run.store,
            workers=run.workers,
            cluster=cluster,
            force=run.force,
            allow_empty=run.allow_empty,
            reporter=terminal,
        )

    follows = rank_session.follows(stage)
    if run.dry_run and not follows:
        plan = planned(rank_session.with_ranks(stage))
        typer.echo(plan.forecast())
        return open_artifact(plan.folder) if plan.finished else None
    former = named_artifacts.holder(stage, run.store)
    artifact = None if run.dry_run else rank_session.together(stage, planned, made)
    if artifact is None or follows:
        return None
    _tell(artifact, run, terminal)
    if former and former.address != artifact.address:
        name = named_artifacts.name_of(stage)
        terminal.say(f"{name} was {former.address} before; that stays, and has no name now")
    return artifact


def _tell(artifact: Artifact, run: RunOptions, terminal: TerminalReporter) -> None:
    """Print what was made: one line of it to standard output, all else to standard error."""
    manifest = artifact.manifest
    first, *more = manifest.notes["summary"]
    if run.json:
        summary = {"address": artifact.address, "rows": manifest.rows, "dropped": manifest.dropped}
        typer.echo(json.dumps({**summary, "notes": manifest.notes}))
    else:
        typer.echo(f"{artifact.address}  {first}")
    for picture in sorted(artifact.path.glob("*.png")):
        terminal.say(f"picture: {picture}")
    for line in more:
        terminal.say(line)
    for warning in manifest.notes.get("warnings", ()):
        typer.echo(f"warning: {warning}", err=True)
    for reason, count in manifest.dropped.items():
        terminal.say(f"{count} refused: {reason} (rc sql 'FROM quarantine')")
    if manifest.dropped and manifest.stage.name == "ingest":
        again = f"--retry quarantine@{manifest.fingerprint[:12]}"
        terminal.say(f"when they are mended: the same command with {again} tries them again")
    _say_limits(artifact, terminal)
    check_budget(artifact, run.max_errors)


def _say_limits(artifact: Artifact, terminal: TerminalReporter) -> None:
    """Name what was made from a part of the data: it may be the newest and taken unasked."""
    from pipeline.store import catalog

    for made in catalog.ancestry(artifact):
        if limit := made.manifest.stage.options.get("limit"):
            terminal.say(f"{made.address} was made with --limit {limit}: a part of the data")


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
