"""docs/commands.md: every verb with its flags, made from what `rc --help` is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typer.main import get_command

from pipeline.verbs import VERBS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import typer

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


def commands_page(app: typer.Typer) -> str:
    """The page of an application, all of whose verbs are loaded, as Markdown."""
    group: Any = get_command(app)
    lines = ["# Commands", "", "Made by `rc commands` from the stages; do not edit.", ""]
    lines += [
        "Every stage also takes `--store --workers --limit --device --threads --dry-run --force "
        "--max-errors --json --quiet --debug`.",
        "",
    ]
    for name, command in group.commands.items():
        if not command.hidden:
            lines += _section(name, command)
            lines += _presets(VERBS[name].load().presets) if name in VERBS else []
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


def _presets(presets: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A table of what each preset sets, an option a row; nothing without presets."""
    if not presets:
        return []
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


def _text(parameter: Any) -> str:
    return " ".join(str(getattr(parameter, "help", "") or "").replace("|", "\\|").split())
