"""Journals lie beside the artifacts of a store."""

from __future__ import annotations

from pathlib import Path

from pipeline.store.journals import journal_path


def test_a_journal_is_a_file_of_its_own() -> None:
    assert journal_path(Path("store"), "first") == Path("store/journals/first.jsonl")
