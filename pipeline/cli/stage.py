"""A stage becomes a command: flags, help, defaults and limits come from its fields."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any, get_args, get_origin

import typer

from pipeline.cli.run_options import OF_PARTS, PANEL, RUN_OPTIONS, RunOptions, check_losses
from pipeline.cli.stage_running import execute
from stages.base import Stage
from stages.option import choices, option_types, takes_number, value_type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.verbs import Verb
    from stages.base import Reads


_FOUND = "default: the one that the other inputs were made from, else the newest"
_FOUND_IF_ANY = "default: the one that the other inputs were made from, if any"
_UNNAMED = "only read if it is named here"
_RETRIED = "try again what it refused; parts without refusals are linked"
ONLY_WITH = "Only with "  # begins the heading of what a switch is needed for
CONTEXT = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)


def add_stage(app: typer.Typer, verb: Verb) -> None:
    """Give a stage its verb."""
    stage = verb.load()

    def command(*, context: typer.Context, **values: Any) -> None:
        run_stage(stage, context, values)

    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [CONTEXT, *stage_parameters(stage)]
    )
    app.command(verb.name.split()[-1], help=full_help(stage))(command)


def run_stage(cls: type[Stage], context: typer.Context, values: dict[str, Any]) -> None:
    """Run a stage with the values of its parameters on a command line."""
    run = RunOptions.take_from(values)
    pinned = {role: values.pop(f"input_{role}") for role in cls.reads}
    artifact = execute(cls, _given(context, values), pinned, run)
    if artifact is not None:
        check_losses(artifact)


def stage_parameters(cls: type[Stage]) -> list[inspect.Parameter]:
    """What a stage takes on the command line: arguments, options, inputs, and how to run."""
    return [*_arguments(cls), *_in_sections(cls), *_run_options(cls)]


def option_fields(cls: type[Stage]) -> list[tuple[str, Any, Any, Any]]:
    """Name, type, default and metadata of each option of a stage."""
    common = {f.name for f in fields(Stage)}  # shown last
    kinds = option_types(cls)
    ordered = sorted(fields(cls), key=lambda f: f.name in common)
    return [(f.name, kinds[f.name], f.default, f.metadata) for f in ordered]


def option_flag(name: str, meta: Mapping[str, Any]) -> str:
    """How an option is typed, from its name and its metadata; a plain name has its place."""
    return meta.get("flag") or "--" + name.replace("_", "-")


def environment_variable(verb: str, name: str) -> str:
    """Where an option of a verb may be set, such as RC_LABEL_TOP_K."""
    return f"RC_{verb}_{name}".upper().replace("-", "_").replace(" ", "_")


def _given(context: typer.Context, values: Mapping[str, Any]) -> dict[str, Any]:
    """What the user gave, by flag or environment; defaults left out."""
    defaults = ("DEFAULT", "DEFAULT_MAP")
    return {
        name: value
        for name, value in values.items()
        if (source := context.get_parameter_source(name)) and source.name not in defaults
    }


def _arguments(cls: type[Stage]) -> list[inspect.Parameter]:
    return [
        _parameter(name, _accepted(kind), _argument(meta), _as_list(default))
        for name, kind, default, meta in option_fields(cls)
        if _positional(meta)
    ]


def _argument(meta: Any) -> Any:
    return typer.Argument(help=meta["doc"], metavar=meta["flag"], show_default=False)


def full_help(cls: type[Stage]) -> str:
    """The docstring, and the example; the backspace keeps the example from being wrapped."""
    text = inspect.getdoc(cls) or ""
    return f"{text}\n\n\b\nExample: {cls.example}" if cls.example else text


def _run_options(cls: type[Stage]) -> list[inspect.Parameter]:
    """Options of how to run; a single task runs in this process, so it has none of an engine."""
    return [p for p in RUN_OPTIONS if not (cls.single_task and p.name in OF_PARTS)]


def _in_sections(cls: type[Stage]) -> list[inspect.Parameter]:
    """Options and inputs in the order of the help: everyday ones first, those of a switch later."""
    parameters = {p.name: p for p in (*_inputs(cls), *_options(cls))}
    common = {f.name for f in fields(Stage)}
    of_switch = {name for names in cls.only_with.values() for name in names}
    first = [name if name in parameters else f"input_{name}" for name in cls.everyday]
    others = sorted(
        parameters, key=lambda name: (name in common, name.removeprefix("input_") in of_switch)
    )
    return [parameters[name] for name in dict.fromkeys([*first, *others])]


def _section(cls: type[Stage], name: str, usual: str) -> str | None:
    """The heading of an option or input; None for that of the everyday ones."""
    common = {f.name for f in fields(Stage)}
    if name in common:
        return PANEL
    for switch, names in cls.only_with.items():
        if name in names:
            return f"{ONLY_WITH}{option_flag(switch, cls.__dataclass_fields__[switch].metadata)}"
    return None if name in cls.everyday or not cls.everyday else usual


def _options(cls: type[Stage]) -> list[inspect.Parameter]:
    parameters = []
    for name, kind, default, meta in option_fields(cls):
        if _positional(meta):
            continue
        flag = option_flag(name, meta)
        flags = [f"{flag}/--no-{flag[2:]}"] if kind is bool else [flag]
        variable = environment_variable(cls.name, name)
        shown = typer.Option(
            *flags,
            help=_help(kind, meta),
            envvar=variable,
            show_envvar=False,
            rich_help_panel=_section(cls, name, "More options"),
            **_conversion(kind),
        )
        parameters.append(_parameter(name, _accepted(kind), shown, _as_list(default)))
    return parameters


def _inputs(cls: type[Stage]) -> list[inspect.Parameter]:
    parameters = []
    for role, reads in cls.reads.items():
        tables = " or ".join(f"{name}@…" for name in reads.names)
        shown = typer.Option(
            *_spellings(role, reads),
            help=f"{tables}; {_default_input(reads)}",
            metavar="ARTIFACT",
            rich_help_panel=_section(cls, role, "Inputs"),
        )
        parameters.append(_parameter(f"input_{role}", str | None, shown, None))
    return parameters


def _default_input(reads: Reads) -> str:
    """Which artifact is read if the user names none."""
    if reads.retried:
        return _RETRIED
    if reads.named:
        return _UNNAMED
    return _FOUND_IF_ANY if reads.optional else _FOUND


def _spellings(role: str, reads: Reads) -> list[str]:
    """Flags of an input: its role, and where that is a table's own word, those of its stand-ins.

    A student may take a teacher's place, so what takes --teacher takes --student as well.
    """
    flags = ["--" + role.replace("_", "-")]
    if reads.table.name == f"{role}s":
        flags += ["--" + table.name.removesuffix("s") for table in reads.also]
    return flags


def _parameter(name: str, kind: Any, shown: Any, default: Any) -> inspect.Parameter:
    annotation = Annotated[kind, shown]
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _positional(meta: Any) -> bool:
    return bool(meta["flag"]) and not meta["flag"].startswith("--")


def _accepted(kind: Any) -> Any:
    """The type as the command line takes it: a tuple becomes a repeatable list."""
    if takes_number(kind):
        return str  # typer has no unions; `_conversion` gives it a type that converts
    kind = value_type(kind)
    if get_origin(kind) is tuple:
        return list[get_args(kind)[0]]  # type: ignore[misc]
    if type(None) in get_args(kind):
        return _accepted(get_args(kind)[0]) | None
    return kind


def _conversion(kind: Any) -> dict[str, Any]:
    """What typer needs to know of an option besides its type: how its text is converted."""
    if not takes_number(kind):
        return {}
    names = choices(kind)

    def number_or_name(text: str) -> float | str:
        if text in names:
            return text
        try:
            return float(text)
        except ValueError:
            raise typer.BadParameter(
                f"{text!r} is neither a number nor {' or '.join(names)}."
            ) from None

    return {"parser": number_or_name, "metavar": "|".join(("NUMBER", *names))}


def _as_list(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _help(kind: Any, meta: Any) -> str:
    words = {"above": ">", "at_least": "≥", "below": "<", "at_most": "≤"}
    limits = [f"{words[key]} {bound}" for key, bound in meta["limits"].items()]
    names = " | ".join(choices(kind))
    if takes_number(kind):
        extra = f"{' '.join(['a number', *limits])}, or {names}"
    else:
        extra = ", ".join(([names] if names else []) + limits)
    return f"{meta['doc']} ({extra})" if extra else str(meta["doc"])
