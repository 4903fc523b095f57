"""The application `rc` with all verbs; only the verb that is used is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import (
    analysis,
    audit,
    demo_and_draw,
    export,
    health,
    import_reviews,
    push_and_pull,
    query,
    recipes,
    search,
    show,
    similar_images,
    store,
    view,
)
from pipeline.cli.help_sections import SectionedGroup, use_sections
from pipeline.cli.stage import add_stage
from pipeline.verbs import GROUPS, VERBS

if TYPE_CHECKING:
    from collections.abc import Sequence

_HELP = """RegionCLIP as a staged, offline data pipeline.

A stage reads artifacts of the store and writes one. If you run it again, it resumes, or finds that
the artifact is complete. 'rc VERB --help' shows the options of a verb.
"""


def make_app(words: Sequence[str], *, load_all: bool = False) -> typer.Typer:
    """The `rc` application for a command line; stages that it does not use are not loaded."""
    app = typer.Typer(
        cls=SectionedGroup,
        help=_HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]},
    )
    app.callback()(_rc)
    families = {
        name: typer.Typer(help=text, no_args_is_help=True, rich_markup_mode=None)
        for name, text in GROUPS.items()
    }
    for name, family in families.items():
        app.add_typer(family, name=name)
    for verb in VERBS.values():
        if verb.own_command:
            continue
        *first, last = verb.name.split()
        home = families[first[0]] if first else app
        if load_all or {*first, last} <= {*words}:
            add_stage(home, verb)
        else:
            home.command(last, help=verb.help)(_not_loaded)
    for group in (
        recipes,
        query,
        search,
        analysis,
        view,
        export,
        store,
        push_and_pull,
        show,
        health,
        demo_and_draw,
    ):
        group.add_commands(app)
    audit.add_commands(families["audit"])
    import_reviews.add_import_reviews(app, load=load_all or "import-reviews" in words)
    similar_images.add_duplicates(app, load=load_all or "duplicates" in words)
    app.command("tables", hidden=True)(tables)
    app.command("commands", hidden=True)(commands)
    use_sections(app)
    return app


def tables() -> None:
    """Print the reference of all tables as Markdown (docs/tables.md)."""
    from pipeline.cli.reference import tables_page

    typer.echo(tables_page(), nl=False)


def commands() -> None:
    """Print the reference of all verbs as Markdown (docs/commands.md)."""
    from pipeline.cli.reference import commands_page

    typer.echo(commands_page(make_app([], load_all=True)), nl=False)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"rc {version('regionclip-toolkit')}")
        raise typer.Exit


def _rc(
    version: Annotated[  # its callback answers
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Options of `rc` itself."""


def _not_loaded() -> None:
    raise AssertionError("the verb on the command line must be loaded")
