"""Questions of the pages: what is in the store, as plain values for JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from pipeline.analysis.what_if import COUNT_OBJECTS, JUDGED_LABELS, Thresholds, statement
from pipeline.gallery.sides import sources
from schemas.errors import OptionError, QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.gallery.connection_pool import ConnectionPool, Row

PAGE: Final = 60  # images of a page
EXAMPLES: Final = 12  # regions of a concept, the surest and the least sure
NEIGHBOURS: Final = 8  # concepts like one
_HIGHEST: Final = 1000  # images a visitor may ask for at once
NO_LABELS: Final = "these images have no pseudo-labels yet to choose by; run 'rc label' first"
_SHARES: Final = ("probability", "margin")


def overview(connections: ConnectionPool) -> dict[str, Any]:
    """Artifacts, what each was made from, and what was refused, by reason."""
    refused = connections.ask(
        "SELECT artifact, reason, count(*) AS records FROM quarantine GROUP BY 1, 2 ORDER BY 3 DESC"
    )
    return {
        "artifacts": connections.ask('SELECT * FROM artifacts ORDER BY created DESC, "artifact"'),
        "lineage": connections.ask("SELECT * FROM lineage"),
        "refused": refused,
        "labels": connections.labels(),
    }


def images(connections: ConnectionPool, asked: Mapping[str, str]) -> dict[str, Any]:
    """A page of images, in order of their ids.

    Where it begins: after the one that `after` names, or so that it ends before the one that
    `before` names. Filters: `split`; `text`, a piece of a caption; `concept`, `probability` and
    `margin`: images with a kept region for which all that is given holds, called so, at least so
    probable, with at least that margin. `of` is the address of other images than those that have
    the newest labels.

    Raises:
        OptionError: If a number is none, or out of its range.
        QueryError: If labels are asked for and there are none.
    """
    shown = _looked_at(connections, asked)
    limit = _whole(asked, "limit", PAGE, _HIGHEST)
    back = "before" in asked
    edge: str = asked["before"] if back else asked.get("after", "")
    values: list[str | float] = [edge]
    conditions = ["image_id < ?" if back else "image_id > ?"]
    if asked.get("split"):
        conditions.append("split = ?")
        values.append(asked["split"])
    if asked.get("text"):
        conditions.append("len(list_filter(captions, lambda c: contains(lower(c), lower(?)))) > 0")
        values.append(asked["text"])
    if any(asked.get(name) for name in ("concept", *_SHARES)):
        if not connections.about("pseudo_labels", shown):
            raise QueryError(NO_LABELS)
        inner, more = _regions_like(asked, conditions[0], edge)
        conditions.append(f"image_id IN ({inner})")
        values += more
    rows = connections.ask(
        "SELECT image_id, width, height, split, captions FROM images "
        f"WHERE {' AND '.join(conditions)} "
        f"ORDER BY image_id {'DESC' if back else 'ASC'} LIMIT {limit + 1}",
        values,
        shown,
    )
    found = rows[:limit][::-1] if back else rows[:limit]
    return {"images": found, "more": len(rows) > limit, **_choices(connections, shown)}


def _regions_like(
    asked: Mapping[str, str], beyond: str, edge: str
) -> tuple[str, list[str | float]]:
    """Images of the regions that are asked for, on the right side of the page's edge."""
    inner = f"SELECT image_id FROM pseudo_labels WHERE kept AND {beyond}"
    values: list[str | float] = [edge]
    for name in _SHARES:
        if asked.get(name):
            inner += f" AND {name} >= ?"
            values.append(share(asked, name))
    if asked.get("concept"):
        inner += " AND lower(concept) = lower(trim(?))"
        values.append(asked["concept"])
    return inner, values


def _looked_at(connections: ConnectionPool, asked: Mapping[str, str]) -> str:
    """The labels that are chosen; but if images are asked for that these are not of, those."""
    of, labels = asked.get("of", ""), asked.get("labels", "")
    behind = connections.shown("images", labels)
    return of if of and not (behind and behind.address == of) else labels


def _choices(connections: ConnectionPool, shown: str) -> dict[str, Any]:
    """What the filters can be set to."""
    rows = {artifact.address: artifact.manifest.rows for artifact in connections.artifacts()}
    return {
        "artifacts": [{"address": found, "rows": rows[found]} for found in connections.images()],
        "splits": splits(connections, shown),
    }


def splits(connections: ConnectionPool, labels: str) -> list[str]:
    """Names of the splits of the images that are looked at."""
    asked = "SELECT DISTINCT split FROM images WHERE split IS NOT NULL ORDER BY 1 LIMIT 50"
    found = connections.once(
        ("splits", connections.chosen(labels)), lambda: connections.ask(asked, labels=labels)
    )
    return [row["split"] for row in found]


def image(connections: ConnectionPool, asked: Mapping[str, str]) -> dict[str, Any]:
    """One image: captions, ground truth, pseudo-labels, detections, and the sides it has."""
    image_id = asked.get("id", "")
    labels, key = connections.home(image_id, asked.get("labels", "")), [image_id]
    found = connections.ask(
        "SELECT image_id, width, height, split, captions, objects FROM images WHERE image_id = ?",
        key,
        labels,
    )
    regions: list[Row] = []
    if connections.about("pseudo_labels", labels):
        regions = connections.ask(
            "SELECT region, concept, cosine, probability, margin, objectness, kept, in_caption, "
            "x0, y0, x1, y1 FROM pseudo_labels WHERE image_id = ? ORDER BY probability DESC",
            key,
            labels,
        )
    said: list[Row] = []
    if connections.about("metrics", labels) and connections.has("detections", labels):
        said = connections.ask(
            "SELECT category, score, truth, x0, y0, x1, y1 FROM detections WHERE image_id = ? "
            "ORDER BY score DESC LIMIT 100",
            key,
            labels,
        )
    drawn = bool(found and found[0]["objects"])
    return {
        "image": found[0] if found else None,
        "regions": regions,
        "detections": said,
        "sides": sources(connections, labels, drawn=drawn) if found else [],
    }


def concepts(connections: ConnectionPool, asked: Mapping[str, str]) -> list[Row]:
    """Every concept of the pool: regions, images, mean probability, captions that mention it."""
    labels = asked.get("labels", "")
    mentioned = "SELECT concept, count(DISTINCT image_id) AS mentioned FROM mentions GROUP BY 1"
    none = "SELECT NULL::VARCHAR AS concept, 0 AS mentioned WHERE false"
    known = mentioned if connections.has("mentions", labels) else none
    return connections.ask(
        "WITH given AS (SELECT concept, count(*) AS regions, count(DISTINCT image_id) AS images, "
        "avg(probability) AS probability, avg(in_caption::INT) AS in_caption FROM pseudo_labels "
        f"WHERE kept GROUP BY 1), said AS ({known}) "
        "SELECT c.concept, coalesce(regions, 0) AS regions, coalesce(images, 0) AS images, "
        "probability, in_caption, coalesce(mentioned, 0) AS mentioned FROM concept_embeddings AS c "
        "LEFT JOIN given USING (concept) LEFT JOIN said USING (concept) "
        "ORDER BY regions DESC, c.concept",
        labels=labels,
    )


def concept(connections: ConnectionPool, asked: Mapping[str, str]) -> dict[str, Any]:
    """One concept: how sure, its surest and least sure regions, and its nearest neighbours."""
    labels, key = asked.get("labels", ""), [asked.get("name", "")]
    ordered = (
        "SELECT image_id, region, probability, in_caption, x0, y0, x1, y1 FROM pseudo_labels "
        "WHERE kept AND concept = ? ORDER BY probability {}, image_id, region LIMIT {}"
    )
    return {
        "histogram": connections.ask(
            "SELECT least(floor(probability * 20), 19)::INT AS bin, count(*) AS regions "
            "FROM pseudo_labels WHERE concept = ? GROUP BY 1 ORDER BY 1",
            key,
            labels,
        ),
        "surest": connections.ask(ordered.format("DESC", EXAMPLES), key, labels),
        "unsure": connections.ask(ordered.format("ASC", EXAMPLES), key, labels),
        "near": connections.ask(
            "SELECT b.concept, array_cosine_similarity(a.embedding, b.embedding) AS cosine "
            "FROM concept_embeddings AS a, concept_embeddings AS b "
            "WHERE a.concept = ? AND b.concept_id != a.concept_id ORDER BY 2 DESC, 1 "
            f"LIMIT {NEIGHBOURS}",
            key,
            labels,
        ),
    }


def what_if(connections: ConnectionPool, asked: Mapping[str, str]) -> Row:
    """What thresholds would keep; see `pipeline.analysis.what_if.forecast`.

    Every label is set beside the object it overlaps once; thresholds then ask those rows.
    """
    given = {
        name: share(asked, name)
        for name in ("probability", "margin", "objectness")
        if asked.get(name)
    }
    if not connections.labels():
        raise QueryError(NO_LABELS)
    labels = connections.chosen(asked.get("labels", ""))
    drawn = connections.once(
        ("drawn", labels), lambda: connections.ask(COUNT_OBJECTS, labels=labels)[0]["n"]
    )
    question = statement(Thresholds(**given).predicate(), drawn, "judged")
    return connections.ask_kept("judged", JUDGED_LABELS, question, labels)[0]


def share(asked: Mapping[str, str], name: str) -> float:
    """A number between 0 and 1 that a visitor gave.

    Raises:
        OptionError: If it is none.
    """
    try:
        found = float(asked[name])
    except ValueError:
        found = math.nan
    if not 0 <= found <= 1:
        raise OptionError(f"{name} is a number from 0 to 1, not '{asked[name][:40]}'")
    return found


def _whole(asked: Mapping[str, str], name: str, default: int, most: int) -> int:
    words = asked.get(name) or str(default)
    if not (words.isascii() and words.isdigit() and int(words) > 0):
        raise OptionError(f"{name} is a whole number from 1 on, not '{words[:40]}'")
    return min(int(words), most)
