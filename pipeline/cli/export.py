"""Verbs that hand on what the store holds, in the formats of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.shared import STORE, Store
from schemas.errors import OptionError

_Out = Annotated[Path, typer.Argument(help="file to make; its suffix may be left out")]
_Force = Annotated[bool, typer.Option("--force", help="replace files that exist")]


def add_commands(app: typer.Typer) -> None:
    """Put these verbs on the application."""
    app.command("export-weights")(export_weights)


def export_weights(  # noqa: PLR0913 - one a flag
    address: Annotated[str, typer.Argument(help="teachers@…, students@… or detectors@…")],
    out: _Out,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="open_clip (.safetensors), regionclip (.pth, the reference's names), or onnx "
            "(pixels and boxes to features, or to a detector's probabilities and boxes)",
        ),
    ] = "open_clip",
    with_teacher: Annotated[
        str | None,
        typer.Option("--with-teacher", help="write its image tower along, as teacher_backbone.*"),
    ] = None,
    with_rpn: Annotated[
        str | None, typer.Option("--with-rpn", help="write rpns@… along, as offline_*")
    ] = None,
    force: _Force = False,
    store: Store = STORE,
) -> None:
    """Write a model's weights for another program: open_clip, RegionCLIP, or ONNX runtimes."""
    from pipeline.exporting import weights

    _one_of("export-weights", form, weights.FORMATS)
    beside = weights.Beside(teacher=with_teacher, rpn=with_rpn)
    path, told = weights.export_weights(store, address, out, form, beside, force=force)
    typer.echo(f"{path}  {told}")


def _one_of(verb: str, form: str, known: dict[str, str]) -> None:
    if form not in known:
        raise OptionError(f"rc {verb}: --format must be one of {', '.join(known)}, got {form!r}")
