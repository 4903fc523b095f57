"""The web application of the gallery: pages, their queries as JSON, and pictures."""

from __future__ import annotations

import asyncio
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from pipeline.gallery import (
    audit_queries,
    mark_queries,
    model_results,
    page_queries,
    region_map,
)
from pipeline.gallery.audit_queries import take_judgement
from pipeline.gallery.comparison_sides import load_side
from pipeline.gallery.connection_pool import ConnectionPool
from pipeline.gallery.guard import JUDGEMENTS, MARKS, Guard
from pipeline.gallery.pictures import LONGEST_SIDE, PictureCache
from pipeline.gallery.suspicion_queries import suspicions
from pipeline.gallery.synonyms import near_synonyms
from pipeline.sql.json_values import json_value
from schemas.errors import RCError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from starlette.requests import Request
    from starlette.types import ASGIApp

    _Take = Callable[[ConnectionPool, str, bytes], dict[str, Any]]

STATIC: Final = Path(__file__).parent / "static"
_HITS: Final = 24  # of a search
_LARGEST: Final = {JUDGEMENTS: 16 << 10, MARKS: 4 << 20}  # bytes of what is written down
_PARALLEL_PICTURES: Final = max(2, (os.cpu_count() or 2) // 2)  # leaves cores for queries


def make_app(root: Path, hosts: Collection[str], *, anywhere: bool = False) -> ASGIApp:
    """The application that shows a store.

    Args:
        root: The store.
        hosts: Names of the gallery, with port.
        anywhere: Whether it listens on all addresses of the machine.
    """
    handler = _RequestHandler(root)
    routes = [
        Route("/", lambda _: FileResponse(STATIC / "index.html")),
        Route("/api/{query}", handler.answer),
        Route("/picture/{kind}", handler.picture),
        Route("/map-points", handler.points),
        Route(f"{JUDGEMENTS}{{name}}", handler.judge, methods=["POST"]),
        Route(f"{MARKS}{{name}}", handler.mark, methods=["POST"]),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    return Guard(Starlette(routes=routes), hosts, anywhere=anywhere)


class _RequestHandler:
    """Answers the requests for JSON and for pictures."""

    def __init__(self, root: Path) -> None:
        self._connections = connections = ConnectionPool(root)
        self._picture_cache = PictureCache(connections)
        self._picture_slots = asyncio.Semaphore(_PARALLEL_PICTURES)
        self._queries: dict[str, Callable[[dict[str, str]], Any]] = {
            "overview": lambda _: page_queries.overview(connections),
            "images": lambda parameters: page_queries.images(connections, parameters),
            "image": lambda parameters: page_queries.image(connections, parameters),
            "side": lambda parameters: load_side(connections, parameters),
            "concepts": lambda parameters: _concepts(connections, parameters),
            "concept": lambda parameters: page_queries.concept(connections, parameters),
            "synonyms": lambda parameters: _synonyms(connections, parameters),
            "what-if": lambda parameters: page_queries.what_if(connections, parameters),
            "training": lambda _: model_results.training_curves(connections),
            "evaluations": lambda _: model_results.list_evaluations(connections),
            "evaluation": lambda parameters: model_results.evaluation_details(
                connections, parameters
            ),
            "search": lambda parameters: _search(connections, parameters),
            "suspicions": lambda parameters: suspicions(connections, parameters),
            "audits": lambda _: audit_queries.audits(connections),
            "audit": lambda parameters: audit_queries.audit(connections, parameters),
            "map": lambda parameters: region_map.map_page(connections, parameters),
            "map-region": lambda parameters: region_map.map_region(connections, parameters),
            "map-condition": lambda parameters: mark_queries.condition(connections, parameters),
            "concept-labels": lambda parameters: mark_queries.concept_labels(
                connections, parameters
            ),
            "marks": lambda parameters: mark_queries.marks(connections, parameters),
            "concept-names": lambda parameters: audit_queries.concept_names(
                connections, parameters
            ),
        }

    def answer(self, request: Request) -> Response:
        """The answer to a query as JSON, or a sentence that says why there is none."""
        query = self._queries.get(request.path_params["query"])
        if query is None:
            return PlainTextResponse("There is no such query.", 404)
        try:
            return JSONResponse(json_value(query(dict(request.query_params))))
        except RCError as error:
            return JSONResponse({"problem": str(error)}, 422)
        except ValueError as error:
            return JSONResponse({"problem": f"a number was expected: {error}"}, 422)

    def points(self, request: Request) -> Response:
        """The points of a map, as numbers in binary."""
        try:
            content = region_map.points(self._connections, dict(request.query_params))
        except RCError as error:
            return JSONResponse({"problem": str(error)}, 422)
        return Response(content, media_type="application/octet-stream")

    async def judge(self, request: Request) -> Response:
        """Write a judgement down; the answer, how far the audit is, is sent once it is on disk."""
        return await self._write_down(request, JUDGEMENTS, take_judgement)

    async def mark(self, request: Request) -> Response:
        """Write marks of many labels down; the answer is sent once they are on disk."""
        return await self._write_down(request, MARKS, mark_queries.take_marks)

    async def _write_down(self, request: Request, path: str, take: _Take) -> Response:
        body = b""
        async for piece in request.stream():
            body += piece
            if len(body) > _LARGEST[path]:
                return JSONResponse({"problem": "a judgement is not that large"}, 413)
        name = request.path_params["name"]
        return await run_in_threadpool(self._taken, take, name, body)

    def _taken(self, take: _Take, name: str, body: bytes) -> Response:
        try:
            return JSONResponse(json_value(take(self._connections, name, body)))
        except RCError as error:
            return JSONResponse({"problem": str(error)}, 422)
        except OSError as error:
            problem = f"{error.filename or name} cannot be written ({error.strerror})"
            return JSONResponse({"problem": problem}, 503)

    async def picture(self, request: Request) -> Response:
        """An image of the store, or a part of one, as JPEG."""
        async with self._picture_slots:
            if await request.is_disconnected():  # the visitor scrolled on in the meantime
                return Response(status_code=204)
            return await run_in_threadpool(self._picture, request)

    def _picture(self, request: Request) -> Response:
        try:
            content = self._pixels(request.path_params["kind"], dict(request.query_params))
        except (RCError, ValueError) as error:
            return PlainTextResponse(str(error), 404)
        return Response(content, media_type="image/jpeg", headers={"cache-control": "max-age=600"})

    def _pixels(self, kind: str, parameters: dict[str, str]) -> bytes:
        image_id, labels = parameters.get("id", ""), parameters.get("labels", "")
        if kind in LONGEST_SIDE:
            return self._picture_cache.image(image_id, kind, labels)
        box = [float(edge) for edge in parameters.get("box", "").split(",")]
        if kind != "crop" or len(box) != 4 or not all(map(math.isfinite, box)):
            raise ValueError("a picture is thumb, full, or crop with box=x0,y0,x1,y1")
        return self._picture_cache.crop(image_id, box, labels)


def _concepts(connections: ConnectionPool, parameters: dict[str, str]) -> Any:
    labels = connections.resolve(parameters.get("labels", ""))
    return connections.cached(
        ("concepts", labels), lambda: page_queries.concepts(connections, {"labels": labels})
    )


def _synonyms(connections: ConnectionPool, parameters: dict[str, str]) -> Any:
    labels = connections.resolve(parameters.get("labels", ""))
    return connections.cached(("synonyms", labels), lambda: near_synonyms(connections, labels))


def _search(connections: ConnectionPool, parameters: dict[str, str]) -> dict[str, Any]:
    """Regions most similar to a text or a region, among the features of the shown labels."""
    from pipeline.searching import FeatureCorpus, nearest_regions
    from pipeline.searching.query_vectors import region_query, text_query

    labels = connections.resolve(parameters.get("labels", ""))
    features = connections.shown_artifact("features", labels)
    corpus = FeatureCorpus.find(
        connections.root,
        features.address if features else None,
        labels if labels in connections.label_addresses() else None,
    )
    if parameters.get("region"):
        query = region_query(corpus, parameters["region"])
    else:
        query = text_query(corpus, parameters.get("text", ""))
    hits = nearest_regions(corpus, query.vector, _HITS, exclude=query.exclude)
    return {"hits": hits.to_pylist(), "labels": labels}
