"""Marking in bulk: what is selected on a page is called right, wrong or something else at once."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any, Final

from pipeline.analysis.marks import is_audit, marks_path, write_marks
from pipeline.gallery.audit_queries import unwritable
from pipeline.gallery.region_map import region_map
from schemas.errors import OptionError
from stages.artifact_name import check_artifact_name
from stages.auditing.journal import MOST_MARKED, UNDO, Journal, Marks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.gallery.connection_pool import ConnectionPool
    from pipeline.gallery.region_map import Label

SHOWN_WHERE: Final = 100  # regions that a condition lists
_SHOWN: Final = 20  # actions that a page lists
_OF_CONCEPT: Final = (
    "SELECT image_id, region, concept_id FROM pseudo_labels WHERE kept AND concept = ? "
    "ORDER BY image_id, region LIMIT ?"
)
_OF_REGIONS: Final = """
SELECT l.image_id, l.region, l.concept_id FROM pseudo_labels AS l
JOIN (SELECT unnest(?::VARCHAR[]) AS image_id, unnest(?::INTEGER[]) AS region)
    USING (image_id, region)
ORDER BY 1, 2
"""
_NOT: Final = "marks are a JSON object with id, labels, verdict, and map, concept or regions"


def marks(connections: ConnectionPool, parameters: Mapping[str, str]) -> dict[str, Any]:
    """What was marked under a name.

    Args:
        connections: The store.
        parameters: `name` of the marks; `reviewer`, who marks; `map` and `labels`, to know what of
            a map is marked.

    Returns:
        `counts` of this reviewer's labels by verdict, "renamed" for those that they named;
        `actions`, their latest first: id, verdict, concept, labels, time; `places` on the map by
        verdict, of all reviewers; `of`, the labels that are marked; `problem`, a sentence if
        nothing can be written.

    Raises:
        OptionError: If it is no name.
        ArtifactError: If the journal cannot be read.
    """
    name, reviewer = parameters.get("name", ""), parameters.get("reviewer", "")
    check_artifact_name("view", name, "marks")
    journal = Journal(marks_path(connections.root, name))
    problem = unwritable(connections.root, journal.path)
    if is_audit(connections.root, name):
        problem = f"{name} is an audit, whose labels were drawn; mark under another name"
    words = journal.last_words()
    said = {(j.image_id, j.region): _kind(j) for j in words}
    own = [_kind(j) for j in words if j.reviewer == reviewer]
    places: dict[str, list[int]] = {}
    if parameters.get("map") and said:
        keys = region_map(connections, parameters).keys
        pairs = zip(keys["image_id"].to_pylist(), keys["region"].to_pylist(), strict=True)
        for place, key in enumerate(pairs):
            if key in said:
                places.setdefault(said[key], []).append(place)
    actions = [a for a in journal.actions() if isinstance(a, Marks) and a.reviewer == reviewer]
    return {
        "name": name,
        "of": journal.marked(),
        "counts": {kind: own.count(kind) for kind in sorted(set(own))},
        "actions": [_action(action) for action in reversed(actions[-_SHOWN:])],
        "places": places,
        "problem": problem,
    }


def take_marks(connections: ConnectionPool, name: str, body: bytes) -> dict[str, Any]:
    """Write marks down; they are on the disk when this returns.

    Args:
        connections: The store.
        name: Of the marks.
        body: JSON: `id`, `reviewer` and `labels` (their address); to take an earlier action back,
            `takes_back`; else `verdict`, perhaps `concept`, and one of `places` on `map`,
            `of_concept`, or `regions` (pairs of image_id and region).

    Returns:
        `marked`, how many labels.

    Raises:
        OptionError: If they are no marks, or of labels that are not there.
        ArtifactNotFoundError: If the map is gone.
        OSError: If they cannot be written.
    """
    content = _content(body)
    address = content.get("labels", "")
    if address not in connections.label_addresses():
        raise OptionError("these pseudo-labels are gone from the store; reload the page")
    common = {"id": content.get("id"), "of": address, "reviewer": content.get("reviewer", "")}
    try:
        if content.get("takes_back"):
            told = Marks(**common, labels=(), verdict=UNDO, takes_back=content["takes_back"])
        else:
            verdict, concept = content.get("verdict", ""), content.get("concept")
            labels = _labels(connections, content, address)
            told = Marks(**common, labels=labels, verdict=verdict, concept=concept)
        write_marks(connections.root, name, told)
    except TypeError:
        raise OptionError(_NOT) from None
    return {"marked": len(told.labels)}


def concept_labels(connections: ConnectionPool, parameters: Mapping[str, str]) -> dict[str, Any]:
    """How many `kept` labels a concept has, by its `name`, and the address of the `labels`."""
    labels = connections.resolve(parameters.get("labels", ""))
    statement = "SELECT count(*) AS kept FROM pseudo_labels WHERE kept AND concept = ?"
    (row,) = connections.query(statement, [parameters.get("name", "")], labels)
    return {"kept": row["kept"], "labels": labels}


def condition(connections: ConnectionPool, parameters: Mapping[str, str]) -> dict[str, str | None]:
    """The option `--where` that selects some `places` of a map, for a shell; None of too many.

    Raises:
        OptionError: If a place is not on the map.
        ValueError: If one is no number.
    """
    places = [int(place) for place in parameters.get("places", "").split(",") if place]
    if not 0 < len(places) <= SHOWN_WHERE:
        return {"where": None}
    return {"where": where_option(region_map(connections, parameters).labels_at(places))}


def where_option(labels: Sequence[Label]) -> str:
    """The option `--where` that selects labels, quoted for a shell.

    >>> print(where_option([("a.jpg", 3, 0), ("it's", 4, 0)]))
    --where "(image_id, region) IN (('a.jpg', 3), ('it''s', 4))"
    """
    pairs = [
        "('{}', {})".format(image_id.replace("'", "''"), region) for image_id, region, _ in labels
    ]
    text = f"(image_id, region) IN ({', '.join(pairs)})"
    quoted = shlex.quote(text) if set(text) & set('"$`\\!') else f'"{text}"'
    return f"--where {quoted}"


def _content(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise OptionError(_NOT) from None
    if not isinstance(content, dict):
        raise OptionError(_NOT)
    return content


def _labels(connections: ConnectionPool, content: dict[str, Any], address: str) -> list[Label]:
    """The labels that were selected.

    Raises:
        OptionError: If there are none, or too many, or one is not there.
    """
    if "places" in content:
        where = {"map": content.get("map", ""), "labels": address}
        return region_map(connections, where).labels_at(content["places"])
    if "of_concept" in content:
        values = [str(content["of_concept"]), MOST_MARKED + 1]
        rows = connections.query(_OF_CONCEPT, values, address)
        if not 0 < len(rows) <= MOST_MARKED:
            raise OptionError(
                f"1 to {MOST_MARKED:,} labels can be marked at once; of a concept with more, or "
                f"with none, write a rule: docs/trust.md"
            )
    else:
        ids, regions = _pairs(content.get("regions"))
        rows = connections.query(_OF_REGIONS, [ids, regions], address)
        if len(rows) != len(set(zip(ids, regions, strict=True))):
            raise OptionError("a region is not among these labels; reload the page")
    return [(row["image_id"], row["region"], row["concept_id"]) for row in rows]


def _pairs(regions: Any) -> tuple[list[str], list[int]]:
    try:
        pairs = list(dict.fromkeys((image_id, region) for image_id, region in regions))
    except (TypeError, ValueError):
        raise OptionError(_NOT) from None
    right = all(type(i) is str and type(r) is int and 0 <= r < 1 << 31 for i, r in pairs)
    if not 0 < len(pairs) <= MOST_MARKED or not right:
        raise OptionError(_NOT)
    return [image_id for image_id, _ in pairs], [region for _, region in pairs]


def _kind(judgement: Any) -> str:
    return "renamed" if judgement.concept else str(judgement.verdict)


def _action(told: Marks) -> dict[str, Any]:
    about = {name: getattr(told, name) for name in ("id", "verdict", "concept", "time")}
    return {**about, "labels": len(told.labels)}
