"""Where an export goes: never over something by accident, and whole or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

from pipeline.store.atomic import publish
from schemas.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


def with_suffix(verb: str, out: Path, suffix: str) -> Path:
    """`out`, given `suffix` if it has none.

    Raises:
        OptionError: If it has another.
    """
    if not out.name.strip("."):
        raise OptionError(f"rc {verb}: '{out}' is no name for a file")
    if out.suffix in ("", suffix):
        return out.with_suffix(suffix)
    raise OptionError(f"rc {verb}: this format is written to a {suffix} file, got '{out.name}'")


@contextmanager
def drafts(verb: str, targets: Sequence[Path], *, force: bool) -> Iterator[list[Path]]:
    """Draft paths that become `targets` if the block succeeds, and vanish if not.

    The first target appears last, so that whoever finds it finds the others. A draft that the
    block did not write has no target.

    Raises:
        OptionError: If a target exists and `force` is not set.
    """
    for target in targets:
        if target.is_dir() or (target.exists() and not force):
            raise OptionError(
                f"rc {verb}: {target} exists; give another name, or --force to replace it"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
    made = [target.with_name(f".{uuid4().hex}.{target.name}") for target in targets]
    try:
        yield made
        for draft, target in reversed(list(zip(made, targets, strict=True))):
            if draft.exists():
                publish(draft, target)
    finally:
        for draft in made:
            draft.unlink(missing_ok=True)
