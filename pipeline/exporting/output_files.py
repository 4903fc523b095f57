"""Output files of an export: complete or absent, and never replaced by accident."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipeline.store.atomic import draft_of, publish
from schemas.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


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
def draft_paths(verb: str, targets: Sequence[Path], *, force: bool) -> Iterator[list[Path]]:
    """Draft paths; on success they are renamed to `targets`, on an error they are deleted.

    The first target is renamed last, so that a reader who finds it also finds the others. A draft
    that the block did not write is skipped.

    Raises:
        OptionError: If a target exists and `force` is not set.
    """
    for target in targets:
        if target.is_dir() or (target.exists() and not force):
            raise OptionError(
                f"rc {verb}: {target} exists; give another name, or --force to replace it"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
    drafts = [draft_of(target) for target in targets]
    try:
        yield drafts
        for draft, target in reversed(list(zip(drafts, targets, strict=True))):
            if draft.exists():
                publish(draft, target)
    finally:
        for draft in drafts:
            draft.unlink(missing_ok=True)
