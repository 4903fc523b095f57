"""`rc show`: everything a manifest says, for people and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.pipeline.helpers import make
from tests.pipeline.toys import Ingest, Propose

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from stages.base import Part


def test_options_inputs_notes_times_and_refusals_are_shown(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    images = make(Ingest(refuse_every=7), root)
    proposals = make(Propose(regions=2), root)
    result = rc("show", "images")
    lines = result.out.splitlines()
    assert (result.code, result.err) == (0, "")
    assert lines[0] == f"address  {images.address}"
    assert "made_by  rc ingest (version 1)" in lines
    assert "rows     17" in lines
    for title, line in (
        ("options", "  refuse_every  7"),
        ("notes", "  images   17"),
        ("refused", "  told-to  3"),
        ("run", "  workers        1"),
    ):
        assert line in lines[lines.index(title) :]
    assert f"  images  {images.address}" in rc("show", proposals.address).out.splitlines()


def test_everything_is_one_object_of_json(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    images = make(Ingest(refuse_every=7), root)
    prefix = images.manifest.fingerprint[:6]
    answer = json.loads(rc("show", f"images@{prefix}", "--json").out)
    assert answer["address"] == images.address
    assert answer["options"]["refuse_every"] == 7
    assert (answer["rows"], answer["refused"]) == (17, {"told-to": 3})
    assert answer["run"]["seconds"] >= 0


def test_no_control_character_of_a_note_reaches_the_terminal(  # type: ignore[no-untyped-def]
    rc, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trouble(stage: Ingest, part: Part) -> None:
        part.note("name\x1b[2J", ["red\x1b[31m", 0.25])

    monkeypatch.setattr(Ingest, "trouble", trouble)
    make(Ingest(), root)
    result = rc("show", "images")
    assert "\x1b" not in result.out
    assert "name�[2J  [red�[31m, 0.25]" in result.out
    assert "\x1b" not in rc("show", "images", "--json").out


def test_what_is_not_there_is_refused(rc) -> None:  # type: ignore[no-untyped-def]
    result = rc("show", "images")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: no artifact matches 'images'")
