"""Journals: what was told is there, once, after kills and from several processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from schemas.errors import ArtifactError, OptionError
from stages.auditing.journal import UNDO, Journal, Judgement, time_of

if TYPE_CHECKING:
    from pathlib import Path

WRITER = """
import sys
from pathlib import Path
from stages.auditing.journal import Journal, Judgement
journal = Journal(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    journal.append(Judgement(
        id=f"{sys.argv[2]} {number}", image_id="ü 空", region=number, concept_id=1, verdict="right"
    ))
    print(number, flush=True)
"""


def said(region: int, verdict: str, **more: object) -> Judgement:
    content = {"id": os.urandom(8).hex(), "image_id": "a.jpg", "concept_id": 3, **more}
    return Judgement(region=region, verdict=verdict, **content)  # type: ignore[arg-type]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "first.jsonl")


def test_judgements_are_read_as_they_were_told(journal: Journal) -> None:
    told = [said(0, "right", time="2026-01-31T12:00:00+00:00"), said(1, "wrong", concept="cup")]
    for judgement in told:
        journal.append(judgement)
    first, second = journal.judgements()
    assert first == told[0]
    assert second.concept == "cup"
    assert time_of(second).utcoffset() is not None
    assert Journal(journal.path.with_name("none.jsonl")).judgements() == []


def test_the_last_word_counts_unless_it_is_taken_back(journal: Journal) -> None:
    for judgement in (
        said(0, "right"),
        said(0, "wrong"),
        said(0, "right", reviewer="two"),
        said(1, "right"),
        said(1, UNDO),
        said(2, "unsure"),
    ):
        journal.append(judgement)
    last = [(j.region, j.reviewer, j.verdict) for j in journal.last_words()]
    assert last == [(0, "", "wrong"), (0, "two", "right"), (2, "", "unsure")]


def test_a_judgement_that_is_told_twice_counts_once(journal: Journal) -> None:
    journal.append(said(0, "right", id="one"))
    journal.append(said(0, UNDO))
    journal.append(said(0, "right", id="one"))  # a browser that had no answer tells it again
    assert len(journal.judgements()) == 2
    assert journal.last_words() == []


@pytest.mark.parametrize("kept", [1, 40, -2])
def test_a_line_that_was_cut_off_is_not_there_and_hides_nothing(
    journal: Journal, kept: int
) -> None:
    journal.append(said(0, "right"))
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + whole[:kept])
    journal.append(said(1, "wrong"))
    assert [j.region for j in journal.judgements()] == [0, 1]


@pytest.mark.parametrize(
    "line", [b"{}", b'{"id": 1}', b"[1}", b'{"id": "x", "verdict": "maybe"}', b"\xff}"]
)
def test_a_line_that_somebody_edited_is_named(journal: Journal, line: bytes) -> None:
    journal.append(said(0, "right"))
    journal.path.write_bytes(journal.path.read_bytes() + line + b"\n")
    with pytest.raises(ArtifactError, match=r"first.jsonl, line 2: no judgement"):
        journal.judgements()


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "maybe"},
        {"region": -1},
        {"region": 1.5},
        {"region": True},
        {"concept_id": 1 << 31},
        {"id": ""},
        {"id": "x" * 300},
        {"image_id": "\ud800"},
        {"image_id": 7},
        {"reviewer": "a\nb"},
        {"concept": "x" * 300},
        {"time": "yesterday"},
    ],
)
def test_a_judgement_of_other_values_is_refused(wrong: dict[str, object]) -> None:
    good = {"id": "1", "image_id": "a", "region": 0, "concept_id": 0, "verdict": "right"}
    with pytest.raises(OptionError):
        Judgement(**{**good, **wrong})  # type: ignore[arg-type]


def test_several_processes_lose_and_double_nothing(journal: Journal) -> None:
    command = [sys.executable, "-c", WRITER, str(journal.path)]
    writers = [
        subprocess.Popen([*command, name, "100"], stdout=subprocess.DEVNULL) for name in "abc"
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    ids = [judgement.id for judgement in journal.judgements()]
    assert sorted(ids) == sorted(f"{name} {n}" for name in "abc" for n in range(100))


def test_a_kill_loses_nothing_that_was_told(journal: Journal) -> None:
    command = [sys.executable, "-c", WRITER, str(journal.path), "a", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = [int(next(writer.stdout)) for _ in range(50)]
        writer.send_signal(signal.SIGKILL)
        told += [int(line) for line in writer.stdout.read().splitlines()]
    regions = [judgement.region for judgement in journal.judgements()]
    assert regions[: len(told)] == told
    assert len(regions) - len(told) in (0, 1)
