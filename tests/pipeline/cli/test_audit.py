"""`rc audit draw`, `report` and `close`: verbs of two words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.analysis.marks import write_marks
from pipeline.cli.app import make_app
from pipeline.cli.reference import commands_page
from pipeline.recipes.recipe import load
from pipeline.store import catalog
from pipeline.verbs import VERBS, Verb
from stages.auditing.journal import Marks
from tests.pipeline.audited import draw, judge
from tests.pipeline.helpers import make_all, rows_of

if TYPE_CHECKING:
    from pathlib import Path

DRAW = Verb("audit draw", "Draw pseudo-labels at random, to be judged.", "audits")
CLOSE = Verb("audit close", "Make an artifact of what was judged.", "reviews", own_command=True)


@pytest.fixture(autouse=True)
def real_audit(toy_verbs: None) -> None:
    """Toys for all but this verb; the fixture restores them."""
    VERBS.update({verb.name: verb for verb in (DRAW, CLOSE)})


def test_an_audit_is_drawn_judged_reported_and_closed(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make_all(root, count=20)
    answer = rc("audit", "draw", "first", "--size", "24", "--strata", "3")
    assert answer.code == 0, answer.err
    audit = catalog.find(root, "audits@first")
    assert answer.out.startswith(f"{audit.address}  24 labels of 51 drawn as first\n")
    assert "rc audit report first" in answer.err
    judge(audit, {place: "right" if place else "unsure" for place in range(24)})
    answer = rc("audit", "report", "first", "--target", "0.5")
    assert answer.code == 0
    assert answer.out.startswith(f"{audit.address}: 24 of 24 labels judged\n1 left out")
    assert "precision of all" in answer.out
    assert "100.0 [" in answer.out
    assert "stratum" in answer.out
    answer = rc("audit", "close", "first")
    assert answer.code == 0
    assert answer.out.startswith(catalog.find(root, "reviews@first").address)
    assert "24 of 24 labels judged, in 24 reviews" in answer.out
    assert rows_of(catalog.find(root, "reviews@first")).num_rows == 24


def test_a_report_is_json_or_a_page_too(rc, root: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    judge(draw(root), dict.fromkeys(range(24), "right"))
    answer = rc("audit", "report", "first", "--json", "--out", tmp_path / "page")
    assert json.loads(answer.out)["progress"]["judged"] == 24
    assert (tmp_path / "page" / "index.html").exists()
    answer = rc("audit", "report", "first", "--out", tmp_path / "page")
    assert answer.out.splitlines()[-1] == str(tmp_path / "page" / "index.html")


def test_names_of_the_store_are_shown_on_one_line(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    audit = draw(root)
    judge(audit, {0: "right", 1: "wrong"})
    judge(audit, {0: "right", 1: "wrong"}, reviewer="[bold]ann")
    answer = rc("audit", "report", "first")
    assert "(no name) and [bold]ann agree on 100% of 2 labels, kappa 1.00" in answer.out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("draw", "First"), "rc audit draw: 'First' is no name for an audit"),
        (("draw", "first", "--size", "1"), "rc audit draw: --size must be at least 2, got 1"),
        (("report", "second"), "audits@second"),
        (("close", "second"), "second"),
        (("report", "first"), "was judged right or wrong"),
        (("close", "first"), "no label of audits@first was judged yet"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(rc, root: Path, words, sentence: str) -> None:  # type: ignore[no-untyped-def]
    draw(root)
    answer = rc("audit", *words)
    assert (answer.code, answer.out) == (1, "")
    assert sentence in answer.err
    assert answer.err.startswith("error: ")
    assert len(answer.err.splitlines()) == 1


def test_help_shows_the_group_and_its_commands(rc) -> None:  # type: ignore[no-untyped-def]
    assert "\n  audit " in rc("--help").out
    group = rc("audit", "--help").out
    assert [line.split()[0] for line in group.split("Commands:\n")[1].splitlines()] == [
        *("draw", "report", "close"),
    ]
    text = rc("audit", "draw", "--help").out
    assert "Usage: rc audit draw [OPTIONS] [NAME]" in text
    assert "Example: rc audit draw first --size 200" in text


def test_options_are_shown_and_come_from_the_environment(  # type: ignore[no-untyped-def]
    rc, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RC_AUDIT_DRAW_SIZE", "17")
    assert "environment RC_AUDIT_DRAW_SIZE; rows" in rc("config", "audit draw").out
    make_all(root, count=20)
    assert rc("audit", "draw", "first", "--strata", "2").code == 0
    assert rows_of(catalog.find(root, "audits@first")).num_rows == 17


def test_lineage_prints_the_commands_that_would_make_it_again(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make_all(root, count=20)
    rc("audit", "draw", "first", "--size", "24", "--strata", "3", "--by", "probability")
    judge(catalog.find(root, "audits@first"), {0: "right"})
    rc("audit", "close", "first")
    lines = [line.strip() for line in rc("lineage", "reviews@first").out.splitlines()]
    assert "rc audit close first" in lines
    assert "rc audit draw first --size 24 --by probability --strata 3" in lines


def test_a_name_that_moves_is_told(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    former = draw(root)
    answer = rc("audit", "draw", "first", "--size", "24", "--strata", "2")
    assert f"first was {former.address} before; that stays, and has no name now" in answer.err
    again = rc("audit", "draw", "first", "--size", "24", "--strata", "2")
    assert "before" not in again.err


def test_a_recipe_may_draw_an_audit(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(
        '[[step]]\nrun = "label"\n\n'
        '[[step]]\nrun = "audit draw"\ncalled = "first"\nsize = 12\npseudo_labels = "@label"\n'
    )
    step = load(path, {}).steps[1]
    assert (step.verb, step.options) == ("audit draw", {"called": "first", "size": 12})


def test_the_page_of_commands_has_each_with_its_options() -> None:
    page = commands_page(make_app([], load_all=True))
    draw_section = page.split("\n## rc audit draw\n")[1].split("\n## ")[0]
    assert "| `--strata` | `10` | at most so many (≥ 1) |" in draw_section
    assert "--workers" not in draw_section
    assert "| `--target` | `0.9` |" in page.split("\n## rc audit report\n")[1].split("\n## ")[0]
    assert "\n## rc audit close\n" in page
    assert "\n## rc audit\n" not in page


def test_marks_in_bulk_are_closed_by_the_same_verb(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    labels = make_all(root, count=20)["pseudo_labels"]
    row = rows_of(labels).to_pylist()[0]
    key = (row["image_id"], row["region"], row["concept_id"])
    told = {"id": "1", "of": labels.address, "labels": [key]}
    write_marks(root, "bulk", Marks(verdict="wrong", concept="cup", **told))  # type: ignore[arg-type]
    answer = rc("audit", "close", "bulk")
    assert answer.code == 0, answer.err
    reviews = catalog.find(root, "reviews@bulk")
    assert answer.out.startswith(f"{reviews.address}  1 label marked, in 1 review\n")
    assert reviews.manifest.inputs == {"pseudo_labels": labels.address}
    (said,) = rows_of(reviews).to_pylist()
    assert (said["image_id"], said["region"], said["verdict"], said["concept"]) == (
        *key[:2],
        "wrong",
        "cup",
    )
