"""Journals: what was told is there, once, after kills and from several processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from schemas.errors import ArtifactError, OptionError
from stages.auditing.journal import UNDO, Journal, Judgement, Marks, time_of

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


def marked(regions: list[int], verdict: str = "right", **more: object) -> Marks:
    labels = [("a.jpg", region, 3) for region in regions]
    content = {"id": os.urandom(8).hex(), "of": "pseudo_labels/v1-1", "labels": labels, **more}
    return Marks(verdict=verdict, **content)  # type: ignore[arg-type]


def words(journal: Journal) -> list[tuple[int, str, str | None, str]]:
    said = [(j.region, j.verdict, j.concept, j.reviewer) for j in journal.last_words()]
    return sorted(said, key=str)


def test_marks_are_judgements_of_each_label(journal: Journal) -> None:
    journal.append(marked([0, 1, 2]))
    journal.append(marked([1, 2], "wrong", concept="cup", reviewer="ann"))
    journal.append(marked([2], "wrong"))
    assert words(journal) == [
        *[(0, "right", None, ""), (1, "right", None, ""), (1, "wrong", "cup", "ann")],
        *[(2, "wrong", "cup", "ann"), (2, "wrong", None, "")],
    ]
    assert len(journal.path.read_bytes().splitlines()) == 3  # a line for each action
    assert all(time_of(j).utcoffset() is not None for j in journal.judgements())


def test_an_action_that_is_taken_back_was_never_told(journal: Journal) -> None:
    first, second = marked([0, 1]), marked([1, 2], "wrong")
    back = {"labels": (), "takes_back": second.id}
    for told in (first, second, marked([], UNDO, **back, reviewer="ann")):
        journal.append(told)
    assert [j.region for j in journal.last_words() if j.verdict == "wrong"] == [1, 2]  # not hers
    journal.append(marked([], UNDO, **back))
    assert words(journal) == [(0, "right", None, ""), (1, "right", None, "")]
    journal.append(second)  # a browser that had no answer tells it again
    assert words(journal) == [(0, "right", None, ""), (1, "right", None, "")]
    assert [action.id for action in journal.actions()] == [first.id]


@pytest.mark.parametrize("kept", [1, 90, -2])
def test_marks_that_were_cut_off_are_wholly_gone(journal: Journal, kept: int) -> None:
    journal.append(marked([0]))
    whole = journal.path.read_bytes()
    journal.append(marked(list(range(1, 50)), "wrong"))
    added = journal.path.read_bytes()[len(whole) :]
    journal.path.write_bytes(whole + added[:kept])
    assert words(journal) == [(0, "right", None, "")]
    journal.append(marked([7]))
    assert [region for region, *_ in words(journal)] == [0, 7]


def test_marks_of_one_journal_are_of_one_artifact(journal: Journal) -> None:
    assert journal.marked() == ""
    journal.append(marked([0]))
    assert journal.marked() == "pseudo_labels/v1-1"
    before = journal.path.read_bytes()
    with pytest.raises(OptionError, match=r"are of pseudo_labels/v1-1: show these labels"):
        journal.append(marked([1], of="pseudo_labels/v1-2"))
    assert journal.path.read_bytes() == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "maybe"},
        {"verdict": UNDO},
        {"labels": []},
        {"labels": "ab"},
        {"labels": [["a", 1]]},
        {"labels": [["a", 1, -1]]},
        {"labels": [None]},
        {"labels": [["a", 1, 1]] * 200_001},
        {"takes_back": "x"},
        {"takes_back": 7},
        {"of": "a\nb"},
        {"of": "x" * 300},
        {"id": ""},
        {"id": 5},
        {"reviewer": "a\nb"},
        {"concept": "x" * 300},
    ],
)
def test_marks_of_other_values_are_refused(wrong: dict[str, object]) -> None:
    good = {"id": "1", "of": "pseudo_labels/1", "labels": [["a", 0, 0]], "verdict": "right"}
    with pytest.raises(OptionError):
        Marks(**{**good, **wrong})  # type: ignore[arg-type]


MARKER = """
import sys
from pathlib import Path
from stages.auditing.journal import Journal, Marks
journal = Journal(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    labels = [("a.jpg", number * 100 + place, 1) for place in range(100)]
    told = Marks(id=f"{sys.argv[2]} {number}", of="x", labels=labels, verdict="right")
    journal.append(told)
    print(number, flush=True)
"""


def test_a_kill_leaves_actions_whole(journal: Journal) -> None:
    command = [sys.executable, "-c", MARKER, str(journal.path), "a", "100000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = [int(next(writer.stdout)) for _ in range(20)]
        writer.send_signal(signal.SIGKILL)
        told += [int(line) for line in writer.stdout.read().splitlines()]
    sizes = [len(action.labels) for action in journal.actions() if isinstance(action, Marks)]
    assert set(sizes) == {100}
    assert len(sizes) - len(told) in (0, 1)


def test_several_processes_mark_at_once(journal: Journal) -> None:
    command = [sys.executable, "-c", MARKER, str(journal.path)]
    writers = [subprocess.Popen([*command, n, "20"], stdout=subprocess.DEVNULL) for n in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    ids = sorted(action.id for action in journal.actions())
    assert ids == sorted(f"{name} {n}" for name in "ab" for n in range(20))
