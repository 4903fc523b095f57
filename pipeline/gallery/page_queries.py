"""Queries of the pages: the contents of the store, as plain values for JSON.

The `parameters` of a query are those of its URL.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from pipeline.analysis.what_if import COUNT_OBJECTS, JUDGED_LABELS, Thresholds, statement
from pipeline.gallery.comparison_sides import available_sides
from schemas.errors import OptionError, QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.gallery.connection_pool import ConnectionPool, Row

_PAGE: Final = 60  # images of a page
EXAMPLES: Final = 12  # regions of a concept with the highest, and the lowest, probability
NEIGHBOURS: Final = 8  # most similar concepts
_MAX_LIMIT: Final = 1000  # images of one request
_MARKED: Final = 5  # regions that are marked on the card of an image
NO_BOXES: Final = (
    "No image has a box yet: these images came without ground truth, and they have no "
    "pseudo-labels. Run 'rc propose', 'rc featurize' and 'rc label' first."
)
NO_LABELS: Final = "these images have no pseudo-labels yet; run 'rc label' first"
_LABEL_FILTERS: Final = ("probability", "margin")


def overview(connections: ConnectionPool) -> dict[str, Any]:
    """Artifacts, their lineage, and the number of refused records by reason."""
    refused = connections.query(
        "SELECT artifact, reason, count(*) AS records FROM quarantine GROUP BY 1, 2 ORDER BY 3 DESC"
    )
    return {
        "artifacts": connections.query('SELECT * FROM artifacts ORDER BY created DESC, "artifact"'),
        "lineage": connections.query("SELECT * FROM lineage"),
        "refused": refused,
        "labels": connections.label_addresses(),
    }


def images(connections: ConnectionPool, parameters: Mapping[str, str]) -> dict[str, Any]:
    """A page of images, in order of their ids.

    The page starts after the image `after`, or ends before the image `before`. Filters: `split`;
    `text`, part of a caption; `concept`, `probability` and `margin`: the image has a kept region
    that meets all of them: this concept, at least this probability, at least this margin. `of` is
    the address of other images than those of the newest labels. If regions are filtered, each
    image has the `boxes` of those that pass, the most probable first.

    Raises:
        OptionError: If a number is not valid, or out of its range.
        QueryError: If a filter needs pseudo-labels and there are none.
    """
    address = _shown_address(connections, parameters)
    limit = _positive_integer(parameters, "limit", _PAGE, _MAX_LIMIT)
    backwards = "before" in parameters
    edge: str = parameters["before"] if backwards else parameters.get("after", "")
    values: list[str | float] = [edge]
    conditions = ["image_id < ?" if backwards else "image_id > ?"]
    if parameters.get("split"):
        conditions.append("split = ?")
        values.append(parameters["split"])
    if parameters.get("text"):
        conditions.append("len(list_filter(captions, lambda c: contains(lower(c), lower(?)))) > 0")
        values.append(parameters["text"])
    by_region = any(parameters.get(name) for name in ("concept", *_LABEL_FILTERS))
    if by_region:
        if not connections.shows_same_images("pseudo_labels", address):
            raise QueryError(NO_LABELS)
        passing, more = _region_conditions(parameters)
        conditions.append(
            f"image_id IN (SELECT image_id FROM pseudo_labels WHERE {conditions[0]} AND {passing})"
        )
        values += [edge, *more]
    rows = connections.query(
        "SELECT image_id, width, height, split, captions FROM images "
        f"WHERE {' AND '.join(conditions)} "
        f"ORDER BY image_id {'DESC' if backwards else 'ASC'} LIMIT {limit + 1}",
        values,
        address,
    )
    page = rows[:limit][::-1] if backwards else rows[:limit]
    if by_region:
        _add_boxes(connections, page, parameters, address)
    return {"images": page, "more": len(rows) > limit, **_filter_choices(connections, address)}


def _region_conditions(parameters: Mapping[str, str]) -> tuple[str, list[str | float]]:
    """SQL over pseudo_labels for the regions that pass the filters, and its values."""
    condition = "kept"
    values: list[str | float] = []
    for name in _LABEL_FILTERS:
        if parameters.get(name):
            condition += f" AND {name} >= ?"
            values.append(_fraction(parameters, name))
    if parameters.get("concept"):
        condition += " AND lower(concept) = lower(trim(?))"
        values.append(parameters["concept"])
    return condition, values


def _add_boxes(
    connections: ConnectionPool, page: list[Row], parameters: Mapping[str, str], address: str
) -> None:
    """Give each image of a page the boxes of its regions that pass the filters."""
    condition, values = _region_conditions(parameters)
    ids = [row["image_id"] for row in page]
    places = ", ".join("?" * len(ids)) or "NULL"
    regions = connections.query(
        "SELECT image_id, x0, y0, x1, y1 FROM pseudo_labels "
        f"WHERE {condition} AND image_id IN ({places}) ORDER BY probability DESC, region",
        [*values, *ids],
        address,
    )
    boxes: dict[str, list[list[int]]] = {image_id: [] for image_id in ids}
    for row in regions:
        boxes[row["image_id"]].append(whole_pixels(row))
    for row in page:
        row["boxes"] = boxes[row["image_id"]][:_MARKED]


def whole_pixels(row: Row) -> list[int]:
    """The box of a row, precise enough for a small picture: x0, y0, x1, y1."""
    return [round(row[side]) for side in ("x0", "y0", "x1", "y1")]


def _shown_address(connections: ConnectionPool, parameters: Mapping[str, str]) -> str:
    """`labels`, unless `of` names images that these labels were not made from."""
    of, labels = parameters.get("of", ""), parameters.get("labels", "")
    images_of_labels = connections.shown_artifact("images", labels)
    same = images_of_labels is not None and images_of_labels.address == of
    return of if of and not same else labels


def _filter_choices(connections: ConnectionPool, address: str) -> dict[str, Any]:
    """The values that the filters can have."""
    rows = {artifact.address: artifact.manifest.rows for artifact in connections.artifacts()}
    return {
        "artifacts": [
            {"address": name, "rows": rows[name]} for name in connections.image_addresses()
        ],
        "splits": splits(connections, address),
        "note": note(connections, address),
    }


def note(connections: ConnectionPool, address: str) -> str | None:
    """What visitors should know before they look for boxes: that there is none."""
    if connections.shows_same_images("pseudo_labels", address):
        return None
    statement = "SELECT bool_or(len(objects) > 0) AS annotated FROM images"
    rows = connections.cached(
        ("annotated", connections.resolve(address)),
        lambda: connections.query(statement, labels=address),
    )
    return None if rows[0]["annotated"] else NO_BOXES


def splits(connections: ConnectionPool, labels: str) -> list[str]:
    """Names of the splits of the images that are shown."""
    statement = "SELECT DISTINCT split FROM images WHERE split IS NOT NULL ORDER BY 1 LIMIT 50"
    rows = connections.cached(
        ("splits", connections.resolve(labels)), lambda: connections.query(statement, labels=labels)
    )
    return [row["split"] for row in rows]


def image(connections: ConnectionPool, parameters: Mapping[str, str]) -> dict[str, Any]:
    """One image: captions, ground truth, pseudo-labels, detections, and sides to compare."""
    image_id = parameters.get("id", "")
    labels, key = connections.address_with_image(image_id, parameters.get("labels", "")), [image_id]
    rows = connections.query(
        "SELECT image_id, width, height, split, captions, objects FROM images WHERE image_id = ?",
        key,
        labels,
    )
    regions: list[Row] = []
    if connections.shows_same_images("pseudo_labels", labels):
        regions = connections.query(
            "SELECT region, concept, cosine, probability, margin, objectness, kept, in_caption, "
            "x0, y0, x1, y1 FROM pseudo_labels WHERE image_id = ? ORDER BY probability DESC",
            key,
            labels,
        )
    detections: list[Row] = []
    evaluated = connections.shows_same_images("metrics", labels)
    if evaluated and connections.has_view("evaluated_detections", labels):
        detections = connections.query(
            "SELECT category, score, truth, x0, y0, x1, y1 FROM evaluated_detections "
            "WHERE image_id = ? ORDER BY score DESC LIMIT 100",
            key,
            labels,
        )
    annotated = bool(rows and rows[0]["objects"])
    return {
        "image": rows[0] if rows else None,
        "regions": regions,
        "detections": detections,
        "sides": available_sides(connections, labels, annotated=annotated) if rows else [],
    }


def concepts(connections: ConnectionPool, parameters: Mapping[str, str]) -> list[Row]:
    """Every concept of the pool: regions, images, mean probability, images that mention it."""
    labels = parameters.get("labels", "")
    counted = "SELECT concept, count(DISTINCT image_id) AS mentioned FROM mentions GROUP BY 1"
    no_rows = "SELECT NULL::VARCHAR AS concept, 0 AS mentioned WHERE false"
    mentions = counted if connections.has_view("mentions", labels) else no_rows
    return connections.query(
        "WITH assigned AS (SELECT concept, count(*) AS regions, "
        "count(DISTINCT image_id) AS images, avg(probability) AS probability, "
        "avg(in_caption::INT) AS in_caption FROM pseudo_labels "
        f"WHERE kept GROUP BY 1), mentioned_in AS ({mentions}) "
        "SELECT c.concept, coalesce(regions, 0) AS regions, coalesce(images, 0) AS images, "
        "probability, in_caption, coalesce(mentioned, 0) AS mentioned FROM concept_embeddings AS c "
        "LEFT JOIN assigned USING (concept) LEFT JOIN mentioned_in USING (concept) "
        "ORDER BY regions DESC, c.concept",
        labels=labels,
    )


def concept(connections: ConnectionPool, parameters: Mapping[str, str]) -> dict[str, Any]:
    """One concept: histogram of probabilities, example regions, and the most similar concepts."""
    labels, key = parameters.get("labels", ""), [parameters.get("name", "")]
    ordered = (
        "SELECT image_id, region, probability, in_caption, x0, y0, x1, y1 FROM pseudo_labels "
        "WHERE kept AND concept = ? ORDER BY probability {}, image_id, region LIMIT {}"
    )
    return {
        "histogram": connections.query(
            "SELECT least(floor(probability * 20), 19)::INT AS bin, count(*) AS regions "
            "FROM pseudo_labels WHERE concept = ? GROUP BY 1 ORDER BY 1",
            key,
            labels,
        ),
        "surest": connections.query(ordered.format("DESC", EXAMPLES), key, labels),
        "unsure": connections.query(ordered.format("ASC", EXAMPLES), key, labels),
        "near": connections.query(
            "SELECT b.concept, array_cosine_similarity(a.embedding, b.embedding) AS cosine "
            "FROM concept_embeddings AS a, concept_embeddings AS b "
            "WHERE a.concept = ? AND b.concept_id != a.concept_id ORDER BY 2 DESC, 1 "
            f"LIMIT {NEIGHBOURS}",
            key,
            labels,
        ),
    }


def what_if(connections: ConnectionPool, parameters: Mapping[str, str]) -> Row:
    """What thresholds would keep; see `pipeline.analysis.what_if.forecast`.

    Labels are matched with the objects they overlap only once; thresholds then filter those rows.
    """
    thresholds = {
        name: _fraction(parameters, name)
        for name in ("probability", "margin", "objectness")
        if parameters.get(name)
    }
    if not connections.label_addresses():
        raise QueryError(NO_LABELS)
    labels = connections.resolve(parameters.get("labels", ""))
    num_objects = connections.cached(
        ("objects", labels), lambda: connections.query(COUNT_OBJECTS, labels=labels)[0]["n"]
    )
    query = statement(Thresholds(**thresholds).predicate(), num_objects, "judged")
    return connections.query_cached_table("judged", JUDGED_LABELS, query, labels)[0]


def _fraction(parameters: Mapping[str, str], name: str) -> float:
    """A parameter that is a number from 0 to 1.

    Raises:
        OptionError: If it is not.
    """
    try:
        value = float(parameters[name])
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise OptionError(f"{name} is a number from 0 to 1, not '{parameters[name][:40]}'")
    return value


def _positive_integer(parameters: Mapping[str, str], name: str, default: int, maximum: int) -> int:
    """A parameter that is a positive integer, but at most `maximum`."""
    text = parameters.get(name) or str(default)
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise OptionError(f"{name} is a positive integer, not '{text[:40]}'")
    return min(int(text), maximum)
