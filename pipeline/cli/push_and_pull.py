"""Verbs that move artifacts between stores: push and pull."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.run_options import STORE, NewStore, Quiet, Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.remote.push import Moved

_Remote = Annotated[
    str, typer.Argument(help="s3://BUCKET/FOLDER, gs://…, or a folder", metavar="REMOTE")
]
_Only = Annotated[bool, typer.Option("--only", help="without what they were made from")]


def add_commands(app: typer.Typer) -> None:
    """Add these verbs to the application."""
    app.command("push")(push)
    app.command("pull")(pull)


def push(
    remote: _Remote,
    artifacts: Annotated[
        list[str] | None,
        typer.Argument(help="table, table@prefix or address; default: all", metavar="ARTIFACT"),
    ] = None,
    only: _Only = False,
    force: Annotated[
        bool, typer.Option("--force", help="send files again that are there, if some are damaged")
    ] = False,
    store: Store = STORE,
    quiet: Quiet = False,
) -> None:
    """Send artifacts to an object store or a folder.

    With all that they were made from. What is there already is not sent again, and nothing there is
    ever replaced. Credentials come from the environment or the provider's own files.
    """
    from pipeline.cli.progress_bar import TerminalReporter
    from pipeline.remote import push as pushing
    from pipeline.remote.remote import open_remote
    from pipeline.store import catalog
    from pipeline.store.missing import nothing_in
    from schemas.errors import ArtifactNotFoundError

    there, terminal = open_remote(remote), TerminalReporter(quiet=quiet)
    chosen = [catalog.find(store, name) for name in artifacts or ()]
    chosen = chosen if artifacts else catalog.everything(store)
    if not chosen:
        raise ArtifactNotFoundError(nothing_in(store))
    if not only:
        chosen = pushing.with_inputs(chosen, terminal)
    _tell(pushing.push(there, chosen, again=force, reporter=terminal), "sent")


def pull(
    remote: _Remote,
    artifacts: Annotated[
        list[str],
        typer.Argument(help="table (the last pushed), table@prefix or address", metavar="ARTIFACT"),
    ],
    only: _Only = False,
    store: NewStore = STORE,
    quiet: Quiet = False,
) -> None:
    """Fetch artifacts from an object store or a folder.

    With all that they were made from. Every byte is checked against the manifest; what is here
    already is not fetched again. A pull that was killed resumes.
    """
    from pipeline.cli.progress_bar import TerminalReporter
    from pipeline.remote import pull as pulling
    from pipeline.remote import pushed
    from pipeline.remote.remote import open_remote

    there, terminal = open_remote(remote), TerminalReporter(quiet=quiet)
    wanted = [pushed.find(there, name, store) for name in artifacts]
    if not only:
        wanted = pulling.with_inputs(there, store, wanted, terminal)
    _tell(pulling.pull(there, store, wanted, terminal), "fetched")


def remote_status(url: str, store: Path, *, as_json: bool) -> None:
    """Print what was pushed to a remote, in that order; see `rc status`."""
    from pipeline.cli.store import facts_of, line_of
    from pipeline.remote.pushed import everything
    from pipeline.remote.remote import open_remote
    from schemas.errors import ArtifactError

    found = everything(open_remote(url), store)
    for address, one in found.items():
        if one is None or isinstance(one, ArtifactError):
            harm = "missing" if one is None else "damaged"
            why = "it was pushed, and is not there any more" if one is None else str(one)
            text = json.dumps({"address": address, harm: why})
            typer.echo(text if as_json else f"{address:<40} {harm}")
        else:
            artifact = one.artifact
            typer.echo(json.dumps(facts_of(artifact)) if as_json else line_of(artifact))
    if not found:
        typer.echo(f"nothing was pushed to {url} yet; 'rc push {url}' does it", err=True)


def _tell(moved: Sequence[Moved], done: str) -> None:
    for one in moved:
        what = (
            "was there already"
            if one.was_there
            else f"{one.files} files, {one.bytes:,} bytes {done}"
        )
        typer.echo(f"{one.address:<34} {what}")
