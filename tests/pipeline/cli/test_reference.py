"""docs/commands.md and docs/tables.md from the declarations."""

from __future__ import annotations

from pipeline.cli.app import make_app
from pipeline.cli.reference import commands_page, tables_page
from pipeline.store.tables import all_tables
from pipeline.verbs import VERBS
from tests.pipeline.cli.toy_presets import VerbWithPresets


def test_the_page_of_commands_has_every_verb_and_flag(rc) -> None:  # type: ignore[no-untyped-def]
    page = rc("commands").out
    for verb in ("ingest", "label", "sql", "gc", "run"):
        assert f"\n## rc {verb}\n" in page
    assert "| `--temperature` | `0.01` | divides cosine similarity (> 0) |" in page
    assert "## rc tables" not in page
    assert rc("tables").out.startswith("# Tables\n")


def test_the_page_of_commands_shows_every_value_of_a_preset(toy_verbs: None) -> None:
    VERBS["ingest"] = VerbWithPresets("ingest", "has presets")  # the fixture restores it
    page = commands_page(make_app([], load_all=True))
    assert "| what `--preset` sets | small |" in page
    assert "| `count` | `6` |" in page


def test_the_page_of_tables_has_every_column_once_in_its_table() -> None:
    sections = tables_page().split("\n## ")[1:]
    by_title = {section.splitlines()[0]: section for section in sections}
    assert len(by_title) == len(sections) >= len(all_tables())
    for table in all_tables():
        section = by_title[f"{table.name} (version {table.version})"]
        rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]
        assert [row[0].removeprefix("| ") for row in rows] == [c.name for c in table.columns]
        nullable = [c.name for c in table.columns if c.nullable]
        assert [row[0].removeprefix("| ") for row in rows if "may be null" in row[1]] == nullable
        assert all(row[1].startswith("vector") == ("vector" in row[1]) for row in rows)


def test_the_page_of_commands_says_what_means_nothing_without_a_switch() -> None:
    page = commands_page(make_app([], load_all=True))
    label = page.split("\n## rc label\n")[1].split("\n## ")[0]
    featurize = page.split("\n## rc featurize\n")[1].split("\n## ")[0]
    row = "| `--dtype` | `float16` | {}precision of a feature (float16 \\| float32) |"
    assert row.format("Only with --from-images: ") in label
    assert row.format("") in featurize
