"""What artifacts are called: which of several nobody named, and names that others have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.store import catalog
from pipeline.store.artifact_names import called
from pipeline.store.journals import journal_path
from pipeline.store.tables import models
from schemas.audits import AUDITS
from schemas.errors import OptionError
from schemas.pseudo_labels import PSEUDO_LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.store.artifact import Artifact
    from stages.base import Stage

_GROWS: Final = "size"  # a larger sample holds the smaller one


def taken_unasked(
    stage: Stage,
    pinned: Mapping[str, str | None],
    chosen: Mapping[str, Artifact],
    root: Path,
) -> list[str]:
    """A sentence for each model that nobody named or implied, where there are others.

    What gets a name, as a selection or an audit, may be made of older labels on purpose: there it
    is said of labels too.
    """
    required, lines = stage.requires(), []
    looked = (*models(), PSEUDO_LABELS.name) if name_of(stage) else models()
    for role, artifact in chosen.items():
        table = artifact.manifest.artifact
        others = [other for name, other in chosen.items() if name != role]
        follows = [catalog.ancestor(other, (table,)) for other in others]
        if pinned.get(role) or table not in looked or artifact in follows:
            continue
        tables = required[role].names
        counts = {name: len(catalog.committed(root, name)) for name in tables}
        if sum(counts.values()) > 1:
            which = f", the newest of {counts[table]}" if counts[table] > 1 else ""
            takes = " or ".join(f"{name}@…" for name in tables)
            flag = role.replace("_", "-")
            lines.append(f"{role}: {artifact.address}{which}; --{flag} {takes} takes another")
    return lines


def name_of(stage: Stage) -> str:
    """What the user calls the result; empty if it has no name."""
    return str(getattr(stage, "called", ""))


def holder(stage: Stage, root: Path) -> Artifact | None:
    """The artifact that has the name of a stage's result now."""
    name = name_of(stage)
    return called(root, stage.makes(), name) if name else None


def check_judged(stage: Stage, inputs: Mapping[str, Artifact], root: Path) -> None:
    """Pass if what was judged of an audit is about this sample too.

    Raises:
        OptionError: If the audit of that name, which somebody judged, is another sample.
    """
    if stage.makes().name != AUDITS.name or not journal_path(root, name_of(stage)).exists():
        return
    if (audit := holder(stage, root)) is None:
        return
    own, former = dict(stage.recipe()), dict(audit.manifest.stage.options)
    addresses = {role: artifact.address for role, artifact in inputs.items()}
    size = former.pop(_GROWS, 0)
    shrinks = not isinstance(size, int) or own.pop(_GROWS) < size
    differing = [_GROWS] * shrinks + [n for n in own if own[n] != former.get(n)]
    differing += [role for role in addresses if addresses[role] != audit.manifest.inputs.get(role)]
    if differing:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in differing)
        raise OptionError(
            f"rc {stage.name}: {name_of(stage)} ({audit.address}) was judged already, and is "
            f"another sample ({flags}): choose another name, or give what it was drawn with"
        )
