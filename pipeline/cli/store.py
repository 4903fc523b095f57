"""Verbs about the store itself: status, lineage, verify, gc."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.run_options import STORE, Quiet, Store

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact


def add_commands(app: typer.Typer) -> None:
    """Put these verbs on the application."""
    for verb in (status, lineage, verify, gc):
        app.command(verb.__name__)(verb)


def status(
    store: Store = STORE,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> None:
    """List what is in the store, with unfinished runs.

    Artifacts with rows, sizes and times, the newest last.
    """
    from pipeline.store import catalog
    from pipeline.store.missing import nothing_in

    artifacts = catalog.everything(store)
    for artifact in artifacts:
        typer.echo(json.dumps(_facts(artifact)) if as_json else _line(artifact))
    unfinished = [p for p, why in catalog.sweepable(store).items() if why == "unfinished"]
    for path in unfinished:
        typer.echo(f"{path.parent.name}/{path.name}  {_unfinished(path)}", err=True)
    if not artifacts and not unfinished:
        typer.echo(nothing_in(store), err=True)


def lineage(
    artifact: Annotated[str, typer.Argument(help="table, table@prefix or address")],
    store: Store = STORE,
) -> None:
    """Show what an artifact was made from, and how.

    Its inputs with their options, back to the sources.
    """
    from pipeline.cli.row_formats import cell_text
    from pipeline.store import catalog

    shown: set[str] = set()

    def show(current: Artifact, role: str, depth: int) -> None:
        options = {k: v for k, v in current.manifest.stage.options.items() if v is not None}
        again = current.address in shown
        rest = " (see above)" if again else f"  {json.dumps(options, ensure_ascii=False)}"
        typer.echo(f"{'  ' * depth}{role + ': ' if role else ''}{current.address}{rest}")
        shown.add(current.address)
        if not again:
            for name, paths in current.manifest.run.get("origins", {}).items():
                for path in paths:
                    typer.echo(f"{'  ' * (depth + 1)}{name}: {cell_text(path)}")
            for name, parent in catalog.parents(current).items():
                show(parent, name, depth + 1)

    show(catalog.find(store, artifact), "", 0)


def verify(
    artifact: Annotated[str | None, typer.Argument(help="one artifact; default: all")] = None,
    store: Store = STORE,
) -> None:
    """Hash every file again, and name those that differ.

    From what their manifests say.
    """
    from pipeline.store import catalog
    from schemas.errors import ArtifactError

    chosen = [catalog.find(store, artifact).path] if artifact else catalog.committed(store)
    broken = [name for path in chosen for name in _broken(path)]
    if broken:
        raise ArtifactError(
            f"{len(broken)} files differ from their manifests or are missing: "
            f"{', '.join(broken)}. Recompute their artifacts with --force."
        )
    typer.echo(f"{len(chosen)} artifacts verified: every hash holds")


def gc(
    store: Store = STORE,
    yes: Annotated[bool, typer.Option("--yes", help="delete; otherwise only list")] = False,
    quiet: Quiet = False,
) -> None:
    """List what is not needed any more; delete it with --yes.

    Superseded artifacts that nothing refers to, and unfinished runs.
    """
    from pipeline.store import catalog

    folders = catalog.sweepable(store)
    for path, reason in folders.items():
        typer.echo(f"{path.parent.name}/{path.name}  {reason}")
    if not yes:
        typer.echo(f"{len(folders)} folders would be deleted; add --yes to do it", err=True)
        return
    from pipeline.cli.progress_bar import TerminalReporter

    freed = catalog.sweep(store, folders, TerminalReporter(quiet=quiet))
    typer.echo(f"deleted {len(folders)} folders, {freed:,} bytes", err=True)


def _broken(path: Path) -> list[str]:
    """Files of an artifact that are not what its manifest says, the manifest among them."""
    from pipeline.store import catalog
    from pipeline.store.artifact import open_artifact
    from schemas.errors import ArtifactError

    try:
        return catalog.verify(open_artifact(path))
    except ArtifactError:
        return [f"{path.parent.name}/{path.name}/manifest.json"]


def _unfinished(path: Path) -> str:
    """What is known of a run that has not committed its artifact, and what to do about it."""
    from pipeline.cli.row_formats import cell_text
    from pipeline.store.unfinished import failure

    if why := failure(path):
        return f"failed: {cell_text(why)} (rc gc removes it)"
    return "unfinished: run its command again, or rc gc removes it"


def _facts(artifact: Artifact) -> dict[str, object]:
    from pipeline.store.catalog import selected

    manifest = artifact.manifest
    return {
        "address": artifact.address,
        "stage": manifest.stage.name,
        "called": selected(artifact),
        "rows": manifest.rows,
        "parts": len(manifest.parts),
        "bytes": manifest.bytes(),
        "dropped": manifest.dropped,
        "sources": manifest.run.get("origins", {}),
        **{key: manifest.run.get(key) for key in ("created", "seconds", "engine")},
    }


def _line(artifact: Artifact) -> str:
    facts = _facts(artifact)
    return (
        f"{artifact.address:<40} {facts['rows']:>12,} rows {facts['parts']:>6} parts "
        f"{facts['bytes']:>15,} bytes  {facts['seconds']} s  {str(facts['created'])[:19]}"
        f"{'  called ' if facts['called'] else ''}{facts['called']}{_sources(artifact)}"
    )


def _sources(artifact: Artifact) -> str:
    """The first file or folder that was read from outside the store, and how many more."""
    from pipeline.cli.row_formats import cell_text

    named = artifact.manifest.run.get("origins", {})
    paths = [path for several in named.values() for path in several]
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"  from {cell_text(paths[0])}{more}" if paths else ""
