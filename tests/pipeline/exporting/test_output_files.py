"""Output files appear complete or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.exporting.output_files import draft_file, draft_folder, folder_name, with_suffix
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


def test_an_error_leaves_no_draft_and_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("old")

    def fail() -> None:
        with draft_file("verb", target, force=True) as draft:
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
    for target, force, why in (
        (file, False, "file exists; give another name, or --force"),
        (folder, False, "folder is a folder; give another name"),
        (folder, True, "folder is a folder; give another name"),
    ):
        with pytest.raises(OptionError, match=why), draft_file("verb", target, force=force):
            pass
    with draft_file("verb", file, force=True) as draft:
        draft.write_text("new")
    assert file.read_text() == "new"


def write_folder(target: Path, *, force: bool) -> None:
    with draft_folder("verb", target, {"a", "b"}.__contains__, force=force) as draft:
        (draft / "b").write_text("new")


def test_a_folder_is_replaced_only_with_force_and_only_if_all_in_it_is_ours(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder"
    write_folder(target, force=False)
    with pytest.raises(OptionError, match="exists; give another name, or --force to replace it"):
        write_folder(target, force=False)
    (target / "a").write_text("old")
    write_folder(target, force=True)
    assert [path.name for path in target.iterdir()] == ["b"]
    (target / "mine").write_text("kept")
    with pytest.raises(OptionError, match="is kept, since 'mine' in it is not of this command"):
        write_folder(target, force=True)
    with pytest.raises(OptionError, match="is a file; give another name"):
        write_folder(target / "mine", force=True)
    assert (target / "mine").read_text() == "kept"
    assert [path.name for path in target.parent.iterdir()] == ["folder"]


@pytest.mark.parametrize("out", ["a/b.npy", "", "a/.."])
def test_the_name_of_a_file_is_not_that_of_a_folder(out: str) -> None:
    assert folder_name("verb", Path("a/b"), (".npy",)) == Path("a/b")
    with pytest.raises(OptionError, match=r"a folder of several files, got '.*'; give"):
        folder_name("verb", Path(out), (".npy",))
