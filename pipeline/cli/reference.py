"""docs/tables.md and docs/commands.md, generated from the declarations of tables and options."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from typer.main import get_command

from pipeline.cli.stage import ONLY_WITH
from pipeline.store.tables import all_tables
from pipeline.verbs import VERBS
from schemas.quarantine import Reason
from schemas.table import VectorType, arrow_type
from stages.base import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    import typer

_RUN_OPTION_NAMES = [
    "store",
    "workers",
    "dry_run",
    "force",
    "max_errors",
    "allow_empty",
    "json",
    "quiet",
    "debug",
    "limit",
    "device",
    "threads",
]


def tables_page() -> str:
    """docs/tables.md: each table with its columns."""
    lines = ["# Tables", "", "Made by `rc tables` from `schemas/`; do not edit.", ""]
    for table in all_tables():
        lines += [f"## {table.name} (version {table.version})", "", table.doc, ""]
        lines += [
            f"Key: {', '.join(table.key)}.",
            "",
            "| column | type | meaning |",
            "|---|---|---|",
        ]
        for column in table.columns:
            kind = "vector" if isinstance(column.type, VectorType) else str(arrow_type(column.type))
            if kind.startswith("list<element: struct"):
                kind = "list of struct"
            null = ", may be null" if column.nullable else ""
            lines.append(f"| {column.name} | {kind}{null} | {column.doc} |")
        lines.append("")
    return "\n".join([*lines, *_reasons()])


def _reasons() -> list[str]:
    """Why records are refused, a row each."""
    rows = [f"| `{reason}` | {reason.meaning} |" for reason in Reason]
    return ["## Reasons in quarantine", "", "| reason | meaning |", "|---|---|", *rows, ""]


def commands_page(app: typer.Typer) -> str:
    """docs/commands.md, from an application with all verbs loaded."""
    group: Any = get_command(app)
    lines = ["# Commands", "", "Made by `rc commands` from the stages; do not edit.", ""]
    lines += [
        "Every stage also takes `--store --workers --limit --device --threads --dry-run --force "
        "--max-errors --allow-empty --json --quiet --debug`.",
        "",
    ]
    for name, command in _commands(group):
        if not command.hidden:
            lines += _section(name, command)
            lines += _presets(VERBS[name].load()) if name in VERBS else []
    return "\n".join(lines)


def _commands(group: Any) -> Iterator[tuple[str, Any]]:
    """What is typed after `rc`, such as "audit draw" of the group `audit`, and its command."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from ((f"{name} {last}", one) for last, one in command.commands.items())
        else:
            yield name, command


def _section(name: str, command: Any) -> list[str]:
    lines = [f"## rc {name}", "", *_paragraphs(command.help or "")]
    hidden = [*(_common_options(VERBS[name].load()) if name in VERBS else []), "help"]
    rows = [
        f"| `{' '.join(parameter.opts)}` | {_default(parameter)} | {_help_text(parameter)} |"
        for parameter in command.params
        if parameter.name not in hidden
    ]
    if rows:
        lines += ["| flag | default | meaning |", "|---|---|---|", *rows, ""]
    return lines


def _common_options(stage: type[Stage]) -> list[str]:
    """What every stage takes, without options that this one declares anew."""
    common = {field.name: field.metadata for field in fields(Stage)}
    anew = [f.name for f in fields(stage) if f.metadata != common.get(f.name, f.metadata)]
    return [name for name in _RUN_OPTION_NAMES if name not in anew]


def _paragraphs(text: str) -> list[str]:
    """The help of a verb: its paragraphs, each on one line, and its example as code."""
    lines = []
    for paragraph in text.split("\n\n"):
        head, example, command = paragraph.partition("Example: ")
        is_example = example and not head.strip("\b\n ")
        lines += [f"    {command}" if is_example else " ".join(paragraph.split()), ""]
    return lines


def _presets(stage: type[Stage]) -> list[str]:
    """A table of the presets, one row per option; no lines without presets."""
    declared = [f.metadata["presets"] for f in fields(stage) if f.metadata["presets"]]
    if not declared:
        return []
    (presets,) = declared
    options = dict.fromkeys(name for values in presets.values() for name in values)
    rows = [
        f"| `{option}` | "
        + " | ".join(f"`{v[option]}`" if option in v else "" for v in presets.values())
        + " |"
        for option in options
    ]
    head = "| what `--preset` sets | " + " | ".join(presets) + " |"
    return [head, "|---" * (len(presets) + 1) + "|", *rows, ""]


def _default(parameter: Any) -> str:
    value = parameter.default
    return "" if value is None or callable(value) or value == [] else f"`{value}`"


def _help_text(parameter: Any) -> str:
    text = " ".join(str(getattr(parameter, "help", "") or "").replace("|", "\\|").split())
    heading = getattr(parameter, "rich_help_panel", None) or ""
    return f"{heading}: {text}" if heading.startswith(ONLY_WITH) else text
