"""`rc run`: steps in order, finished ones skipped, names handed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.store import catalog
from tests.pipeline.helpers import make
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path

CHAIN = """
[defaults]
count = 8
[[step]]
run = "ingest"
as = "pictures"
sources = ["{place}"]
count = "{count}"
tint = 1
[[step]]
run = "propose"
images = "@pictures"
mark = "{log}"
"""


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    path = tmp_path / "chain.toml"
    path.write_text(CHAIN)
    return path


def run_chain(rc, chain: Path, *words: object):  # type: ignore[no-untyped-def]
    log = chain.parent / "log"
    return rc("run", chain, "--set", "place=here", "--set", f"log={log}", *words)


def test_every_step_prints_its_line_and_finished_steps_are_skipped(rc, root, chain) -> None:  # type: ignore[no-untyped-def]
    result = run_chain(rc, chain)
    images, proposals = (catalog.find(root, name) for name in ("images", "proposals"))
    assert result.code == 0
    assert result.out == f"{images.address}  8 rows\n{proposals.address}  24 rows\n"
    assert result.err == "== pictures\n== 2 propose\n"
    again = run_chain(rc, chain)
    assert again.out == result.out
    assert len((chain.parent / "log").read_text().splitlines()) == 2


def test_a_recipe_and_flags_that_say_the_same_make_the_same_artifact(rc, root, chain) -> None:  # type: ignore[no-untyped-def]
    run_chain(rc, chain)
    rc("ingest", "here", "--count", "8", "--tint", "1")
    assert len(catalog.committed(root, "images")) == 1


def test_a_step_reads_what_it_names_even_if_there_is_something_newer(rc, root, chain) -> None:  # type: ignore[no-untyped-def]
    run_chain(rc, chain)
    make(Ingest(count=3), root)
    run_chain(rc, chain, "--set", "count=9")
    parents = catalog.parents(catalog.find(root, "proposals"))
    assert parents["images"].manifest.rows == 9


def test_a_name_no_earlier_step_bears_is_a_sentence(rc, root, chain) -> None:  # type: ignore[no-untyped-def]
    chain.write_text(CHAIN.replace("@pictures", "@paintings"))
    result = run_chain(rc, chain)
    assert result.code == 1
    assert "error: step '2 propose': no earlier step has the name 'paintings'" in result.err


def test_a_wrong_setting_is_a_sentence(rc, chain) -> None:  # type: ignore[no-untyped-def]
    result = run_chain(rc, chain, "--set", "count")
    assert result.err == "error: rc run: --set takes name=value, got 'count'\n"
    assert "has no value; give one with --set place=" in rc("run", chain).err


def test_a_failing_step_ends_the_recipe(rc, root, chain) -> None:  # type: ignore[no-untyped-def]
    chain.write_text(CHAIN.replace('mark = "{log}"', "break_part = 1"))
    result = run_chain(rc, chain)
    assert result.code == 1
    assert "error: rc propose: 1 of 2 parts failed; part 1 said: " in result.err
    assert catalog.committed(root, "proposals") == []


def test_a_dry_run_ends_at_the_first_step_that_would_work(rc, root, chain) -> None:  # type: ignore[no-untyped-def]
    first = run_chain(rc, chain, "--dry-run")
    assert first.out.count("would compute 2 of 2 parts") == 1
    assert "a dry run ends here" in first.err
    rc("ingest", "here", "--count", "8")
    second = run_chain(rc, chain, "--dry-run")
    assert "finished already" in second.out
    assert "proposals/v1-" in second.out
    assert catalog.committed(root, "proposals") == []


def test_an_unknown_recipe_is_a_sentence(rc) -> None:  # type: ignore[no-untyped-def]
    assert rc("run", "no-such").err.startswith("error: no recipe 'no-such': give a TOML file, or")
