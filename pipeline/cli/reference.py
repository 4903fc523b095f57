"""docs/commands.md: every verb with its flags, made from what `rc --help` is made from."""

from __future__ import annotations

from typing import Any

import typer.main

from pipeline.cli.app import make_app
from pipeline.verbs import VERBS

_RUNNING = [
    "store",
    "workers",
    "dry_run",
    "force",
    "max_errors",
    "json",
    "quiet",
    "debug",
    "limit",
    "device",
    "threads",
]


def commands_page() -> str:
    """The page as Markdown."""
    group: Any = typer.main.get_command(make_app([], load_all=True))
    lines = ["# Commands", "", "Made by `rc commands` from the stages; do not edit.", ""]
    lines += [
        "Every stage also takes `--store --workers --limit --device --threads --dry-run --force "
        "--max-errors --json --quiet --debug`.",
        "",
    ]
    for name, command in group.commands.items():
        if not command.hidden:
            lines += _section(name, command)
    return "\n".join(lines)


def _section(name: str, command: Any) -> list[str]:
    lines = [f"## rc {name}", "", " ".join((command.help or "").split("\n\n")[0].split()), ""]
    hidden = [*(_RUNNING if name in VERBS else []), "help"]
    rows = [
        f"| `{' '.join(parameter.opts)}` | {_default(parameter)} | {_text(parameter)} |"
        for parameter in command.params
        if parameter.name not in hidden
    ]
    if rows:
        lines += ["| flag | default | meaning |", "|---|---|---|", *rows, ""]
    return lines


def _default(parameter: Any) -> str:
    value = parameter.default
    return "" if value is None or callable(value) or value == [] else f"`{value}`"


def _text(parameter: Any) -> str:
    return " ".join(str(getattr(parameter, "help", "") or "").replace("|", "\\|").split())
