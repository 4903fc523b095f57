"""`rc view`: the gallery."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.shared import STORE, Store
from schemas.errors import ArtifactNotFoundError

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def add_commands(app: typer.Typer) -> None:
    """Put this verb on the application."""
    app.command("view")(view)


def view(
    store: Store = STORE,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free one")] = 8000,
    host: Annotated[
        str,
        typer.Option("--host", help="address to listen on; beware of others than this machine"),
    ] = "127.0.0.1",
) -> None:
    """Look at the store in a browser: images with labels, concepts, what-if, training, scores.

    Only this machine can reach it unless --host says otherwise. Ctrl-C ends it.
    """
    import socket

    import uvicorn

    from pipeline.gallery.server import make_app
    from pipeline.store import catalog

    if not catalog.committed(store):
        raise ArtifactNotFoundError(f"nothing is in {store} yet; begin with 'rc ingest'")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        found = listening.getsockname()[1]
        names = {host, *(_LOOPBACK if host in _LOOPBACK else ())}
        if host not in _LOOPBACK:
            typer.echo(f"warning: everyone who can reach {host} can look at this store", err=True)
        typer.echo(f"http://{'[' + host + ']' if ':' in host else host}:{found}/")
        hosts = [f"{'[' + name + ']' if ':' in name else name}:{found}" for name in names]
        config = uvicorn.Config(make_app(store, hosts), log_level="warning", server_header=False)
        uvicorn.Server(config).run([listening])
