"""`rc view`: the gallery."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.shared import STORE, Store
from schemas.errors import ArtifactNotFoundError, OptionError

if TYPE_CHECKING:
    import socket

_ANYWHERE = ("0.0.0.0", "::")  # all addresses of the machine
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def add_commands(app: typer.Typer) -> None:
    """Put this verb on the application."""
    app.command("view")(view)


def view(  # noqa: PLR0913 - one a flag
    store: Store = STORE,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: any free one")] = 8000,
    host: Annotated[
        str,
        typer.Option("--host", help="address to listen on; beware of others than this machine"),
    ] = "127.0.0.1",
    static: Annotated[
        Path | None, typer.Option("--static", help="folder to write that opens from disk")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="images of the folder, evenly spread over all")
    ] = 500,
    use: Annotated[
        str | None,
        typer.Option("--use", help="what the folder is about: pseudo_labels@… or images@…"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="no progress")] = False,
) -> None:
    """Look at the store in a browser: images with labels, concepts, what-if, training, scores.

    Only this machine can reach it unless --host says otherwise. Ctrl-C ends it. --static writes the
    same pages as a folder that needs no server: open its index.html.
    """
    if static is not None:
        _write(store, static, use, limit, quiet=quiet)
        return
    if use is not None:
        raise OptionError("rc view: --use goes with --static; a page chooses for itself")
    _serve(store, host, port)


def _write(store: Path, out: Path, use: str | None, limit: int, *, quiet: bool) -> None:
    from pipeline.cli.output import Terminal
    from pipeline.gallery.folder import FolderRequest, write_folder

    count = write_folder(store, out, FolderRequest(use, limit), Terminal(quiet=quiet))
    typer.echo(f"{out / 'index.html'}  {count} images")


def _serve(store: Path, host: str, port: int) -> None:
    import socket

    import uvicorn

    from pipeline.gallery.server import make_app
    from pipeline.store import catalog

    if not host:
        raise OptionError("rc view: --host is empty; 127.0.0.1 is this machine alone")
    if not catalog.committed(store):
        raise ArtifactNotFoundError(f"nothing is in {store} yet; begin with 'rc ingest'")
    with _listening(host, port) as listening:
        found = listening.getsockname()[1]
        anywhere = host in _ANYWHERE
        names = [host, *(_LOOPBACK if anywhere or host in _LOOPBACK else ())]
        if anywhere:
            names.append(socket.gethostname())
        if host not in _LOOPBACK:
            typer.echo(f"warning: everyone who can reach {host} can look at this store", err=True)
        typer.echo(f"http://{_bracketed('127.0.0.1' if host == '0.0.0.0' else host)}:{found}/")
        hosts = [f"{_bracketed(name)}:{found}" for name in names]
        app = make_app(store, hosts, anywhere=anywhere)
        config = uvicorn.Config(app, log_level="warning", server_header=False)
        uvicorn.Server(config).run([listening])


def _listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections from now on, so that the address printed is true."""
    import socket

    opened = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((host, port))
        opened.listen()
    except OSError as error:
        opened.close()
        raise OptionError(
            f"rc view: cannot listen on {host} port {port} ({error.strerror}); "
            "--port 0 takes any free one"
        ) from None
    return opened


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
