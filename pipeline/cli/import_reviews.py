"""`rc import-reviews`: a stage whose input the exported folder names, not the user."""

from __future__ import annotations

import inspect
from typing import Any, Final

import typer

from pipeline.cli.run_options import existing
from pipeline.cli.stage import CONTEXT, full_help, run_stage, stage_parameters

_VERB: Final = "import-reviews"
_INPUT: Final = "input_pseudo_labels"
_IDLE: Final = (_INPUT, "limit", "device", "threads", "workers")  # mean nothing here


def add_import_reviews(app: typer.Typer, *, load: bool) -> None:
    """Add the verb to the application; with the options of its stage only if that is loaded."""
    if not load:
        app.command(_VERB)(_not_loaded)
        return
    from stages.import_reviews import ImportReviews, exported_folder
    from stages.reviewing.exported_labels import address_in

    def command(*, context: typer.Context, **values: Any) -> None:
        values["store"] = existing(values["store"])
        values[_INPUT] = address_in(exported_folder(values["exported"]))
        run_stage(ImportReviews, context, values)

    taken = [p for p in stage_parameters(ImportReviews) if p.name not in _IDLE]
    command.__signature__ = inspect.Signature([CONTEXT, *taken])  # type: ignore[attr-defined]
    app.command(_VERB, help=full_help(ImportReviews))(command)


def _not_loaded() -> None:
    """Import what people mended in an exported folder."""
    raise AssertionError("the verb on the command line must be loaded")
