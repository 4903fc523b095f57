"""Output files of an export: complete or absent, and never replaced by accident."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.store.atomic import make_folder, new_folder, sweep_drafts, whole_or_absent
from pipeline.store.disk_full import room_for
from schemas.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path


def folder_name(verb: str, out: Path, suffixes: Collection[str]) -> Path:
    """`out` as the name of a folder.

    Raises:
        OptionError: If it is not one, such as a name with one of the suffixes of files.
    """
    if out.suffix in suffixes or not out.name.strip("."):
        raise OptionError(
            f"rc {verb}: this format is a folder of several files, got '{out}'; give the name of "
            f"a folder"
        )
    return out


def with_suffix(verb: str, out: Path, suffix: str) -> Path:
    """`out` with `suffix`, which is added if `out` has none.

    Raises:
        OptionError: If `out` has another suffix, or is not a file name.
    """
    if not out.name.strip("."):
        raise OptionError(f"rc {verb}: '{out}' is not a file name")
    if out.suffix in ("", suffix):
        return out.with_suffix(suffix)
    raise OptionError(f"rc {verb}: this format is written to a {suffix} file, got '{out.name}'")


@contextmanager
def draft_file(verb: str, target: Path, *, force: bool) -> Iterator[Path]:
    """A draft path; on success it becomes the file `target`, on an error it is deleted.

    Raises:
        OptionError: If the target exists and `force` is not set.
        DiskFullError: If there is no room for it.
    """
    sweep_drafts(target.parent, target.name)
    if target.is_dir():
        raise OptionError(f"rc {verb}: {target} is a folder; give another name")
    if target.exists() and not force:
        raise OptionError(
            f"rc {verb}: {target} exists; give another name, or --force to replace it"
        )
    with room_for(target):
        make_folder(target.parent)
    with whole_or_absent(target) as draft:
        yield draft


@contextmanager
def draft_folder(
    verb: str, target: Path, is_ours: Callable[[str], bool], *, force: bool
) -> Iterator[Path]:
    """The draft of a folder; on success it becomes `target`, on an error it is deleted.

    Args:
        verb: For messages.
        target: The folder.
        is_ours: Whether a file of this name may be in it; a folder with others is not replaced.
        force: Whether to replace a folder of such files.

    Raises:
        OptionError: If the target exists and `force` is not set, or it has other files.
        DiskFullError: If there is no room for it.
    """
    sweep_drafts(target.parent, target.name)
    if target.exists() and not force:
        raise OptionError(
            f"rc {verb}: {target} exists; give another name, or --force to replace it"
        )
    if target.is_file():
        raise OptionError(f"rc {verb}: {target} is a file; give another name")
    others = [path.name for path in target.glob("*") if not is_ours(path.name)]
    if others:
        raise OptionError(
            f"rc {verb}: {target} is kept, since {others[0]!r} in it is not of this command; give "
            f"another name"
        )
    with new_folder(target, replace=force) as draft:
        yield draft
