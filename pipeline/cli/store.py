"""Verbs about the store itself: status, verify, gc."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Final

import typer

from pipeline.cli.lineage import lineage
from pipeline.cli.run_options import STORE, NewStore, Quiet, Store, existing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.store.artifact import Artifact

_LONGEST: Final = 76  # characters of a line below another, of 80 columns


def add_commands(app: typer.Typer) -> None:
    """Put these verbs on the application."""
    for verb in (status, lineage, verify, gc):
        app.command(verb.__name__)(verb)


def status(
    store: NewStore = STORE,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
    remote: Annotated[
        str | None, typer.Option("--remote", help="list what was pushed there, not the store")
    ] = None,
) -> None:
    """List what is in the store, with unfinished runs.

    Artifacts with rows, sizes and times, the newest last.
    """
    if remote is not None:
        from pipeline.cli.push_and_pull import remote_status

        remote_status(remote, store, as_json=as_json)
        return
    existing(store)
    from pipeline.store import catalog
    from pipeline.store.missing import nothing_in

    artifacts = catalog.everything(store)
    damaged = {p: why for p in catalog.committed(store) if (why := catalog.damage(p))}
    for path, why in damaged.items():
        address = f"{path.parent.name}/{path.name}"
        facts = json.dumps({"address": address, "damaged": why})
        typer.echo(facts if as_json else f"{address:<40} damaged")
    apart = _apart(artifacts)
    for artifact in artifacts:
        shown = line_of(artifact, apart.get(artifact.address, ""))
        typer.echo(json.dumps(facts_of(artifact)) if as_json else shown)
    unfinished = [p for p, why in catalog.sweepable(store).items() if why == "unfinished"]
    for path in unfinished:
        typer.echo(f"{path.parent.name}/{path.name}  {_unfinished(path)}", err=True)
    if not artifacts and not unfinished and not damaged:
        typer.echo(nothing_in(store), err=True)


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

    if catalog.damage(path):
        return [f"{path.parent.name}/{path.name}/manifest.json"]
    return catalog.verify(open_artifact(path))


def _unfinished(path: Path) -> str:
    """What is known of a run that has not committed its artifact, and what to do about it."""
    from pipeline.cli.cell_text import cell_text
    from pipeline.store.unfinished import failure

    if why := failure(path):
        return f"failed: {cell_text(why)} (rc gc removes it)"
    return "unfinished: run its command again, or rc gc removes it"


def facts_of(artifact: Artifact) -> dict[str, object]:
    """What `rc status --json` prints of an artifact."""
    from pipeline.store.catalog import selected

    manifest = artifact.manifest
    return {
        "address": artifact.address,
        "stage": manifest.stage.name,
        "called": selected(artifact),
        "rows": manifest.rows,
        "parts": manifest.parts.count,
        "bytes": manifest.bytes(),
        "dropped": manifest.dropped,
        "inputs": manifest.inputs,
        "sources": manifest.run.get("origins", {}),
        **{key: manifest.run.get(key) for key in ("created", "seconds", "engine")},
    }


def line_of(artifact: Artifact, apart: str = "") -> str:
    """Facts in 80 columns; what is of any length is in a line below.

    Args:
        artifact: Which one.
        apart: What tells it from others of its table.
    """
    from pipeline.cli.cell_text import cell_text

    facts = facts_of(artifact)
    created = str(facts["created"])[:16].replace("T", " ")
    size = _size(artifact.manifest.bytes())
    called = f"called {cell_text(str(facts['called']))}" if facts["called"] else ""
    below = (called, _sources(artifact), _without_features(artifact), apart)
    more = [text for text in below if text]
    return "\n".join(
        [
            f"{artifact.address:<34} {facts['rows']:>11,} rows {size:>9}  {created}",
            *(f"    {text}" for text in more),
        ]
    )


def _apart(artifacts: Sequence[Artifact]) -> dict[str, str]:
    """By address: options and inputs that not all artifacts of its table and verb share.

    What a recipe leaves out at its usual value, as a precision, is left out here too.
    """
    from pipeline.cli.cell_text import cell_text

    alike: dict[tuple[str, str], list[Artifact]] = {}
    for artifact in artifacts:
        manifest = artifact.manifest
        alike.setdefault((manifest.artifact, manifest.stage.name), []).append(artifact)
    said = {}
    for group in alike.values():
        recipes = [{**a.manifest.stage.options, **a.manifest.inputs} for a in group]
        names = list(dict.fromkeys(name for recipe in recipes for name in recipe))
        differing = [n for n in names if any(r.get(n) != recipes[0].get(n) for r in recipes)]
        for artifact, recipe in zip(group, recipes, strict=True):
            own = [name for name in differing if name in recipe]
            text = cell_text(", ".join(f"{n.replace('_', '-')} {_word(recipe[n])}" for n in own))
            said[artifact.address] = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return said


def _word(value: object) -> str:
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _size(count: int) -> str:
    """Bytes in the unit that leaves one to three digits.

    >>> _size(999), _size(25_182_379), _size(3_000_000_000_000)
    ('999 B', '25 MB', '3,000 GB')
    """
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count} {unit}"
        count = round(count / 1000)
    return f"{count:,} GB"


def _sources(artifact: Artifact) -> str:
    """The first file or folder that was read from outside the store, and how many more."""
    from pipeline.cli.cell_text import cell_text

    named = artifact.manifest.run.get("origins", {})
    paths = [path for several in named.values() for path in several]
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"from {cell_text(paths[0])}{more}" if paths else ""


def _without_features(artifact: Artifact) -> str:
    """Of labels whose features were not stored: what those were made of."""
    manifest = artifact.manifest
    if not manifest.stage.options.get("from_images"):
        return ""
    return f"from {manifest.inputs['images']}, by --from-images: no features are stored"
