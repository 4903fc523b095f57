"""`rc view`: the gallery, served or written to a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.run_options import STORE, Store
from schemas.errors import ArtifactNotFoundError, OptionError

if TYPE_CHECKING:
    import socket

_ALL_ADDRESSES = ("0.0.0.0", "::")  # every network address of the machine
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def add_commands(app: typer.Typer) -> None:
    """Add this verb to the application."""
    app.command("view")(view)


def view(  # noqa: PLR0913  # each is an option
    store: Store = STORE,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="port; 0: any free port")
    ] = 8000,
    host: Annotated[
        str,
        typer.Option(
            "--host", help="address to listen on; other machines can read the store through others"
        ),
    ] = "127.0.0.1",
    static: Annotated[
        Path | None, typer.Option("--static", help="write the gallery to this folder instead")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", min=1, help="number of images in the folder, evenly chosen")
    ] = 500,
    use: Annotated[
        str | None,
        typer.Option("--use", help="artifact of the folder: pseudo_labels@… or images@…"),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="show no progress")] = False,
) -> None:
    """Show the store in a browser.

    Images with labels, concepts, what-if, training, scores.

    Only this machine can connect, unless --host is changed. Ctrl-C ends the server. --static writes
    the same pages to a folder that needs no server: open its index.html.
    """
    if static is not None:
        _write_folder(store, static, use, limit, quiet=quiet)
        return
    if use is not None:
        raise OptionError(
            "rc view: --use needs --static; the pages of the server have their own choice"
        )
    _serve(store, host, port)


def _write_folder(store: Path, out: Path, use: str | None, limit: int, *, quiet: bool) -> None:
    from pipeline.cli.progress_bar import TerminalReporter
    from pipeline.gallery.folder import FolderRequest, write_folder

    count = write_folder(store, out, FolderRequest(use, limit), TerminalReporter(quiet=quiet))
    typer.echo(f"{out / 'index.html'}  {count} images")


def _serve(store: Path, host: str, port: int) -> None:
    import socket

    import uvicorn

    from pipeline.gallery.server import make_app
    from pipeline.store import catalog
    from pipeline.store.missing import nothing_in

    if not host:
        raise OptionError("rc view: --host is empty; use 127.0.0.1 for this machine only")
    if not catalog.committed(store):
        raise ArtifactNotFoundError(nothing_in(store))
    with _open_socket(host, port) as listening:
        open_port = listening.getsockname()[1]
        anywhere = host in _ALL_ADDRESSES
        names = [host, *(_LOOPBACK if anywhere or host in _LOOPBACK else ())]
        if anywhere:
            names.append(socket.gethostname())
        if host not in _LOOPBACK:
            typer.echo(
                f"warning: everyone who can connect to {host} can read this store and judge",
                err=True,
            )
        typer.echo(f"http://{_bracketed('127.0.0.1' if host == '0.0.0.0' else host)}:{open_port}/")
        hosts = [f"{_bracketed(name)}:{open_port}" for name in names]
        app = make_app(store, hosts, anywhere=anywhere)
        config = uvicorn.Config(app, log_level="warning", server_header=False)
        uvicorn.Server(config).run([listening])


def _open_socket(host: str, port: int) -> socket.socket:
    """A socket that already listens, so that the printed address works at once."""
    import socket

    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise OptionError(
            f"rc view: cannot listen on {host} port {port} ({error.strerror}); "
            "--port 0 takes any free port"
        ) from None
    return listening


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
