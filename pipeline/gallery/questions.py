"""Questions of the pages: what is in the store, as plain values for JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pipeline.store import catalog
from pipeline.store.artifact import stream
from pipeline.what_if import Thresholds, forecast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.gallery.shelf import Row, Shelf
    from pipeline.store.artifact import Artifact

PAGE: Final = 60  # images of a page
_CURVES: Final = ("teachers", "rpns", "students", "detectors")
_HIGHEST: Final = 1000  # images a visitor may ask for at once


def overview(shelf: Shelf) -> dict[str, Any]:
    """Artifacts, what each was made from, and what was refused, by reason."""
    refused = shelf.ask(
        "SELECT artifact, reason, count(*) AS records FROM quarantine GROUP BY 1, 2 ORDER BY 3 DESC"
    )
    return {
        "artifacts": shelf.ask('SELECT * FROM artifacts ORDER BY created DESC, "artifact"'),
        "lineage": shelf.ask("SELECT * FROM lineage"),
        "refused": refused,
        "labels": shelf.labels(),
    }


def images(shelf: Shelf, asked: Mapping[str, str]) -> dict[str, Any]:
    """A page of images, in order of their ids, after the one that `after` names.

    Filters: `split`; `text`, a word of a caption; `concept` with `probability`: images with a kept
    region called so with at least that probability.
    """
    labels = asked.get("labels", "")
    limit = min(int(asked.get("limit", PAGE)), _HIGHEST)
    conditions, values = ["image_id > ?"], [asked.get("after", "")]
    if asked.get("split"):
        conditions, values = [*conditions, "split = ?"], [*values, asked["split"]]
    if asked.get("text"):
        conditions.append("len(list_filter(captions, lambda c: contains(lower(c), lower(?)))) > 0")
        values.append(asked["text"])
    if asked.get("concept") or asked.get("probability"):
        least = float(asked.get("probability") or 0)
        inner = "SELECT image_id FROM pseudo_labels WHERE kept AND probability >= ?"
        if asked.get("concept"):
            inner += " AND concept = ?"
        conditions.append(f"image_id IN ({inner})")
        values += [str(least), *([asked["concept"]] if asked.get("concept") else [])]
    rows = shelf.ask(
        "SELECT image_id, width, height, split, captions FROM images "
        f"WHERE {' AND '.join(conditions)} ORDER BY image_id LIMIT {limit + 1}",
        values,
        labels,
    )
    return {"images": rows[:limit], "more": len(rows) > limit}


def image(shelf: Shelf, asked: Mapping[str, str]) -> dict[str, Any]:
    """One image: captions, ground truth, pseudo-labels, and what an evaluation said of it."""
    labels, key = asked.get("labels", ""), [asked.get("id", "")]
    found = shelf.ask(
        "SELECT image_id, width, height, split, captions, objects FROM images WHERE image_id = ?",
        key,
        labels,
    )
    regions: list[Row] = []
    if shelf.has("pseudo_labels", labels):
        regions = shelf.ask(
            "SELECT region, concept, cosine, probability, margin, objectness, kept, in_caption, "
            "x0, y0, x1, y1 FROM pseudo_labels WHERE image_id = ? ORDER BY probability DESC",
            key,
            labels,
        )
    said: list[Row] = []
    if shelf.has("detections", labels):
        said = shelf.ask(
            "SELECT category, score, truth, x0, y0, x1, y1 FROM detections WHERE image_id = ? "
            "ORDER BY score DESC LIMIT 100",
            key,
            labels,
        )
    return {"image": found[0] if found else None, "regions": regions, "detections": said}


def concepts(shelf: Shelf, asked: Mapping[str, str]) -> list[Row]:
    """Every concept of the pool: regions, images, mean probability, captions that mention it."""
    labels = asked.get("labels", "")
    mentioned = "SELECT concept, count(DISTINCT image_id) AS mentioned FROM mentions GROUP BY 1"
    none = "SELECT NULL::VARCHAR AS concept, 0 AS mentioned WHERE false"
    known = mentioned if shelf.has("mentions", labels) else none
    return shelf.ask(
        "WITH given AS (SELECT concept, count(*) AS regions, count(DISTINCT image_id) AS images, "
        "avg(probability) AS probability, avg(in_caption::INT) AS in_caption FROM pseudo_labels "
        f"WHERE kept GROUP BY 1), said AS ({known}) "
        "SELECT c.concept, coalesce(regions, 0) AS regions, coalesce(images, 0) AS images, "
        "probability, in_caption, coalesce(mentioned, 0) AS mentioned FROM concept_embeddings AS c "
        "LEFT JOIN given USING (concept) LEFT JOIN said USING (concept) "
        "ORDER BY regions DESC, c.concept",
        labels=labels,
    )


def concept(shelf: Shelf, asked: Mapping[str, str]) -> dict[str, Any]:
    """One concept: how sure, its surest and least sure regions, and its nearest neighbours."""
    labels, key = asked.get("labels", ""), [asked.get("name", "")]
    ordered = (
        "SELECT image_id, region, probability, in_caption, x0, y0, x1, y1 FROM pseudo_labels "
        "WHERE kept AND concept = ? ORDER BY probability {}, image_id, region LIMIT 12"
    )
    return {
        "histogram": shelf.ask(
            "SELECT least(floor(probability * 20), 19)::INT AS bin, count(*) AS regions "
            "FROM pseudo_labels WHERE concept = ? GROUP BY 1 ORDER BY 1",
            key,
            labels,
        ),
        "surest": shelf.ask(ordered.format("DESC"), key, labels),
        "unsure": shelf.ask(ordered.format("ASC"), key, labels),
        "near": shelf.ask(
            "SELECT b.concept, array_cosine_similarity(a.embedding, b.embedding) AS cosine "
            "FROM concept_embeddings AS a, concept_embeddings AS b "
            "WHERE a.concept = ? AND b.concept_id != a.concept_id ORDER BY 2 DESC, 1 LIMIT 8",
            key,
            labels,
        ),
    }


def what_if(shelf: Shelf, asked: Mapping[str, str]) -> Row:
    """What thresholds would keep; see `pipeline.what_if.forecast`."""
    given = {
        name: float(asked[name])
        for name in ("probability", "margin", "objectness")
        if asked.get(name)
    }
    use = [asked["labels"]] if asked.get("labels") in shelf.labels() else []
    rows = [
        row
        for batch in forecast(shelf.root, [Thresholds(**given)], None, use)
        for row in batch.to_pylist()
    ]
    return dict(rows[0])


def training(shelf: Shelf) -> list[dict[str, Any]]:
    """The curves of every model of the store, the newest first."""
    found = []
    for artifact in reversed(catalog.everything(shelf.root)):
        if artifact.manifest.artifact in _CURVES and artifact.manifest.rows > 1:
            rows = [row for batch in stream(artifact.files()) for row in batch.to_pylist()]
            found.append({"artifact": artifact.address, "rows": rows})
    return found


def evaluations(shelf: Shelf) -> list[dict[str, Any]]:
    """Every evaluation of the store, the newest first: what it was of, and its main metrics."""
    found = []
    for artifact in reversed(catalog.everything(shelf.root)):
        if artifact.manifest.artifact == "metrics":
            rows = [row for batch in stream(artifact.files()) for row in batch.to_pylist()]
            found.append(
                {
                    "artifact": artifact.address,
                    "model": artifact.manifest.inputs.get("model", ""),
                    "boxes": _protocol(artifact).get("boxes", ""),
                    "metrics": [row for row in rows if not row["category"]],
                    "categories": [row for row in rows if row["category"]],
                    **_beside(artifact),
                }
            )
    return found


def _protocol(artifact: Artifact) -> dict[str, Any]:
    return dict(artifact.manifest.notes.get("protocol", {}))


def _beside(artifact: Artifact) -> dict[str, Any]:
    """Confusions and curves, where they lie beside the metrics."""
    found: dict[str, Any] = {}
    for name, most in (("confusions", 40), ("curves", 100_000)):
        files = artifact.attachments(f"{name}.parquet")
        rows = [row for batch in stream(files) for row in batch.to_pylist()] if files else []
        if name == "curves":
            rows = [row for row in rows if not row["category"]]
        found[name] = rows[:most]
    return found
