"""Which artifacts a stage reads: pinned by the user, or the newest that fit together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.execution.same_regions import check_same_regions
from pipeline.store import catalog
from pipeline.store.tables import models
from pipeline.verbs import maker
from schemas.errors import ArtifactError, ArtifactNotFoundError, OptionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pipeline.store.artifact import Artifact
    from stages.base import Reads, Stage

_WITH_VECTORS = ("features", "concept_embeddings", "pseudo_labels")
# whose language encoder a trained model kept, by role; the first of these that it was made from
_SPEAKS_AS = {"students": ("teacher",), "detectors": ("model", "embeddings")}


def resolve(stage: Stage, pinned: Mapping[str, str | None], root: Path) -> dict[str, Artifact]:
    """The artifact in each role, in the order the stage declares them.

    A role the user left open takes the artifact that other inputs were made from, if they were
    made from one; else the newest of its table.

    Raises:
        ArtifactNotFoundError: If a role cannot be filled.
        ArtifactError: If the artifacts do not belong together.
        OptionError: If one is named that is only read where it is named, and is not read here, or
            if a name is empty.
    """
    required = stage.requires()
    for role, name in pinned.items():
        if name is not None and (not name.strip() or name.endswith("@")):
            raise OptionError(
                f"rc {stage.name}: --{_flag(role)} is {name!r}, as an unset shell variable makes "
                f"it: name an artifact, or leave it out"
            )
    _refuse_unused(stage, [role for role, name in pinned.items() if name and role not in required])
    chosen = {
        role: _pinned(stage, role, required[role], name, root)
        for role, name in pinned.items()
        if name and role in required
    }
    for role in sorted(set(required) - set(chosen), key=list(required).index):
        if artifact := _open_role(stage, role, chosen, root):
            chosen[role] = artifact
    ordered = {role: chosen[role] for role in required if role in chosen}
    _check_parts(stage, ordered)
    _check_proposals(stage, ordered)
    _check_language(stage, ordered)
    check_same_regions(stage, ordered)
    return ordered


def check_cut(stage: Stage, inputs: Mapping[str, Artifact], numbers: Iterable[int]) -> None:
    """Inputs read part by part must have the parts that are to be computed.

    Raises:
        ArtifactError: If one was made from fewer images, as `--limit` does.
    """
    for role, reads in stage.requires().items():
        if role not in inputs or reads.whole:
            continue
        missing = sorted(set(numbers) - _parts(reads, inputs[role]))
        if missing:
            raise ArtifactError(
                f"rc {stage.name}: {role} ({inputs[role].address}) lacks part {missing[0]}, as if "
                f"made with a smaller --limit ({len(missing)} parts are missing). Use the same "
                f"--limit here, or make {reads.table.name} again without."
            )


def check_rows(stage: Stage, inputs: Mapping[str, Artifact]) -> None:
    """Every input must have rows.

    Raises:
        ArtifactError: If one has none.
    """
    required = stage.requires()
    for role, artifact in inputs.items():
        if artifact.is_empty and not required[role].retried:
            raise ArtifactError(
                f"rc {stage.name}: {role} ({artifact.address}) has no rows, so there is nothing to "
                f"do. Make it again with 'rc {artifact.manifest.stage.name}', or name another; "
                "--allow-empty goes on all the same."
            )


def language(artifact: Artifact) -> Artifact | None:
    """The model whose language encoder an artifact's vectors live with; None if nobody knows.

    A student keeps the frozen encoder of the teacher it started from, so it counts as that
    teacher, however many rounds ago; a detector likewise counts as the model it started from.
    One that was imported speaks for itself, unless its file had no encoder; of imported
    embeddings nobody knows the encoder.
    """
    model = catalog.ancestor(artifact, models(with_language=True))
    while model is not None:
        made_from = model.manifest.inputs
        roles = _SPEAKS_AS.get(model.manifest.artifact, ())
        role = next((role for role in roles if role in made_from), None)
        if role is None:
            return None if model.manifest.notes.get("language") == "none" else model
        parent = catalog.parents(model).get(role)
        model = catalog.ancestor(parent, models(with_language=True)) if parent else None
    return None


def _pinned(stage: Stage, role: str, reads: Reads, name: str, root: Path) -> Artifact:
    tables = dict(zip(reads.names, (reads.table, *reads.also), strict=True))
    if len(tables) == 1 and not reads.retried:
        name = catalog.named(reads.names[0], name)
    said = name.split("@")[0].split("/")[0]
    table = tables.get(said)
    if table is None:
        allowed = " or ".join(f"{known}@…" for known in tables)
        raise OptionError(f"rc {stage.name}: --{_flag(role)} takes {allowed}, got '{name}'")
    return catalog.find(root, table.name + name.removeprefix(said), table.version)


def _open_role(
    stage: Stage, role: str, chosen: Mapping[str, Artifact], root: Path
) -> Artifact | None:
    """The artifact for a role nobody pinned."""
    required = stage.requires()
    reads = required[role]
    if reads.named:
        _refuse_unnamed(stage, role, reads)
        return None
    tables = tuple(table.name for table in (reads.table, *reads.also))
    aligned = [a for other, a in chosen.items() if not required[other].whole]
    related = [a for other, a in chosen.items() if not required[other].apart]
    # what a network was trained on is not what it is used on
    stop = () if set(tables) & set(models()) else models()
    for other in [*related, *_likely(stage, role, chosen, root)]:
        ancestor = catalog.ancestor(other, tables, stop)
        if ancestor and ancestor.path != other.path and _fits(reads, ancestor, aligned):
            return ancestor
    if reads.optional:
        return None
    try:
        return catalog.find(root, reads.table.name, reads.table.version)
    except ArtifactNotFoundError:
        if catalog.committed(root, reads.table.name):
            raise  # there are some, all without rows
        others = " or ".join(table.name for table in reads.also)
        instead = f"say --{_flag(role)} {others}, " if others else ""
        raise ArtifactNotFoundError(
            f"rc {stage.name} needs {reads.table.name}, and there are none in {root.absolute()}. "
            f"Make them first with {_maker(reads)}, {instead}or name a store with --store."
        ) from None


def _refuse_unused(stage: Stage, roles: Iterable[str]) -> None:
    """Pass if none of the roles, which these options do not need, is one that nobody names idly."""
    for role in roles:
        if role in stage.reads and (stage.reads[role].named or stage.reads[role].strict):
            raise OptionError(
                f"rc {stage.name}: --{_flag(role)} is not read with these options; leave it out, "
                f"or switch on what reads it ('rc {stage.name} --help')"
            )


def _refuse_unnamed(stage: Stage, role: str, reads: Reads) -> None:
    """Pass if a role that is only read where it is named is not needed either."""
    if not reads.optional:
        raise ArtifactNotFoundError(
            f"rc {stage.name} needs --{_flag(role)} with these options, and takes none unasked: "
            f"name {reads.table.name}@… ({_maker(reads)} makes them)"
        )


def _maker(reads: Reads) -> str:
    """The command that makes an input."""
    verb = maker(reads.table.name)
    return f"'rc {verb}'" if verb else "its stage"


def _likely(stage: Stage, role: str, chosen: Mapping[str, Artifact], root: Path) -> list[Artifact]:
    """The newest artifacts of the other open roles: what this role should fit."""
    newest = []
    for other, reads in stage.requires().items():
        if other == role or other in chosen or reads.optional:
            continue
        try:
            newest.append(catalog.find(root, reads.table.name, reads.table.version))
        except ArtifactNotFoundError:
            continue
    return newest


def _fits(reads: Reads, artifact: Artifact, aligned: Sequence[Artifact]) -> bool:
    """Whether an artifact, if read part by part, is about the images of those already chosen."""
    if reads.whole:
        return True
    images = catalog.ancestor(artifact, ("images",))
    other_images = {a.path for b in aligned if (a := catalog.ancestor(b, ("images",)))}
    if images is None or (other_images and images.path not in other_images):
        return False
    fewest = min((set(a.numbers) for a in aligned), key=len, default=set())  # what is computed
    return not reads.optional or _parts(reads, artifact) >= fewest


def _parts(reads: Reads, artifact: Artifact) -> set[int]:
    """Numbers of the parts that a role reads of an artifact."""
    return set((artifact.drafts if reads.drafts else artifact.parts).numbers)


def _check_parts(stage: Stage, inputs: Mapping[str, Artifact]) -> None:
    """Inputs read part by part must be about the same images, cut the same way."""
    required = stage.requires()
    aligned = {role: a for role, a in inputs.items() if not required[role].whole}
    if len(aligned) < 2:
        return
    images = {role: catalog.ancestor(a, ("images",)) for role, a in aligned.items()}
    origins = {role: a.address if a else "a source without images" for role, a in images.items()}
    if len(set(origins.values())) > 1:
        described = ", ".join(
            f"{role} ({aligned[role].address}) {o}" for role, o in origins.items()
        )
        raise ArtifactError(
            f"rc {stage.name}: inputs are about different images: {described}. "
            "Pin inputs made from the same images; see 'rc lineage'."
        )


def _check_proposals(stage: Stage, inputs: Mapping[str, Artifact]) -> None:
    """What is made of proposals must be made of the same: others have the same numbers."""
    required = stage.requires()
    sources = {
        role: source
        for role, artifact in inputs.items()
        if not (required[role].whole or required[role].apart)
        and (source := catalog.ancestor(artifact, ("proposals",), models()))
    }
    chosen = sources.get("proposals") or next(iter(sources.values()), None)
    for role, source in sources.items():
        artifact = inputs[role]
        if chosen is not None and source.path != chosen.path:
            raise ArtifactError(
                f"rc {stage.name}: {role} ({artifact.address}) were made of {source.address}, not "
                f"of {chosen.address}, whose regions have the same numbers and other boxes; pin "
                f"inputs made of the same proposals"
            )


def _check_language(stage: Stage, inputs: Mapping[str, Artifact]) -> None:
    """Vectors are only ever compared within the space of one language encoder."""
    encoders = {
        role: model
        for role, artifact in inputs.items()
        if artifact.manifest.artifact in {*models(with_language=True), *_WITH_VECTORS}
        if not stage.requires()[role].apart and (model := language(artifact))
    }
    # a note is the digest of an imported encoder: equal ones are one
    spaces = {model.manifest.notes.get("language") or model.path for model in encoders.values()}
    if len(spaces) > 1:
        roles = ", ".join(
            f"{role} ({inputs[role].address}) by {model.address}"
            for role, model in encoders.items()
        )
        raise ArtifactError(
            f"rc {stage.name}: inputs were made with different language encoders: {roles}. "
            "Make one of them again with the other's --teacher, or pin inputs that agree."
        )


def _flag(role: str) -> str:
    return role.replace("_", "-")
