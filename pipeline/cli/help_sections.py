"""Help in sections: verbs and options under headings, in plain text of 80 columns.

Typer shows the headings (`rich_help_panel`) in boxes of rich, which take width, and which read
what stands in brackets as markup. This is the same, as text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import typer

VERB_GROUPS: Final[Mapping[str, Sequence[str]]] = {
    "Whole pipeline": ("demo", "run"),
    "Data": (
        *("draw", "ingest", "extract-concepts", "embed-concepts", "merge-concepts", "propose"),
        *("featurize", "export-features"),
    ),
    "Labels": (
        *(
            "label",
            "suspect",
            "map-regions",
            "select",
            "audit",
            "what-if",
            "diff",
            "report",
            "export",
        ),
        "import-reviews",
    ),
    "Training": (
        *("pretrain", "import-weights", "train-rpn", "train", "finetune", "detect", "evaluate"),
        *("compare", "export-weights", "export-detections"),
    ),
    "Looking": ("view", "search", "duplicates", "sql", "db"),
    "Store": (
        *("status", "show", "lineage", "verify", "gc", "push", "pull"),
        *("config", "doctor"),
    ),
}


class SectionedCommand(TyperCommand):
    """A verb whose options stand under the headings that they name."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, then each heading with its options, in the order of the parameters."""
        _write_parameters(self, ctx, formatter)


class SectionedGroup(TyperGroup):
    """The application, with its verbs in groups."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the groups of verbs, then the options of `rc` itself."""
        self.format_commands(ctx, formatter)
        _write_parameters(self, ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each group with a line for each of its verbs; all summaries begin in one column."""
        shown = {name: command for name, command in self.commands.items() if not command.hidden}
        width = max(map(len, shown), default=0)
        named = {name for names in VERB_GROUPS.values() for name in names}
        others = [name for name in shown if name not in named]
        for title, names in {**VERB_GROUPS, "Other": others}.items():
            rows = [(n.ljust(width), _first_line(shown[n])) for n in names if n in shown]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def use_sections(app: typer.Typer) -> None:
    """Show the help of every verb of the application in sections."""
    for command in app.registered_commands:
        command.cls = SectionedCommand
    for group in app.registered_groups:
        use_sections(cast("typer.Typer", group.typer_instance))


def _first_line(command: Any) -> str:
    return str(command.help or "").strip().splitlines()[0]


def _write_parameters(command: Any, ctx: Any, formatter: Any) -> None:
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is not None:
            own = "Arguments" if parameter.param_type_name == "argument" else "Options"
            sections.setdefault(getattr(parameter, "rich_help_panel", None) or own, []).append(
                record
            )
    for title, rows in sections.items():
        with formatter.section(title):
            formatter.write_dl(rows)
