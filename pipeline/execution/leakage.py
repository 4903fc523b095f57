"""Leakage: where the boxes of an evaluation come from, and whether novel objects taught them.

And whether its images taught the model; see `pipeline.execution.training_images`.

A stage cannot look behind its inputs, and a number on "novel" categories means less if the
localizer was trained on their boxes. So the manifest of what a stage makes is given, here, what
its inputs' manifests say; it follows from the recipe alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow.compute as pc

from pipeline.execution.inputs import language
from pipeline.execution.training_images import with_training_images
from pipeline.store import catalog, parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa

    from pipeline.store.artifact import Artifact

UNKNOWN: Final = "unknown"
_SHOWN: Final = 5  # names in a warning before "and N more"


def with_leakage(inputs: Mapping[str, Artifact], notes: Mapping[str, Any]) -> dict[str, Any]:
    """The notes of a run, with the localizer and embeddings in `protocol`, and more `warnings`.

    Of an evaluation of a model, also `training_images`.

    Unchanged unless the stage noted `novel`: the categories on which no localizer among its
    inputs should have been trained.
    """
    if "novel" not in notes:
        return dict(notes)
    unseen = tuple(notes["novel"])
    protocol, warnings = dict(notes.get("protocol", {})), list(notes.get("warnings", ()))
    published = protocol.pop("proposals_published", {})
    if "proposals" in inputs:
        origin = localizer(inputs["proposals"], unseen)
        protocol["localizer"] = origin
        protocol["deviations"] = {
            **protocol.get("deviations", {}),
            **_deviations(published, origin["selection"]),
        }
        warnings += _leakage_warnings(origin, unseen)
    if "embeddings" in inputs:
        protocol["embeddings_address"] = inputs["embeddings"].address
        if language(inputs["embeddings"]) is None:
            warnings.append(
                f"which language encoder made {inputs['embeddings'].address} is unknown: they were "
                f"imported, and only their width was checked"
            )
    told = {**notes, "protocol": protocol, "warnings": warnings}
    return with_training_images(inputs, told) if "model" in inputs else told


def localizer(proposals: Artifact, unseen: tuple[str, ...]) -> dict[str, Any]:
    """Who proposed the boxes, how they were selected, and which unseen categories taught it.

    `novel_seen` is a list of names, or "unknown" where boxes or weights came from elsewhere. The
    selection's `pre_nms` is what was taken from each map of the network; "unknown" without one.
    """
    manifest = proposals.manifest
    origin: dict[str, Any] = {"proposals": proposals.address}
    while "dump" in catalog.parents(proposals):  # selected anew: the boxes are those of the dump
        proposals = catalog.parents(proposals)["dump"]
        origin["dump"] = proposals.address
    made = proposals.manifest
    before_nms = made.notes.get("network", {}).get("pre_nms", UNKNOWN)
    origin["selection"] = {**manifest.stage.options, "pre_nms": before_nms}
    by_rule = [name for name in ("random", "grid") if made.stage.options.get(name)]
    if by_rule:
        return {**origin, "source": by_rule[0], "novel_seen": []}
    if "rpn" not in made.inputs:
        return {**origin, "source": "imported", "novel_seen": UNKNOWN}
    rpn = catalog.parents(proposals).get("rpn")
    origin |= {"source": "rpn", "rpn": made.inputs["rpn"]}
    return {**origin, "novel_seen": UNKNOWN if rpn is None else _leaked_categories(rpn, unseen)}


def _deviations(published: Mapping[str, Any], used: Mapping[str, Any]) -> dict[str, Any]:
    """Where proposals were selected otherwise than the protocol has it."""
    return {
        f"propose {name}": {"preset": str(value), "used": str(used.get(name))}
        for name, value in published.items()
        if used.get(name) != value
    }


def _leaked_categories(rpn: Artifact, unseen: tuple[str, ...]) -> list[str] | str:
    """Which of `unseen` an RPN was trained on; weights it began with may have seen anything."""
    images, manifest = catalog.parents(rpn).get("images"), rpn.manifest
    if images is None or "weights" in manifest.sources:
        return UNKNOWN
    if "only_categories" in manifest.sources:
        named = manifest.notes.get("categories")
        if named is None:
            return UNKNOWN
        return sorted(set(unseen) & set(named))
    return sorted(set(unseen) & _annotated(images)) if unseen else []


def _annotated(images: Artifact) -> set[str]:
    """Categories of the ground truth of the images."""
    return {
        name
        for path in images.files()
        for objects in _objects(parts.batches(path, columns=["objects"]))
        for name in pc.unique(pc.struct_field(objects, "category")).to_pylist()
    }


def _objects(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Array]:
    for batch in batches:
        yield batch.column("objects").flatten()


def _leakage_warnings(origin: Mapping[str, Any], unseen: tuple[str, ...]) -> list[str]:
    leaked, who = origin["novel_seen"], origin.get("rpn") or origin["proposals"]
    if not unseen or not leaked:
        return []
    if leaked == UNKNOWN:
        return [f"whether the localizer of {who} saw novel categories is unknown: it was imported"]
    more = f" and {len(leaked) - _SHOWN} more" if len(leaked) > _SHOWN else ""
    names = ", ".join(f"'{name}'" for name in leaked[:_SHOWN]) + more
    return [
        f"{who} was trained on boxes of {len(leaked)} novel categories ({names}): "
        f"its proposals know where novel objects are"
    ]
