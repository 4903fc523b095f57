"""Output files appear complete or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.exporting.output_files import draft_paths, with_suffix
from schemas.errors import OptionError


@pytest.mark.parametrize(("out", "path"), [("a/b", "a/b.npy"), ("b.npy", "b.npy")])
def test_a_missing_suffix_is_added(out: str, path: str) -> None:
    assert with_suffix("verb", Path(out), ".npy") == Path(path)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("b.txt", "rc verb: this format is written to a .npy file, got 'b.txt'"),
        ("", "rc verb: '.' is not a file name"),
        ("a/..", "rc verb: 'a/..' is not a file name"),
    ],
)
def test_another_suffix_or_no_name_is_refused(out: str, message: str) -> None:
    with pytest.raises(OptionError) as refused:
        with_suffix("verb", Path(out), ".npy")
    assert str(refused.value) == message


def test_targets_appear_at_the_end_and_the_first_one_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []

    def publish(draft: Path, target: Path) -> None:
        order.append(target.name)
        draft.replace(target)

    monkeypatch.setattr("pipeline.exporting.output_files.publish", publish)
    targets = [tmp_path / "new" / name for name in ("first", "second", "unwritten")]
    with draft_paths("verb", targets, force=False) as drafts:
        for draft in drafts[:2]:
            draft.write_text(draft.name)
        assert not any(target.exists() for target in targets)
    assert order == ["second", "first"]
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"first", "second"}


def test_an_error_leaves_no_draft_and_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old")

    def fail() -> None:
        with draft_paths("verb", [target], force=True) as (draft,):
            draft.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert target.read_text() == "old"


def test_a_file_is_replaced_only_with_force_and_a_folder_never(tmp_path: Path) -> None:
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.write_text("old")
    folder.mkdir()
    for target, force in ((file, False), (folder, False), (folder, True)):
        with (
            pytest.raises(OptionError, match=rf"{target.name} exists; give another name"),
            draft_paths("verb", [target], force=force),
        ):
            pass
    with draft_paths("verb", [file], force=True) as (draft,):
        draft.write_text("new")
    assert file.read_text() == "new"
