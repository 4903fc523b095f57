"""`rc duplicates`: images that look the same, in one set by their features or in two by pictures.

Without `--against` it prints groups; with it, it is a stage like others, and takes its options.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from pipeline.cli.run_options import STORE, Store, existing
from pipeline.cli.search import Features, Format, Labels, Sheet, Where
from pipeline.cli.stage import CONTEXT, ONLY_WITH, run_stage, stage_parameters
from schemas.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_SHARED: Final = ("store", "quiet", "debug")  # options of both ways to use it
_HEADING: Final = f"{ONLY_WITH}--against"


def add_duplicates(app: typer.Typer, *, load: bool) -> None:
    """Add the verb to the application; with the options of its stage only if that is loaded."""
    if not load:
        app.command("duplicates")(duplicates)
        return
    from stages.duplicates import Duplicates

    of_groups = dict(inspect.signature(duplicates, eval_str=True).parameters)
    of_stage = {parameter.name: parameter for parameter in stage_parameters(Duplicates)}
    for name in ("input_images", "most", "loaders"):
        _shown(of_stage[name]).rich_help_panel = _HEADING
    _shown(of_stage["input_images"]).help = "images@…; default: the newest but those of --against"
    parameters = {"input_against": of_stage["input_against"], **of_groups, **of_stage}

    def command(*, context: typer.Context, **values: Any) -> None:
        if values["input_against"] is None:
            _refuse(_typed(context), of_groups, "is of --against; give that too, or leave it out")
            values["store"] = existing(values["store"])
            duplicates(**{name: values[name] for name in of_groups})
            return
        _refuse(_typed(context), of_stage, "is about features; leave it out, or --against")
        chosen = {name: values[name] for name in of_stage}
        chosen["input_images"] = chosen["input_images"] or _newest_others(chosen)
        run_stage(Duplicates, context, chosen)

    keyword_only = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters.values()
    ]
    command.__signature__ = inspect.Signature([CONTEXT, *keyword_only])  # type: ignore[attr-defined]
    app.command("duplicates", help=inspect.getdoc(duplicates))(command)


def duplicates(  # noqa: PLR0913  # each is an option
    store: Store = STORE,
    regions: Annotated[
        bool, typer.Option("--regions", help="compare regions instead of whole images")
    ] = False,
    min_cosine: Annotated[
        float, typer.Option("--min-cosine", help="smallest cosine of two duplicates, in [-1, 1]")
    ] = 0.95,
    same_image: Annotated[
        bool, typer.Option("--same-image", help="also compare regions of the same image")
    ] = False,
    where: Where = None,
    features: Features = None,
    labels: Labels = None,
    output: Format = "table",
    sheet: Sheet = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="show no progress")] = False,
) -> None:
    """Find images, or regions, that look the same.

    Every pair of those that satisfy --where is compared by its features, and groups are printed; a
    group is connected by a chain of pairs. With --against, files and pictures of images are
    compared with those of another set, such as an evaluation set, without features. That makes an
    artifact, which 'rc select --without' and 'rc evaluate --duplicates' take.
    """
    from pipeline.cli.progress_bar import TerminalReporter
    from pipeline.cli.row_formats import row_writer
    from pipeline.searching import DuplicateCriteria, FeatureCorpus, save_group_sheet
    from pipeline.searching import find_duplicates as find
    from pipeline.searching.result_sheets import check_sheet_path

    write = row_writer(output)
    if sheet is not None:
        check_sheet_path(sheet)
    alike = DuplicateCriteria(
        min_cosine=min_cosine, regions=regions, same_image=same_image, where=where
    )
    corpus = FeatureCorpus.find(store, features, labels)
    rows = find(corpus, alike, TerminalReporter(quiet=quiet))
    write(rows.to_reader())
    if sheet is not None:
        shown, groups = save_group_sheet(corpus, rows, sheet)
        if shown < groups:
            typer.echo(f"{sheet} shows the largest {shown} of {groups} groups", err=True)


def _typed(context: typer.Context) -> dict[str, str]:
    """Options on the command line that only one of the two ways takes: flags by name."""
    flags = {parameter.name: parameter.opts[0] for parameter in context.command.params}
    return {
        name: flags[name]
        for name in context.params
        if name not in _SHARED and (source := context.get_parameter_source(name))
        if source.name == "COMMANDLINE"
    }


def _refuse(typed: Mapping[str, str], allowed: Collection[str], why: str) -> None:
    """Pass if only options that are allowed were typed.

    Raises:
        OptionError: If others were; it names the first.
    """
    for name, flag in typed.items():
        if name not in allowed:
            raise OptionError(f"rc duplicates: {flag} {why}")


def _shown(parameter: inspect.Parameter) -> Any:
    """How Typer shows a parameter."""
    (shown,) = parameter.annotation.__metadata__
    return shown


def _newest_others(values: Mapping[str, Any]) -> str | None:
    """Of the images but those of --against the newest; None if there are no others."""
    from pipeline.store import catalog
    from schemas.images import IMAGES

    against = catalog.of_table(values["store"], IMAGES, values["input_against"])
    others = [
        artifact
        for artifact in catalog.everything(values["store"])
        if artifact.manifest.artifact == IMAGES.name and artifact.path != against.path
        if artifact.manifest.version == IMAGES.version and not artifact.is_empty
    ]
    if not others:
        return None
    if len(others) > 1 and not values["quiet"]:
        typer.echo(f"images: {others[-1].address}, the newest; --images takes others", err=True)
    return others[-1].address
